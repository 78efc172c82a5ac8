"""A clock that is wrong: SDKs that put it right sign anew and send the request again."""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings

import pytest

from faultinject import vendors

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import alibabacloud_oss_v2 as oss
    from baidubce.auth.bce_credentials import BceCredentials
    from baidubce.bce_client_configuration import BceClientConfiguration
    from baidubce.exception import BceHttpClientError, BceServerError
    from baidubce.services.bos.bos_client import BosClient

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
@pytest.mark.parametrize("vendor", ["s3", "cos"])
def test_in_javascript(server, vendor):
    """AWS's and Tencent's: the second request has another time in its signature, and succeeds."""
    folder, node = os.environ.get("JAVASCRIPT_SDKS"), shutil.which("node")
    if not folder or not node:
        pytest.skip("the SDKs have a folder of their own, which JAVASCRIPT_SDKS names, and need Node")
    server.use(f"{vendor}:RequestTimeTooSkewed", times=1)
    done = subprocess.run(
        [node, "-e", PROGRAM, vendor, server.url], cwd=folder, capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    assert (done.stdout.decode(), server.counts().matched) == ("success", 2)


def test_alibabas(server):
    """Its second SDK for Python sends the request again; so it does after every BadRequest."""
    config = oss.config.load_default()
    config.region, config.endpoint, config.use_path_style = "cn-hangzhou", server.url, True
    config.credentials_provider = oss.credentials.StaticCredentialsProvider("id", "key")
    client = oss.Client(config)
    for label in ("RequestTimeTooSkewed", "BadRequest", "BadRequest/2"):
        server.use(f"oss:{label}", times=1)
        assert client.get_object(oss.GetObjectRequest(bucket="photos", key="k")).status_code == 200
        assert server.counts().matched == 2


def test_baidus(server):
    """Baidu's SDK compares the code with bytes, never signs again, and raises the error.

    It means to sign again.
    """
    credentials = BceCredentials("id", "key")
    client = BosClient(BceClientConfiguration(credentials=credentials, endpoint=server.url))
    server.use("bos:RequestExpired", times=1)
    with pytest.raises(BceHttpClientError):
        client.get_object_as_string("photos", "k")
    assert server.counts().matched == 1
    assert BceServerError.REQUEST_EXPIRED == b"RequestExpired"


def test_the_rows_say_what_their_sdks_do():
    """And those of other vendors with the same code say the same."""
    rows = [row for vendor in vendors.names() for row in vendors.get(vendor).errors]
    same = [row for row in rows if row.code in ("RequestTimeTooSkewed", "RequestExpired", "request_expired")]
    assert {(row.retryable, row.again) for row in same} == {("yes", "after-signing")}
    assert {row.vendor for row in same} >= {"s3", "cos", "oss", "bos"}
