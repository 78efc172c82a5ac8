"""AWS's SDK for JavaScript finds an error in a 200 by the body's last bytes.

A body with a line end behind it is a success. It runs in Node, in the folder whose node_modules have it.
"""

import json

import pytest

from faultinject import Rule, vendors

from .processes import in_node
from .told import XML_VENDORS

OPERATIONS = ("CompleteMultipartUpload", "CopyObject", "UploadPartCopy")
ENDS = {"cos": b"</Error>\n\n", "oss": b"</Error>\n"}
"""The ends of bodies with bytes behind the last tag, as captured."""

PROGRAM = """
const { S3Client, ...calls } = require("@aws-sdk/client-s3");
const [url, ...vendors] = process.argv.slice(1);
const there = { Bucket: "photos", Key: "k" };
const copied = { ...there, CopySource: "photos/plain" };
const asked = {
  CompleteMultipartUpload: { ...there, UploadId: "u", MultipartUpload: { Parts: [{ ETag: "e", PartNumber: 1 }] } },
  CopyObject: copied,
  UploadPartCopy: { ...copied, UploadId: "u", PartNumber: 1 },
};
async function answers() {
  const said = {};
  for (const vendor of vendors) {
    const client = new S3Client({
      endpoint: url, region: "us-east-1", forcePathStyle: true, maxAttempts: 2, customUserAgent: `asks-${vendor}`,
      credentials: { accessKeyId: "id", secretAccessKey: "key" },
    });
    for (const [name, input] of Object.entries(asked)) {
      const call = client.send(new calls[`${name}Command`](input));
      const told = await call.then((answer) => ["success", answer.$metadata], (error) => [error.name, error.$metadata]);
      said[`${vendor} ${name}`] = [told[0], told[1].attempts];
    }
  }
  process.stdout.write(JSON.stringify(said));
}
answers();
"""


def fault(vendor):
    """The vendor's 500, whose code need not be spelt as S3's."""
    return next(each.address for each in vendors.get(vendor).errors if each.status == 500 and not each.form)


@pytest.fixture(scope="module")
def answers(server):
    """The SDK's result for each vendor's error, and its attempts."""
    server.injector.use(
        [Rule(fault(vendor), status=200, header={"user-agent": f"*asks-{vendor}"}) for vendor in XML_VENDORS]
    )
    return json.loads(in_node("@aws-sdk/client-s3", PROGRAM, server.url, *XML_VENDORS))


def test_who_sees_an_error_in_a_200(answers):
    """An error that ends in `</Error>` is retried and then reported; COS's and OSS's are missed.

    The caller then believes in an object that is not there.
    """
    assert answers == {
        f"{vendor} {operation}": ["success", 1] if vendor in ENDS else [fault(vendor).partition(":")[2], 2]
        for vendor in XML_VENDORS
        for operation in OPERATIONS
    }


@pytest.mark.parametrize("vendor", XML_VENDORS)
def test_how_bodies_end(vendor, server):
    """Bodies end with the real line ends.

    https://github.com/apache/opendal/issues/917, and an answer of COS whose length has them.
    """
    server.use(fault(vendor), status=200)
    assert server.raw("POST", "/photos/k?uploadId=u").body.endswith(ENDS.get(vendor, b"</Error>"))
