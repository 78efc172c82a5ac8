"""Every client of the corpus, and what is true of it.

What is expected of the SDKs comes from their sources and documents: botocore's `retries`, `time.sleep(j)` of the COS
SDK, the `Retry` of minio and qingstor, qiniu's `need_retry`, Google's `DEFAULT_RETRY`. The COS SDK raises what a 200
of CompleteMultipartUpload has as its error, and does not retry it: where no driver says what the caller got, that is
a WARN. So is a download that is cut and not retried: `Retry` of urllib3, botocore's legacy mode and the COS SDK are
done when the body begins.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Subject:
    """A client and what the audit must say of it.

    Attributes:
        name: in the table.
        group: `broken`, `well-behaved`, `recipe` or `SDK`.
        title: what it does, in a line.
        factory: `module:name` of what makes it.
        expected: as in `comparison.compare`.
        vendor: the service that is played.
        aws: whether it is a client for AWS.
    """

    name: str
    group: str
    title: str
    factory: str
    expected: Mapping[str, object] = field(repr=False)
    vendor: str = "cos"
    aws: bool = False

    @property
    def command(self):
        """The command that starts it under the contract of `faultinject conformance`."""
        return ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "faultinject.conformance", self.factory]

    def make(self, endpoint, bucket):
        """The client, in this process."""
        module, _, name = self.factory.partition(":")
        return getattr(import_module(module), name)(endpoint, bucket)


GROUPS = {"well_behaved": "well-behaved", "broken": "broken", "recipes": "recipe"}
"""The modules of `corpus` that hold clients."""


def ours():
    """The clients of the folder `corpus`: whatever says what is expected of it."""
    for stem, group in GROUPS.items():
        module = import_module(f"{__package__}.corpus.{stem}")
        for name, each in vars(module).items():
            if isinstance(each, type) and each.__module__ == module.__name__ and "expected" in vars(each):
                # With its second paragraph, which may be a link.
                title = " ".join(each.__doc__.split())
                factory = f"{module.__name__}:{name}"
                of_whom = {"vendor": getattr(each, "vendor", "cos"), "aws": getattr(each, "aws", False)}
                yield Subject(spaced(name), group, title, factory, each.expected, **of_whom)


AWS = {"retry-after: seconds": "FAIL", "retry-after: date": "FAIL", "non-idempotent retry": "WARN"}
CUT = {"retries: truncated": ("PASS", "WARN")}
"""A client that does not retry a cut download; only `mixed versions` judges such calls."""
AWS_LEGACY = {"retry-after*": "FAIL", "non-idempotent retry": "WARN", "retry budget": "WARN", **CUT}
URLLIB3 = {
    **CUT,
    "jitter": "WARN",
    "thundering herd": "WARN",
    "malformed retry-after": "FAIL",
    "error in 200": "FAIL",
    "retry budget": "WARN",
}
QINGSTOR = {check: said for check, said in URLLIB3.items() if check != "error in 200"}
COS = {
    **CUT,
    "jitter": "WARN",
    "thundering herd": "WARN",
    "retry-after*": "FAIL",
    "error in 200": ("PASS", "WARN"),
    "non-idempotent retry": "WARN",
    "retry budget": "WARN",
}
GCS = {"retry-after*": "FAIL", "non-idempotent retry": "WARN", "retry budget": "WARN"}
QINIU = {
    "retries: 573*": "WARN",
    "retry-after*": "FAIL",
    "backoff": "WARN",
    "non-idempotent retry": "WARN",
    "retry budget": "WARN",
}
SDKS = (
    # name, driver, service, whether it is for AWS, what is expected
    ("boto3 standard", "boto3:Client", "cos", True, AWS),
    ("boto3 legacy", "boto3:legacy", "cos", True, AWS_LEGACY),
    ("cos-python-sdk-v5", "cos:Client", "cos", False, COS),
    ("qingstor-sdk", "qingstor:Client", "qingstor", False, QINGSTOR),
    ("qiniu", "qiniu:Client", "kodo", False, QINIU),
    ("minio", "minio:Client", "cos", False, URLLIB3),
    ("google-cloud-storage", "gcs:Client", "gcs", False, GCS),
    ("requests", "requests:Client", "cos", False, URLLIB3),
)


def sdks():
    """The SDKs with a driver."""
    for name, driver, vendor, aws, expected in SDKS:
        factory = f"faultinject.conformance.drivers.python.{driver}"
        yield Subject(name, "SDK", "", factory, expected, vendor=vendor, aws=aws)


def spaced(name):
    """`GivesUpOn429` as `gives up on 429`."""
    return " ".join(re.findall(r"[A-Z][a-z]*|[0-9]+", name)).lower()
