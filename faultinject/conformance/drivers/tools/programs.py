"""Programs as clients: each call is a process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore
from urllib.parse import urlsplit

from faultinject.conformance import plan
from faultinject.conformance.drivers.python.path_style import DOCUMENT, PathStyle
from faultinject.conformance.homes import search_path

TAIL = 2000
"""Bytes that are kept of a program's output."""
USERS_OWN = (
    "aws",
    "rclone_",
    "restic_",
    "wgetrc",
    "curl_",
    "netrc",
    "xdg_",
    "http_proxy",
    "https_proxy",
    "all_proxy",
)
"""The prefixes, in lower case, of variables for the user's own storage, which are removed."""
TRUST = "CURL_CA_BUNDLE"
"""The variable with curl's certificates; with AWS_CA_BUNDLE rclone does not start."""
CLOCK = "FAKETIME"
"""The variable of libfaketime, such as `+0 x20` for clocks that run 20 times as fast.

It also speeds up this process's clock, by which a start then takes that many times as long.
"""
LATEST = 10
"""The longest wait for a start, in durations of a start on an idle machine."""

starting = BoundedSemaphore(os.cpu_count() or 1)
"""Limits the programs that start at the same time, which would make the machine busy."""


class Failed(Exception):
    """A program that ended with an error; the text is the end of its output."""


