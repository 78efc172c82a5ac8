"""What a client of Azure Blob Storage can get wrong."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import md5
from urllib.parse import quote

from faultinject.exceptions import ConfigurationError
from faultinject.fidelity.exchange import AGENT, Exchange, NoAnswer, Pairs, send
from faultinject.fidelity.probes import Probe, Session, accepted, made
from faultinject.fidelity.signing import Keys, azure_headers, query_text

EMULATOR = (
    "devstoreaccount1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
)
"""Account and key of every emulator, public: https://learn.microsoft.com/azure/storage/common/storage-use-azurite"""
VERSION = "2023-11-03"
CONTENT = b"faultinject"
LEASE = "7d3e2a5c-6f0b-4d8e-9a1c-0b2f4e6d8a10"
OTHER_LEASE = "11111111-2222-3333-4444-555555555555"
BLOCK_BLOB = ("x-ms-blob-type", "BlockBlob")
NO_TAG = '"0x000000000000000"'


class AzureSession(Session):
    """Requests to one blob service, signed with the account's key."""

    keys: Keys
    _containers: list[str]
    _leased: list[str]

    def prepare(self) -> None:
        """Make the container, with a blob in it."""
        self._containers, self._leased = [], []
        account = self.environ.get("AZURE_STORAGE_ACCOUNT") or EMULATOR[0]
        self.keys = Keys(account, self.environ.get("AZURE_STORAGE_KEY") or EMULATOR[1])
        try:
            azure_headers("GET", "/", (), (), keys=self.keys)
        except ValueError:
            raise ConfigurationError("AZURE_STORAGE_KEY is not in Base64") from None
        made(lambda: self.make(self.bucket), self._containers, self.bucket, "making a container")
        accepted(self.put("cat", CONTENT), "putting a blob")

    @property
    def secrets(self) -> Sequence[str]:
        """The account's key."""
        return [self.keys.secret]

    def ask(
        self,
        method: str,
        blob: str | None = None,
        query: Pairs = (),
        headers: Pairs = (),
        body: bytes = b"",
        *,
        container: str | None = None,
        keys: Keys | None = None,
        signed: bool = True,
        length: bool = True,
        early: float = 0,
        final: bool = False,
    ) -> Exchange:
        """Send one request.

        Args:
            method: the method.
            blob: its name; None: the container itself.
            query: parameters.
            headers: further ones.
            body: its bytes.
            container: another one than ours.
            keys: others than ours.
            signed: whether it is signed at all.
            length: whether it announces the length of its body.
            early: seconds by which its clock is slow.
            final: whether it cleans up, for which there is time after the deadline.
        """
        path = f"{self.endpoint.path}/{quote(container or self.bucket, safe='-_.~$')}"
        if blob is not None:
            path = f"{path}/{quote(blob, safe='/-_.~')}"
        else:
            query = [("restype", "container"), *query]
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - early))
        every = [
            ("Host", self.endpoint.authority),
            ("User-Agent", AGENT),
            ("x-ms-date", date),
            ("x-ms-version", VERSION),
            *headers,
        ]
        if length and (body or method in ("PUT", "POST")):
            every.append(("Content-Length", str(len(body))))
        if signed:
            every = azure_headers(method, path, query, every, keys=keys or self.keys)
        text = query_text(query)
        target = f"{path}?{text}" if text else path
        timeout = self.left(final=final)
        return send(self.endpoint, method, target, every, body, timeout=timeout)

    def make(self, name: str) -> Exchange:
        """Make a container."""
        return self.ask("PUT", container=name)

    def put(self, blob: str, body: bytes, headers: Pairs = (), **options: object) -> Exchange:
        """Put a block blob, which goes with its container."""
        return self.ask("PUT", blob, headers=[BLOCK_BLOB, *headers], body=body, **options)  # type: ignore[arg-type]

    def also_made(self, name: str, exchange: Exchange) -> Exchange:
        """Remember a container that should not have been made, so that it is removed."""
        if exchange.answer.good:
            self._containers.append(name)
        return exchange

    def lease(self, blob: str) -> None:
        """Put a blob and take a lease on it, which is broken in the end."""
        accepted(self.put(blob, CONTENT), "putting a blob")
        self._leased.append(blob)
        headers = [
            ("x-ms-lease-action", "acquire"),
            ("x-ms-lease-duration", "15"),
            ("x-ms-proposed-lease-id", LEASE),
        ]
        accepted(self.ask("PUT", blob, [("comp", "lease")], headers), "taking a lease")

    def remove(self) -> None:
        """Break the leases and delete the containers, with all that is in them."""
        for blob in self._leased:
            broken = [("x-ms-lease-action", "break"), ("x-ms-lease-break-period", "0")]
            with suppress(NoAnswer):
                self.ask("PUT", blob, [("comp", "lease")], broken, final=True)
        for name in reversed(self._containers):
            status = 0
            with suppress(NoAnswer):
                status = self.ask("DELETE", container=name, final=True).answer.status
            if not (200 <= status < 300 or status == 404):
                self.left_behind.append(f"container {name}")


