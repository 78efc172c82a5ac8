"""A client in Python that is wrong on purpose: the command says what is wrong with it."""

import json

import pytest

pytestmark = pytest.mark.live

LOCK = """
import urllib.error
import urllib.request

class Client:
    title = "lock 1.0"

    def __init__(self, endpoint, bucket):
        self.url = f"{endpoint}/{bucket}"

    def get(self, key):
        return self.ask("GET", key)

    def put(self, key, body=b"me"):
        try:
            self.ask("PUT", key, body, {"If-None-Match": "*"})
        except urllib.error.HTTPError as error:
            if error.code != 412 or not (RIGHT and self.get(key) == body):
                raise

    def post(self, key):
        self.put(key)

    def ask(self, method, path, body=None, headers={}):
        request = urllib.request.Request(f"{self.url}/{path}", body, headers, method=method)
        for _ in range(3):
            try:
                with urllib.request.urlopen(request) as answer:
                    return answer.read()
            except urllib.error.HTTPError:
                raise
            except OSError as error:
                last = error
        raise last
"""


@pytest.mark.parametrize(
    ("right", "verdict"), [(False, "FAIL"), pytest.param(True, "PASS", marks=pytest.mark.slow)]
)
def test_a_client_that_takes_its_own_write_for_a_conflict(right, verdict, run, tmp_path, monkeypatch):
    """The driver says what the caller heard, so a client that read the object is right."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"lock_{verdict}.py").write_text(LOCK.replace("RIGHT", str(right)), encoding="utf-8")
    _, out, _ = run("conformance", "--client", f"lock_{verdict}:Client", "--phase", "lost", "--json")
    [client] = json.loads(out)["clients"]
    [found] = [each for each in client["report"]["findings"] if each["check"] == "lost answer"]
    assert (found["verdict"], found["subject"]) == (verdict, None if right else "false conflict")
    assert found["n"] == 8
