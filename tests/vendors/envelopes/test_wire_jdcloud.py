"""The example of JD Cloud's S3-compatible error document, byte for byte."""

import re

from faultinject import Rule, vendors

EXAMPLE = """\
<Error>
    <statusCode>404</statusCode>
    <Code>NoSuchBucket</Code>
    <Message>The specified bucket does not exist.</Message>
    <Resource>/henry-dev-test-bucket123123123123</Resource>
    <RequestId>956F69119AE3958B</RequestId>
</Error>"""


def test_answer(send, inject_with):
    """The example with an id of ours, which stands in two headers as well."""
    injector = inject_with([Rule("jdcloud:NoSuchBucket")], FAULTINJECT_HEADER="0")
    host = b"henry-dev-test-bucket123123123123.s3.cn-north-1.jdcloud-oss.com"
    answer = send(injector, "GET", "/", headers=[(b"Host", host)])
    id_ = injector.journal.outcomes[0].request_id
    assert re.fullmatch("[0-9A-F]{16}", id_)
    assert answer.body.decode() == EXAMPLE.replace("956F69119AE3958B", id_)
    assert [(name.lower(), value) for name, value in answer.headers] == [
        ("content-type", "application/xml"),
        ("content-length", str(len(EXAMPLE))),
        ("x-req-id", id_),
        ("x-amz-request-id", id_),
    ]


def test_example_id():
    """The example's id is one of those that are made."""
    entropy = bytes.fromhex("956F69119AE3958B") + bytes(56)
    assert vendors.get("jdcloud").make_ids(entropy, 0) == {"request_id": "956F69119AE3958B"}
