"""A package that adds a vendor, its embedded store and a fault."""

from __future__ import annotations

from dataclasses import replace

from faultinject.plugins import (
    STORES,
    Act,
    Action,
    Answer,
    CompiledRule,
    Dialect,
    DocumentedError,
    Entry,
    Fault,
    Filter,
    Forward,
    Request,
    Rule,
    Vendor,
    VendorStore,
)


def make_ids(entropy: bytes, unix_seconds: int) -> dict[str, str]:
    return {"request_id": entropy[:4].hex()}


def resource(bucket: str | None, key: str | None, raw_path: str) -> str:
    return f"/{bucket or ''}/{key or ''}"


def reason(row: DocumentedError, message: str) -> str | None:
    return "Slow" if row.status == 503 else None


VENDOR = Vendor(
    id="acme",
    title="ACME Storage",
    content_type="application/json",
    template="envelope.json",
    escape="json",
    package="acme",
    id_headers=(("X-Acme-Request-Id", "request_id"),),
    make_ids=make_ids,
    resource=resource,
    reason=reason,
)
S3 = STORES["s3"]
assert isinstance(S3.speaks, Dialect)
STORE: VendorStore = replace(S3, speaks=replace(S3.speaks, prefixes=("x-acme-",)))


class Empty(Fault):
    """A 200 without a body."""

    title = "empty"
    takes = ("when", "set", "drain", "cors")

    def prepare(self, rule: CompiledRule) -> Act:
        answer = Answer(rule, self.text, 200, "text/plain")
        return lambda request, entry, digest: answer.give(request, entry, digest, b"", {})

    def in_words(self, rule: Rule) -> str:
        return "a 200 without a body"

    def fails(self, rule: Rule) -> bool:
        return False


class Zeros(Filter):
    did = "blanked"

    def change(self, piece: bytes) -> bytes:
        self.touched = True
        return bytes(len(piece))


class Blank(Fault):
    """The app's own answer, all zeros."""

    title = "blank"
    changes_body = True

    def prepare(self, rule: CompiledRule) -> Act:
        def act(request: Request, entry: Entry, digest: bytes) -> Action:
            entry.fault = self.text
            return Forward(entry, after=False, delay=0.0, filter=Zeros())

        return act

    def in_words(self, rule: Rule) -> str:
        return "zeros"
