"""rclone and restic, in Go, read the rows that they can reach, but for known gaps."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from faultinject import Rule
from tests.pairs import fewest, in_turn

from .told import BUCKET, EVERYTHING, S3_LIKE, Told, page_hides, rows_of, s3_rows, sent, use_all, wrong

pytestmark = pytest.mark.slow


def run(home, *words, **variables):
    """Run a program without the user's settings, and return its standard error."""
    done = subprocess.run(
        words,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in (1, 4)  # rclone has a code of its own for what is not found
    return done.stderr


# rclone, which is AWS's SDK for Go

RCLONE = Path(sys.executable).with_name("rclone")
"""The rclone of PyPI; Debian's has an older SDK with other errors."""

NO_AMZ_HEADER = ("r2", "gcs-xml")
"""Their ids are in other headers than the one that it reads, and not in the body."""


def rclone(server, home, *words):
    """rclone's words on each object, by the object's name."""
    if not RCLONE.exists():
        pytest.skip("rclone is not installed: it is of the extra conformance-native")
    once = ("--retries=1", "--low-level-retries=1", "--transfers=16", "--no-traverse", "--use-json-log")
    text = run(
        home,
        str(RCLONE),
        "copy",
        *once,
        f"--files-from={home}/keys",
        *words,
        RCLONE_CONFIG="",
        RCLONE_S3_PROVIDER="Other",
        RCLONE_S3_ENDPOINT=server.url,
        RCLONE_S3_ACCESS_KEY_ID="id",
        RCLONE_S3_SECRET_ACCESS_KEY="key",
    )
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return {line["object"]: line["msg"] for line in lines if "object" in line}


def own_words(row):
    """rclone's own words on an object that it cannot read."""
    if row.code == "InvalidObjectState":
        return "GLACIER"
    return "object not found" if row.status in (404, 405) else ""


def by_rclone(text):
    """A line for code and message, and one for status and ids."""
    found = re.fullmatch(
        r"Failed to copy: .*?https response error StatusCode: (\d+), RequestID: (\S*), HostID: "
        r".*?, (?:api error )?(.*?): (.*)",
        text,
        re.DOTALL,
    )
    if not found:
        return Told()
    message = "" if found[4] == "UnknownError" else found[4]  # its words for an empty one
    return Told(int(found[1]), found[3], message, found[2] or None)


RCLONE_DOES = in_turn(S3_LIKE, ["write", "read"])


@pytest.mark.parametrize("vendor", [vendor for vendor, does in RCLONE_DOES if does == "write"])
def test_rclone_writes(vendor, server, tmp_path):
    """Every row, in one process; of a page, which is no XML, it says the status alone."""
    rows = s3_rows(vendor)
    prepare(tmp_path, rows)
    use_all(server, rows)
    options = ("--no-check-dest", "--s3-no-head", "--s3-no-check-bucket")
    said = rclone(server, tmp_path, *options, str(tmp_path / "files"), f":s3:{BUCKET}")
    told = {key: by_rclone(said.get(key, "")).without(*page_hides(row)) for key, row in rows.items()}
    hidden = hidden_ids(vendor)
    assert wrong(told, sent(server, rows), rows, lambda row: (*page_hides(row), *hidden)) == []


@pytest.mark.parametrize("vendor", [vendor for vendor, does in RCLONE_DOES if does == "read"])
def test_rclone_reads(vendor, server, tmp_path):
    """rclone reads every row, except MinIO's waits of a minute.

    Of a missing or archived object it has words of its own.
    """
    rows = {
        key: row for key, row in s3_rows(vendor).items() if vendor != "minio" or row.status not in (429, 503)
    }
    prepare(tmp_path, rows)
    use_all(server, rows)
    said = rclone(server, tmp_path, "--s3-no-head-object", f":s3:{BUCKET}", str(tmp_path / "read"))
    told = {key: by_rclone(said.get(key, "")).without(*page_hides(row)) for key, row in rows.items()}

    def hides(row):
        return EVERYTHING if own_words(row) else (*page_hides(row), *hidden_ids(vendor))

    assert wrong(told, sent(server, rows), rows, hides) == []
    assert all(own_words(row) in said[key] for key, row in rows.items())


def prepare(folder, rows):
    """A file for each row, and a list of them."""
    (folder / "files").mkdir()
    for key in rows:
        (folder / "files" / key).write_text(key)
    (folder / "keys").write_text("\n".join(rows))


def hidden_ids(vendor):
    return ("request_id",) if vendor in NO_AMZ_HEADER else ()


# restic, which is minio-go

RESTIC_ON_HEAD = {
    403: "Access Denied.",
    404: "The specified key does not exist.",
    409: "Bucket not empty.",
    412: "At least one of the pre-conditions you specified did not hold",
}
"""Its own words for an answer without a body; of others it tells the status line."""


def restic(server, home, key, *words):
    """restic's last words."""
    if not shutil.which("restic"):
        pytest.skip("restic is not installed")
    text = run(
        home,
        "restic",
        "--no-cache",
        "-r",
        f"s3:{server.url}/{BUCKET}/{key}",
        *words,
        RESTIC_PASSWORD="password",
        AWS_ACCESS_KEY_ID="id",
        AWS_SECRET_ACCESS_KEY="key",
        AWS_DEFAULT_REGION="us-east-1",
    )
    return re.sub(r"^Fatal: .*?(client\.PutObject|Stat): ", "", text.strip().partition("\n")[0])


def denied(vendor):
    """A vendor's first row with 403."""
    return next(row for row in s3_rows(vendor).values() if row.status == 403)


@pytest.mark.parametrize("vendor", fewest(S3_LIKE, lambda vendor: [denied(vendor).form]))
def test_restic_writes(vendor, server, tmp_path):
    """restic reports the message of a row of each form, or its own.

    A call makes a key for a second or two, so only one row of each.
    """
    row = denied(vendor)
    server.injector.use(
        [
            Rule("s3:NoSuchKey", method="HEAD", path="**/config"),
            Rule(row.address, method="PUT", path="**/keys/*"),
        ]
    )
    server.injector.journal.clear()
    assert restic(server, tmp_path, "row", "init") == (row.message or RESTIC_ON_HEAD[403])
    assert server.outcomes[-1].method == "PUT"


def test_restic_reads(server, tmp_path):
    """restic asks for a head first, and knows its status: a row for each status never retried."""
    rows = {row.status: (key, row) for key, row in rows_of("s3").items() if row.status and row.status < 500}
    use_all(server, dict(rows.values()), lambda key: {"path": f"**/{key}/config"})
    said = {status: restic(server, tmp_path, key, "cat", "config") for status, (key, _) in rows.items()}
    assert {
        status: text.partition(" ")[0] if text[0].isdigit() else text for status, text in said.items()
    } == {status: RESTIC_ON_HEAD.get(status, str(status)) for status in rows}
