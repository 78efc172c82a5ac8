"""The example of Volcengine's document, and recorded ids, are rendered from their inputs."""

import hashlib
import json

import pytest

from faultinject import Rule, vendors

# https://www.volcengine.com/docs/6349/74874, without the blanks of the page; EC as in recorded answers of that code
NO_SUCH_KEY = (
    b'{"Code":"NoSuchKey","Message":"The resource you requested does not exist","RequestId":"4442587FB7D0A2F9",'
    b'"HostId":"","Resource":"/bucketName/objectName","EC":"0017-00000003"}'
)
HOST = [(b"Host", b"bucketName.tos-cn-beijing.volces.com")]


def test_example(answer_of):
    """Code, Message, RequestId, HostId, Resource and EC, in that order; headers repeat some."""
    rule = Rule("tos:NoSuchKey", message="The resource you requested does not exist")
    answer = answer_of(rule, "GET", "/bucketName/objectName", ids={"request_id": "4442587FB7D0A2F9"})
    assert answer.body == NO_SUCH_KEY
    assert [(name.lower(), value) for name, value in answer.headers] == [
        ("content-type", "application/json"),
        ("content-length", str(len(NO_SUCH_KEY))),
        ("x-tos-request-id", "4442587FB7D0A2F9"),
        ("x-tos-id-2", "4442587FB7D0A2F9"),
        ("x-tos-server-time", "1"),
        ("x-tos-ec", "0017-00000003"),
    ]


@pytest.fixture
def recorded(answer_of):
    """One answer with the ids that were recorded."""

    def ask(code, target, request_id, host_id, headers=HOST):
        ids = {"request_id": request_id, "host_id": host_id}
        answer = answer_of(f"tos:{code}", "GET", target, ids=ids, headers=headers)
        assert answer.status == 403
        return answer

    return ask


def test_recorded_denial(recorded):
    """The denial of September 2026 about protenix-v2.pt has its 217 bytes.

    Its code, message, EC and number were quoted. With ids as long as theirs,
    https://github.com/bytedance/Protenix/issues/296 has the members in this order.
    """
    request_id = "1f1c07a6f1e88f446aa6f1e8-bedb802-1x5pNY-HO-cb-tos-1az-front-azc-16"
    host = [(b"Host", b"protenix.tos-cn-beijing.volces.com")]
    answer = recorded("AccessDenied", "/checkpoint/protenix-v2.pt", request_id, "h" * 32, host)
    assert answer.body.decode() == (
        f'{{"Code":"AccessDenied","RequestId":"{request_id}","HostId":"{"h" * 32}","Message":"Access Denied",'
        '"EC":"0003-00000015","DetailErrCode":14006}'
    )
    assert (len(answer.body), answer.header("x-tos-ec")) == (217, "0003-00000015")


PRESIGNED = (
    "/tos-cn-i-v4nquku3lp/358b6fed-cdb4-4b28-a125-909962b2c685.png?X-Tos-Algorithm=TOS4-HMAC-SHA256"
    "&X-Tos-Credential=AKLT%2F20250925%2Fcn-shanghai%2Ftos%2Frequest&X-Tos-Date=20250925T074232Z&X-Tos-Expires=86400"
    "&X-Tos-Signature=dc69d019bc2f5232650e33af7477bdd95b1e1dcc136a82c369ada3fc57473a3c&X-Tos-SignedHeaders=host"
    "&x-wf-file_name=test.png"
)
CANONICAL = (
    "GET\n/tos-cn-i-v4nquku3lp/358b6fed-cdb4-4b28-a125-909962b2c685.png\n"
    "X-Tos-Algorithm=TOS4-HMAC-SHA256&X-Tos-Credential=AKLT%2F20250925%2Fcn-shanghai%2Ftos%2Frequest"
    "&X-Tos-Date=20250925T074232Z&X-Tos-Expires=86400&X-Tos-SignedHeaders=host&x-wf-file_name=test.png\n"
    "host:bucketName.tos-cn-beijing.volces.com\n\nhost\nUNSIGNED-PAYLOAD"
)


