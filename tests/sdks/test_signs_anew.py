"""A clock that is wrong: SDKs that put it right sign anew and send the request again."""

import pytest

from faultinject import vendors

from .processes import in_node
from .sdk_clients import BceHttpClientError, BceServerError, bos, oss, oss_v2
from .told import raised

PROGRAM = """
const [sent, origin] = process.argv.slice(1);
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr); // what an SDK prints is no answer
console.error = () => {};
const calls = {
  s3() {
    const now = Date.now;
    Date.now = () => now() - 3600000;
    const { S3Client, GetObjectCommand } = require("@aws-sdk/client-s3");
    const credentials = { accessKeyId: "id", secretAccessKey: "key" };
    const client = new S3Client({ endpoint: origin, region: "us-east-1", forcePathStyle: true, credentials });
    return client.send(new GetObjectCommand({ Bucket: "photos", Key: "k" }));
  },
  cos() {
    const COS = require("cos-nodejs-sdk-v5");
    const client = new COS({
      SecretId: "id", SecretKey: "key", Protocol: "http:", Proxy: origin, AutoSwitchHost: false,
      SystemClockOffset: 3600000,
    });
    return client.getObject({ Bucket: "photos-1250000000", Region: "ap-guangzhou", Key: "k" });
  },
};
calls[sent]().then(() => write("success"), (error) => write(String(error.code || error.name)));
"""


@pytest.mark.slow
@pytest.mark.parametrize(("vendor", "package"), [("s3", "@aws-sdk/client-s3"), ("cos", "cos-nodejs-sdk-v5")])
def test_in_javascript(server, vendor, package):
    """AWS's and Tencent's: the second request has another time in its signature, and succeeds."""
    server.use(f"{vendor}:RequestTimeTooSkewed", times=1)
    assert (in_node(package, PROGRAM, vendor, server.url), server.counts().matched) == ("success", 2)


def test_alibabas(server):
    """Its second SDK for Python sends the request again; so it does after every BadRequest."""
    client = oss_v2(server.url)
    for label in ("RequestTimeTooSkewed", "BadRequest", "BadRequest/2"):
        server.use(f"oss:{label}", times=1)
        assert client.get_object(oss.GetObjectRequest(bucket="photos", key="k")).status_code == 200
        assert server.counts().matched == 2


def test_baidus(server):
    """Baidu's SDK compares the code with bytes, never signs again, and raises the error.

    It means to sign again.
    """
    client = bos(server.url)
    server.use("bos:RequestExpired", times=1)
    raised(BceHttpClientError, client.get_object_as_string, "photos", "k")
    assert (server.counts().matched, BceServerError.REQUEST_EXPIRED) == (1, b"RequestExpired")


def test_the_rows_say_what_their_sdks_do():
    """And those of other vendors with the same code say the same."""
    rows = [row for vendor in vendors.names() for row in vendors.get(vendor).errors]
    same = [row for row in rows if row.code in ("RequestTimeTooSkewed", "RequestExpired", "request_expired")]
    assert {(row.retryable, row.again) for row in same} == {("yes", "after-signing")}
    assert {row.vendor for row in same} >= {"s3", "cos", "oss", "bos"}
