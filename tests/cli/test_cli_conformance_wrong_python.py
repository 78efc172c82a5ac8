"""A client in Python that is wrong on purpose: the command says what is wrong with it."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.live

WRONG = """
import urllib.error
import urllib.request

class Client:
    title = "wrong 1.0"

    def __init__(self, endpoint, bucket):
        self.url = f"{endpoint}/{bucket}"

    def get(self, key):
        self.ask("GET", key)

    def complete(self, key):
        self.ask("POST", f"{key}?uploadId={key}", b"<CompleteMultipartUpload>...</CompleteMultipartUpload>")

    def ask(self, method, path, body=None):
        request = urllib.request.Request(f"{self.url}/{path}", body, method=method)
        for _ in range(5):
            try:
                return urllib.request.urlopen(request).close()
            except OSError as error:
                last = error
        raise last
"""


def test_a_client_that_is_wrong_is_caught(run, tmp_path, monkeypatch):
    """It asks again for what is forbidden, does not wait as it is told, and takes an error in a 200 for success."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong_storage.py").write_text(WRONG, encoding="utf-8")
    phases = [word for name in ("cal", "den", "ra", "okerr") for word in ("--phase", name)]
    code, out, _ = run("conformance", "--client", "wrong_storage:Client", *phases, "--json")
    [client] = json.loads(out)["clients"]
    failed = {each["check"] for each in client["report"]["findings"] if each["verdict"] == "FAIL"}
    assert (code, client["version"], client["failure"]) == (1, "wrong 1.0", None)
    assert failed == {"permanent", "retry-after", "error in 200"}