def _named(session: AzureSession, name: str) -> Exchange:
    return session.also_made(name, session.make(name))


def _tag(session: AzureSession) -> str:
    return session.ask("HEAD", "cat").answer.header("ETag") or '"none"'


def _of_md5(data: bytes) -> str:
    return b64encode(md5(data, usedforsecurity=False).digest()).decode()


def _blocks(session: AzureSession, body: bytes) -> Exchange:
    return session.ask("PUT", "blocks", [("comp", "blocklist")], body=body)


def _unknown_block(session: AzureSession) -> Exchange:
    listed = f"<Latest>{b64encode(b'none').decode()}</Latest>"
    return _blocks(session, f"<BlockList>{listed}</BlockList>".encode())


def _leased(session: AzureSession) -> Exchange:
    session.lease("leased-1")
    return session.put("leased-1", CONTENT)


def _leased_by_another(session: AzureSession) -> Exchange:
    session.lease("leased-2")
    return session.put("leased-2", CONTENT, [("x-ms-lease-id", OTHER_LEASE)])


def _leased_twice(session: AzureSession) -> Exchange:
    session.lease("leased-3")
    headers = [
        ("x-ms-lease-action", "acquire"),
        ("x-ms-lease-duration", "15"),
        ("x-ms-proposed-lease-id", OTHER_LEASE),
    ]
    return session.ask("PUT", "leased-3", [("comp", "lease")], headers)


def _snapshots(session: AzureSession) -> Exchange:
    accepted(session.put("snapped", CONTENT), "putting a blob")
    accepted(session.ask("PUT", "snapped", [("comp", "snapshot")]), "making a snapshot")
    return session.ask("DELETE", "snapped")