class ProgramClient:
    """A program, with a home of its own for all its processes.

    Args:
        start: processor seconds of the program until its first request.
        variables: added to its environment, which is the user's without the variables for storage.

    Attributes:
        home: the folder.
        body: a file in it, to be uploaded.
    """

    def __init__(self, start: float = 0.0, **variables: str) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="faultinject-"))
        self.body = self.home / "body"
        self.body.write_bytes(plan.BODY)
        names_kept = (TRUST, *os.environ.get("CONFORMANCE_SETTINGS", "").split())
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name in names_kept or not name.lower().startswith(USERS_OWN)
        }
        self._environment = inherited | {"PATH": search_path(), "HOME": str(self.home)} | variables
        self._start = start * float(os.environ.get(CLOCK, "").partition("x")[2] or 1)
        self._running: set[subprocess.Popen[bytes]] = set()

    def run(self, *words: str) -> None:
        """Run it once.

        Raises:
            Failed: it has ended with another exit code than 0.
        """
        if self._start:
            with starting:
                process = self._begin(words)
                self._await_start(process)
        else:
            process = self._begin(words)
        assert process.stdout is not None
        tail = b""
        with process.stdout as output:
            while chunk := output.read(TAIL):
                tail = (tail + chunk)[-TAIL:]
        code = process.wait()
        self._running.discard(process)
        if code:
            text = tail.decode(errors="replace").strip()
            raise Failed(f"exit code {code}: {text}")

    def _await_start(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the program has begun its request, or is asleep.

        On a busy machine the start takes longer, but a program that starts is never asleep.
        """
        with suppress(subprocess.TimeoutExpired):
            process.wait(self._start)
        end = time.monotonic() + LATEST * self._start
        while _runs(process.pid) and time.monotonic() < end:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)

    def close(self) -> None:
        """End its running processes, and remove its home."""
        for process in [*self._running]:
            process.kill()
            process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def _begin(self, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - the program that is measured
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            cwd=self.home,
        )
        self._running.add(process)
        return process


def _runs(process: int) -> bool:
    """Whether a process works, or waits for a processor or a disk; false where nothing says so."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] in "RD"
    except OSError:
        return False


AWS_SETTINGS = {
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "key",
    "AWS_DEFAULT_REGION": "us-east-1",
}


class AwsCli(ProgramClient):
    """AWS's command line, `aws s3api`, path style.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        super().__init__(1.0, **AWS_SETTINGS, AWS_PAGER="")
        self._where = ("--endpoint-url", endpoint, "--bucket", bucket)

    def get(self, key: str) -> None:
        """GetObject."""
        self._call("get-object", key, os.devnull)

    def put(self, key: str) -> None:
        """PutObject."""
        self._call("put-object", key, "--body", str(self.body))

    def post(self, key: str) -> None:
        """CreateMultipartUpload."""
        self._call("create-multipart-upload", key)

    def complete(self, key: str) -> None:
        """CompleteMultipartUpload."""
        parts = json.dumps({"Parts": [{"ETag": plan.ETAG, "PartNumber": 1}]})
        self._call("complete-multipart-upload", key, "--upload-id", key, "--multipart-upload", parts)

    def _call(self, operation: str, key: str, *more: str) -> None:
        self.run("aws", "s3api", operation, *self._where, "--key", key, *more)


class S3cmd(ProgramClient):
    """s3cmd, path style.

    It asks for the bucket's location before each call, and for an object's head before it reads it.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        host = urlsplit(endpoint).netloc
        super().__init__(0.3)
        own = ("--config", os.devnull, "--access_key=id", "--secret_key=key", "--no-progress", "--quiet")
        tls = (
            ("--ssl", f"--ca-certs={os.environ['SSL_CERT_FILE']}")
            if endpoint.startswith("https")
            else ("--no-ssl",)
        )
        self._words = ("s3cmd", *own, *tls, f"--host={host}", f"--host-bucket={host}")
        self._url = f"s3://{bucket}"

    def get(self, key: str) -> None:
        """Read an object."""
        self.run(*self._words, "get", f"{self._url}/{key}", str(self.home / key))

    def put(self, key: str) -> None:
        """Write one."""
        self.run(*self._words, "put", str(self.body), f"{self._url}/{key}")


class Rclone(ProgramClient):
    """rclone's backend for S3, path style.

    It asks for an object's head before it reads it, and before and after it writes it.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        super().__init__(
            0.2,
            RCLONE_CONFIG="",
            RCLONE_S3_PROVIDER="Other",
            RCLONE_S3_ENDPOINT=endpoint,
            RCLONE_S3_ACCESS_KEY_ID="id",
            RCLONE_S3_SECRET_ACCESS_KEY="key",  # noqa: S106 - nobody checks signatures here
        )
        self._url = f":s3:{bucket}"

    def get(self, key: str) -> None:
        """Read an object."""
        # Given a path, rclone takes an object whose HEAD was refused for an empty folder, and reports no
        # error.
        wanted = self.home / key
        wanted.write_text(key)
        self.run("rclone", "cat", "--files-from", str(wanted), self._url)

    def put(self, key: str) -> None:
        """Write one."""
        self.run("rclone", "copyto", str(self.body), f"{self._url}/{key}")


class Restic(ProgramClient):
    """restic's backend for S3, path style: minio-go inside retries of restic's own.

    A call makes a repository, whose path is the key: a look for an earlier one and two uploads.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        super().__init__(1.0, **AWS_SETTINGS, RESTIC_PASSWORD="password")  # noqa: S106 - nobody reads the repository
        self._url = f"s3:{endpoint}/{bucket}"

    def put(self, key: str) -> None:
        """Make a repository."""
        self.run("restic", "--no-cache", "-r", f"{self._url}/{key}", "init")


class PlainHttp(PathStyle, ProgramClient):
    """A program for plain HTTP, path style, with the retry option that most scripts use.

    Args:
        endpoint: the server's URL.
        bucket: the bucket of its keys.
        words: the beginning of the command.
        sending: the option for the method, the one for a file with the body, and the prefix of the file's name.
    """

    def __init__(
        self, endpoint: str, bucket: str, words: tuple[str, ...], sending: tuple[str, str, str]
    ) -> None:
        PathStyle.__init__(self, f"{endpoint}/{bucket}", self._request)
        ProgramClient.__init__(self)
        self._words = words
        self._sending = sending
        document = self.home / "document"
        document.write_bytes(DOCUMENT)
        self._files = {None: os.devnull, plan.BODY: str(self.body), DOCUMENT: str(document)}

    def _request(self, method: str, url: str, body: bytes | None) -> None:
        by, file, before = self._sending
        sent = () if method == "GET" else (by, method, file, before + self._files[body])
        self.run(*self._words, *sent, url)


curl = partial(
    PlainHttp,
    words=("curl", "--silent", "--show-error", "--fail", "--retry", "3", "--output", os.devnull),
    sending=("--request", "--data-binary", "@"),
)
"""curl --retry 3."""


def wget(endpoint: str, bucket: str) -> PlainHttp:
    """`wget --tries 4`; its certificates are an option, as it reads no variable for them."""
    words = ("wget", "--no-verbose", "--tries", "4", "--output-document", os.devnull)
    tls = (f"--ca-certificate={os.environ['SSL_CERT_FILE']}",) if endpoint.startswith("https") else ()
    return PlainHttp(endpoint, bucket, (*words, *tls), ("--method", "--body-file", ""))
