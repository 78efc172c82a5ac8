"""Changes since the facts were read: new SDKs, retry tables, error tables and cited code.

`python tests/vendors/aging.py` installs the newest of each SDK into an environment of its own, and compares;
`--write` notes what is there now in `aging.json`, once the rows that rest on it have been looked at. It needs a
package index, and takes some minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

KNOWN = Path(__file__).with_name("aging.json")
_BOTOCORE = """
import botocore.session, re
from botocore.retries import standard
"""
_SOURCE = """
import hashlib, inspect
def digest(thing): return hashlib.sha256(inspect.getsource(thing).encode()).hexdigest()[:16]
"""
FACTS: dict[str, tuple[str, str, str]] = {
    # What is read: the package, the vendor, and a program that leaves it in `found`.
    "codes and statuses that botocore retries": ("botocore", "s3", f"""{_BOTOCORE}
transient = standard.TransientRetryableChecker
throttled = standard.ThrottledRetryableChecker
found = [sorted(transient._TRANSIENT_ERROR_CODES), sorted(transient._TRANSIENT_STATUS_CODES), sorted(throttled._THROTTLED_ERROR_CODES)]
"""),
    "S3's table of errors in botocore's model": ("botocore", "s3", f"""{_BOTOCORE}
model = botocore.session.get_session().get_service_model("s3")
text = model.shape_for("Error").members["Code"].documentation
found = sorted(set(re.findall(r"<i>Code:</i> *([A-Za-z.]+)", text)))
"""),
    "what botocore says of errors in a 200": ("botocore", "s3", f"""{_BOTOCORE}
model = botocore.session.get_session().get_service_model("s3")
plain = lambda name: re.sub("<[^>]+>", "", model.operation_model(name).documentation)
found = {{
    name: sorted(re.findall(r"[^.]*(?:chunk encoded|white space|200 OK)[^.]*", plain(name)))
    for name in ("CopyObject", "UploadPartCopy", "CompleteMultipartUpload")
}}
"""),
    "codes and statuses that OSS's second SDK retries": ("alibabacloud-oss-v2", "oss", """
from alibabacloud_oss_v2.retry import error_retryable as retry
found = [sorted(retry.ServiceErrorCodeRetryable()._error_codes), sorted(retry.HTTPStatusCodeRetryable()._status_code)]
"""),
    "what Baidu's SDK retries, and how it reads a copy": ("bce-python-sdk", "bos", f"""{_SOURCE}
from baidubce.exception import BceServerError
from baidubce.retry.retry_policy import BackOffRetryPolicy
from baidubce.services.bos import bos_handler
found = [str(BceServerError.REQUEST_EXPIRED), digest(BackOffRetryPolicy.should_retry), digest(bos_handler.parse_copy_object_response)]
"""),
    "how Tencent's SDK ends copies and uploads": ("cos-python-sdk-v5", "cos", f"""{_SOURCE}
from qcloud_cos import CosS3Client
found = [digest(getattr(CosS3Client, name)) for name in ("copy_object", "upload_part_copy", "complete_multipart_upload")]
"""),
    "how Huawei's SDK copies": ("esdk-obs-python", "obs", f"""{_SOURCE}
from obs import ObsClient
found = [digest(getattr(ObsClient, name)) for name in ("copyObject", "copyPart")]
"""),
    "how Volcengine's SDK reads copies": ("tos", "tos", f"""{_SOURCE}
from tos import models2
found = [digest(getattr(models2, name)) for name in ("CopyObjectOutput", "UploadPartCopyOutput", "FetchObjectOutput")]
"""),
    "what Backblaze's SDK makes of errors": ("b2sdk", "b2", f"""{_SOURCE}
from b2sdk._internal.exception import interpret_b2_error
found = digest(interpret_b2_error)
"""),
    "what MinIO's SDK retries": ("minio", "minio", """
from minio import Minio
retries = Minio("localhost", access_key="id", secret_key="key")._http.connection_pool_kw["retries"]
found = [retries.total, sorted(retries.status_forcelist)]
"""),
    "statuses that Google's SDK retries": ("google-cloud-storage", "gcs", """
from google.cloud.storage import retry
found = sorted(each.__name__ for each in retry._RETRYABLE_TYPES)
"""),
    "what Qiniu's SDK retries": ("qiniu", "kodo", f"""{_SOURCE}
from qiniu.http.response import ResponseInfo
found = digest(ResponseInfo.need_retry)
"""),
    "what Swift's client retries": ("python-swiftclient", "swift", f"""{_SOURCE}
from swiftclient.client import Connection
found = digest(Connection._retry)
"""),
    "what QingStor's SDK retries": ("qingstor-sdk", "qingstor", f"""{_SOURCE}
from qingstor.sdk.service.qingstor import QingStor
found = digest(QingStor)
"""),
}  # fmt: skip


def read(python: str, fact: str) -> dict[str, object]:
    """The installed version and its fact, or an error if the fact cannot be read."""
    package, _, program = FACTS[fact]
    tail = f"""
import importlib.metadata, json
print(json.dumps({{"version": importlib.metadata.version({package!r}), "found": found}}))
"""
    command = [python, "-W", "ignore", "-c", program + tail]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"version": None, "found": done.stderr.strip().rpartition("\n")[2]}
    told: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return told


def moved(known: dict[str, dict[str, object]], now: dict[str, dict[str, object]]) -> list[str]:
    """A line for each fact that is another one now."""
    lines = []
    for fact, told in now.items():
        before = known.get(fact, {})
        if before.get("found") == told["found"]:
            continue
        package, vendor, _ = FACTS[fact]
        versions = f"{package} {before.get('version')} -> {told['version']}"
        lines.append(f"{vendor}: {fact} ({versions})\n  was {before.get('found')}\n  is  {told['found']}")
    return lines


def main() -> int:
    """Install, read, compare and say."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", action="store_true", help="note what is there now")
    given = options.parse_args()
    known = json.loads(KNOWN.read_text(encoding="utf-8")) if KNOWN.exists() else {}
    now = {}
    with tempfile.TemporaryDirectory() as folder:
        for package in dict.fromkeys(package for package, _, _ in FACTS.values()):
            # Each in an environment of its own: some pin what others need newer.
            place = Path(folder, package)
            venv.create(place, with_pip=True)
            python = str(place / "bin" / "python")
            subprocess.run(
                [python, "-m", "pip", "install", "-q", package], check=True, stderr=subprocess.DEVNULL
            )
            now |= {fact: read(python, fact) for fact, (name, _, _) in FACTS.items() if name == package}
    for fact, told in now.items():
        if told["version"] != known.get(fact, {}).get("version"):
            print(
                f"read anew: {FACTS[fact][0]} {known.get(fact, {}).get('version')} -> {told['version']}: {fact}"
            )
    lines = moved(known, now)
    print("\n".join(lines) or "nothing has moved")
    if given.write:
        KNOWN.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