def test_recorded_signature(recorded):
    """https://github.com/coze-dev/coze-studio/issues/2272: order, EC and who signed what."""
    request_id = "b17801d4f4dcc15c68d4f4dc-bbe8b18-1v1gmi-GO-cs-tos-front-aza-19"
    host_id = "LClavePEyQIVsVaxdyjQTJDywRRIPjGm"
    answer = recorded("SignatureDoesNotMatch", PRESIGNED, request_id, host_id)
    signed = hashlib.sha256(CANONICAL.encode()).hexdigest()
    assert list(json.loads(answer.body).items()) == [
        ("Code", "SignatureDoesNotMatch"),
        ("RequestId", request_id),
        ("HostId", host_id),
        (
            "Message",
            "The request signature we calculated does not match the signature you provided. Check your key and "
            "signing method.",
        ),
        ("EC", "0002-00000024"),
        ("AccessKeyId", "AKLT"),
        (
            "StringToSign",
            f"TOS4-HMAC-SHA256\n20250925T074232Z\n20250925/cn-shanghai/tos/request\n{signed}",
        ),
    ]
    assert answer.header("x-tos-ec") == "0002-00000024"


def test_a_signature_in_the_headers(recorded):
    """The SDK signs no body, not even none."""
    headers = [
        *HOST,
        (b"x-tos-date", b"20250925T074232Z"),
        (
            b"Authorization",
            (
                b"TOS4-HMAC-SHA256 Credential=AKLT/20250925/cn-beijing/tos/request,SignedHeaders=host;"
                b"x-tos-date,Signature=1"
            ),
        ),
    ]
    canonical = (
        "GET\n/object\na=b\nhost:bucketName.tos-cn-beijing.volces.com\nx-tos-date:20250925T074232Z\n\n"
        "host;x-tos-date\nUNSIGNED-PAYLOAD"
    )
    signed = hashlib.sha256(canonical.encode()).hexdigest()
    answer = recorded("SignatureDoesNotMatch", "/object?a=b", "R", "H", headers)
    said = json.loads(answer.body)
    assert said["AccessKeyId"] == "AKLT"
    assert said["StringToSign"] == (
        f"TOS4-HMAC-SHA256\n20250925T074232Z\n20250925/cn-beijing/tos/request\n{signed}"
    )


def test_who_did_not_sign(recorded):
    """Fields of an unknown signature are left out."""
    answer = recorded("SignatureDoesNotMatch", "/object", "R", "H")
    assert [*json.loads(answer.body)] == ["Code", "RequestId", "HostId", "Message", "EC"]


def test_head_says_nothing_of_the_body(send, inject_with):
    """The SDK takes a length for a body that broke off."""
    answer = send(inject_with(Rule("tos:NoSuchKey")), "HEAD", "/object", headers=HOST)
    got = {name.lower(): value for name, value in answer.headers}
    assert (answer.status, answer.body, got["content-length"]) == (404, b"", "0")
    assert "content-type" not in got
    assert got["x-tos-ec"] == "0017-00000003"


@pytest.mark.parametrize(
    ("recorded", "time"),
    [
        ("c30c0107cd3a073f6607cd3a-ac103aa8-1rqU4w-PuO-cs-tos-front-azc-2", 0x6607CD3A),
        ("1f1c07a6f1e88f446aa6f1e8-bedb802-1x5pNY-HO-cb-tos-1az-front-azc-16", 0x6AA6F1E8),
    ],
)
def test_ids(recorded, time):
    """The seconds stand in an id twice, once without their first byte."""
    ids = vendors.get("tos").make_ids(bytes(range(64)), time)
    made = ids["request_id"]
    assert (len(ids["host_id"]), ids["host_id"].isalnum()) == (32, True)
    for each in (made, recorded):
        assert (each[6:12], each[16:24]) == (f"{time:08x}"[2:], f"{time:08x}")
    assert [len(part) for part in made.split("-")[:3]] == [24, 8, 6]