PROBES: Sequence[Probe[AzureSession]] = (
    Probe("BlobNotFound: GET", "GET of a blob that is not there", ("BlobNotFound",), lambda s: s.ask("GET", "none")),
    Probe("BlobNotFound: HEAD", "HEAD of a blob that is not there", ("BlobNotFound",), lambda s: s.ask("HEAD", "none")),
    Probe(
        "BlobNotFound: DELETE", "DELETE of a blob that is not there", ("BlobNotFound",), lambda s: s.ask("DELETE", "none")
    ),
    Probe(
        "ContainerNotFound: list",
        "a listing of a container that is not there",
        ("ContainerNotFound",),
        lambda s: s.ask("GET", query=[("comp", "list")], container=f"{s.bucket}-missing"),
    ),
    Probe(
        "ContainerNotFound: PUT",
        "Put Blob into a container that is not there",
        ("ContainerNotFound",),
        lambda s: s.put("cat", CONTENT, container=f"{s.bucket}-missing"),
    ),
    Probe(
        "ContainerAlreadyExists",
        "Create Container of our own once more",
        ("ContainerAlreadyExists",),
        lambda s: s.make(s.bucket),
    ),
    Probe(
        "InvalidResourceName",
        "Create Container with a capital",
        ("InvalidResourceName",),
        lambda s: _named(s, f"{s.bucket}-Upper"),
    ),
    Probe(
        "OutOfRangeInput",
        "Create Container with a name of 70 characters",
        ("OutOfRangeInput", "InvalidResourceName"),
        lambda s: _named(s, f"{s.bucket}-{'a' * 70}"[:70]),
    ),
    Probe(
        "BlobAlreadyExists",
        "Put Blob with If-None-Match: * over a blob",
        ("BlobAlreadyExists",),
        lambda s: s.put("cat", CONTENT, [("If-None-Match", "*")]),
    ),
    Probe(
        "ConditionNotMet: 412",
        "Get Blob with If-Match of another entity tag",
        ("ConditionNotMet/2",),
        lambda s: s.ask("GET", "cat", headers=[("If-Match", NO_TAG)]),
    ),
    Probe(
        "ConditionNotMet: 304",
        "Get Blob with If-None-Match of the blob's entity tag",
        ("ConditionNotMet",),
        lambda s: s.ask("GET", "cat", headers=[("If-None-Match", _tag(s))]),
    ),
    Probe(
        "InvalidRange",
        "Get Blob of bytes behind the end",
        ("InvalidRange",),
        lambda s: s.ask("GET", "cat", headers=[("Range", "bytes=1000000-2000000")]),
    ),
    Probe("InvalidBlockList", "Put Block List of a block that is not there", ("InvalidBlockList",), _unknown_block),
    Probe(
        "InvalidXmlDocument",
        "Put Block List with a document that ends early",
        ("InvalidXmlDocument",),
        lambda s: _blocks(s, b"<BlockList><Latest>"),
    ),
    Probe(
        "InvalidQueryParameterValue: block",
        "Put Block with an id that is not Base64",
        ("InvalidQueryParameterValue", "InvalidBlockId"),
        lambda s: s.ask("PUT", "blocks", [("comp", "block"), ("blockid", "*")], body=CONTENT),
    ),
    Probe(
        "OutOfRangeQueryParameterValue",
        "a listing with maxresults=0",
        ("OutOfRangeQueryParameterValue",),
        lambda s: s.ask("GET", query=[("comp", "list"), ("maxresults", "0")]),
    ),
    Probe(
        "InvalidQueryParameterValue: comp",
        "GET of a blob with comp=none",
        ("InvalidQueryParameterValue",),
        lambda s: s.ask("GET", "cat", [("comp", "none")]),
    ),
    Probe(
        "Md5Mismatch",
        "Put Blob with the Content-MD5 of other bytes",
        ("Md5Mismatch",),
        lambda s: s.put("digest", CONTENT, [("Content-MD5", _of_md5(b"other"))]),
    ),
    Probe(
        "InvalidMd5",
        "Put Blob with a Content-MD5 that is none",
        ("InvalidMd5",),
        lambda s: s.put("digest", CONTENT, [("Content-MD5", "none")]),
    ),
    Probe(
        "MissingContentLengthHeader",
        "Put Blob that announces no length",
        ("MissingContentLengthHeader",),
        lambda s: s.put("length", b"", length=False),
    ),
    Probe(
        "MissingRequiredHeader",
        "Put Blob without x-ms-blob-type",
        ("MissingRequiredHeader",),
        lambda s: s.ask("PUT", "untyped", body=CONTENT),
    ),
    Probe(
        "InvalidHeaderValue",
        "Put Blob with a blob type that is none",
        ("InvalidHeaderValue",),
        lambda s: s.ask("PUT", "untyped", headers=[("x-ms-blob-type", "NoneSuch")], body=CONTENT),
    ),
    Probe(
        "EmptyMetadataKey",
        "Set Blob Metadata with an empty name",
        ("EmptyMetadataKey",),
        lambda s: s.ask("PUT", "cat", [("comp", "metadata")], [("x-ms-meta-", "a")]),
    ),
    Probe(
        "MetadataTooLarge",
        "Put Blob with 9,000 bytes of metadata",
        ("MetadataTooLarge",),
        lambda s: s.put("large", CONTENT, [("x-ms-meta-a", "a" * 9000)]),
    ),
    Probe("UnsupportedHttpVerb", "POST of a blob", ("UnsupportedHttpVerb",), lambda s: s.ask("POST", "cat", body=CONTENT)),
    Probe("LeaseIdMissing", "Put Blob over a leased blob", ("LeaseIdMissing",), _leased),
    Probe(
        "LeaseIdMismatchWithBlobOperation",
        "Put Blob with another lease than the blob's",
        ("LeaseIdMismatchWithBlobOperation",),
        _leased_by_another,
    ),
    Probe("LeaseAlreadyPresent", "a second lease on a blob", ("LeaseAlreadyPresent",), _leased_twice),
    Probe(
        "LeaseNotPresentWithBlobOperation",
        "Put Blob with a lease that is none",
        ("LeaseNotPresentWithBlobOperation",),
        lambda s: s.put("cat", CONTENT, [("x-ms-lease-id", OTHER_LEASE)]),
    ),
    Probe("SnapshotsPresent", "Delete Blob of one with a snapshot", ("SnapshotsPresent",), _snapshots),
    Probe(
        "AuthenticationFailed: key",
        "GET signed with another key",
        ("AuthenticationFailed",),
        lambda s: s.ask("GET", "cat", keys=replace(s.keys, secret="d3Jvbmc=")),  # noqa: S106 - one that is none
    ),
    Probe(
        "AuthenticationFailed: date",
        "GET signed an hour ago",
        ("AuthenticationFailed",),
        lambda s: s.ask("GET", "cat", early=3600),
    ),
    Probe(
        "NoAuthenticationInformation",
        "GET without a signature",
        ("NoAuthenticationInformation", "ResourceNotFound"),
        lambda s: s.ask("GET", "cat", signed=False),
    ),
)  # fmt: skip
