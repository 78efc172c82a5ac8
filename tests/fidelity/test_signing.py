"""Signatures are those that the services' own documents and libraries make."""

from __future__ import annotations

from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy

from faultinject.fidelity.azure import EMULATOR
from faultinject.fidelity.signing import Keys, aws_headers, azure_headers, query_text
from faultinject.vendors.signing import EMPTY

KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
"""Of the examples in https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html."""
HOST = ("Host", "examplebucket.s3.amazonaws.com")
HASH = ("x-amz-content-sha256", EMPTY)


def test_the_examples_of_the_document():
    """GetObject with a range, and a listing with parameters."""

    def signature(path, query, *headers):
        found = aws_headers(
            "GET",
            path,
            query,
            [HOST, HASH, *headers],
            keys=KEYS,
            region="us-east-1",
            moment="20130524T000000Z",
        )
        return dict(found)["Authorization"].rpartition("Signature=")[2]

    ranged = signature("/test.txt", "", ("Range", "bytes=0-9"))
    assert ranged == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    listed = signature("/", query_text([("prefix", "J"), ("max-keys", "2")]))
    assert listed == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    lifecycle = signature("/", query_text([("lifecycle", "")]))
    assert lifecycle == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"


def test_a_token_is_signed():
    """A session's token goes in a header of its own, among the signed ones."""
    keys = Keys("a", "b", "the token")
    found = dict(aws_headers("GET", "/", "", [HOST, HASH], keys=keys, region="x", moment="20130524T000000Z"))
    assert found["x-amz-security-token"] == "the token"
    assert (
        "x-amz-security-token," in found["Authorization"] or ";x-amz-security-token" in found["Authorization"]
    )


def test_azure_as_its_sdk():
    """The same request, signed by Azure's SDK and by ours."""
    account, key = EMULATOR
    headers = [
        ("Host", "127.0.0.1:10000"),
        ("x-ms-date", "Sun, 22 Nov 2026 06:00:00 GMT"),
        ("x-ms-version", "2023-11-03"),
        ("x-ms-blob-type", "BlockBlob"),
        ("If-None-Match", "*"),
        ("Content-Length", "11"),
    ]
    query = [("comp", "block"), ("blockid", "AAAA")]
    path = f"/{account}/box/a"
    own = dict(azure_headers("PUT", path, query, headers, keys=Keys(account, key)))
    request = HttpRequest(
        "PUT", f"http://127.0.0.1:10000{path}?comp=block&blockid=AAAA", headers=dict(headers)
    )
    policy = SharedKeyCredentialPolicy(account, key)
    policy.on_request(PipelineRequest(request, PipelineContext(None)))
    assert own["Authorization"] == request.headers["Authorization"]


def test_keys_do_not_show_what_they_are():
    """Not in a message, not in a traceback."""
    assert "hunter2" not in repr(Keys("me", "hunter2", "hunter2"))
