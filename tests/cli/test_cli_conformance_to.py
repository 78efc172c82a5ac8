"""`faultinject conformance --to`: the plan's faults in front of a real service, here moto's, which has what was written."""

from __future__ import annotations

import json
import re
import time

import boto3
import pytest
from jsonschema import Draft202012Validator
from moto.server import ThreadedMotoServer

from faultinject.cli.schemas import SCHEMAS
from tests.cli.test_cli_explore_to import Service
from tests.ports import ReservedPort

pytestmark = pytest.mark.live

CLIENT = """
import socket
import time
import urllib.request

class Reader:
    def __init__(self, endpoint, bucket):
        self.place = f"{endpoint}/{bucket}/"

    def ask(self, method, key, body=None):
        urllib.request.urlopen(urllib.request.Request(self.place + key, body, method=method)).close()

    def get(self, key):
        self.ask("GET", key)

class Client(Reader):
    def put(self, key):
        self.ask("PUT", key, b"meow")

class Again(Reader):
    def get(self, key):
        try:
            self.ask("GET", key)
        except OSError:
            self.ask("GET", key)

class Writer(Reader):
    def get(self, key):
        for _ in range(3):
            try:
                return self.ask("GET", key)
            except OSError as error:
                said = error
        raise said

    def put(self, key):
        self.ask("PUT", key, b"meow")

class Persists(Reader):
    def put(self, key):
        try:
            self.ask("PUT", key, b"meow")
        except OSError:
            self.ask("PUT", key, b"meow")

class Promises(Reader):
    def put(self, key):
        try:
            self.ask("PUT", key, b"meow")
        except OSError:
            host, _, bucket = self.place.partition("://")[2].partition("/")
            with socket.create_connection(host.split(":")) as connection:
                head = f"PUT /{bucket}{key} HTTP/1.1\\r\\nHost: h\\r\\nContent-Length: 300\\r\\n\\r\\n"
                connection.sendall(head.encode())
                connection.recv(100)

class Slow(Reader):
    def put(self, key):
        time.sleep(60)
"""


@pytest.fixture(scope="module")
def service():
    """Its URL; one bucket, `measured`, is there: moto's servers in one process hold the same, and others have `photos`."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    s3_at(url).create_bucket(Bucket="measured")
    yield url
    server.stop()


@pytest.fixture(autouse=True)
def clients(tmp_path, monkeypatch):
    """Clients of the user's own in the current directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_client.py").write_text(CLIENT)


def s3_at(url):
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="id", aws_secret_access_key="key"
    )


@pytest.mark.slow
def test_a_client_is_judged_against_a_service(run, service, tmp_path):
    """It gets the plan's faults and else the service's answers; what is said to be left there is there, and no more."""
    phases = [word for name in ("cal", "thr", "one", "rst", "lost", "okerr") for word in ("--phase", name)]
    code, out, err = run(
        "conformance", "--client", "boto3", "--to", service, "--bucket", "measured", "--json", "--journal", "kept", *phases
    )  # fmt: skip
    assert code in (0, 3), err
    found = json.loads(out)
    assert [
        each.message for each in Draft202012Validator(SCHEMAS["conformance"][1]()).iter_errors(found)
    ] == []
    left = found["to"].pop("left")
    assert found["to"] == {"url": service, "bucket": "measured", "rewrite_host": False}
    s3 = s3_at(service)
    objects = [each["Key"] for each in s3.list_objects_v2(Bucket="measured")["Contents"]]
    uploads = {each["Key"] for each in s3.list_multipart_uploads(Bucket="measured")["Uploads"]}
    assert {*objects, *uploads} == {*left}
    ranges = "cal-001 to cal-025, lost-001 to lost-008, one-001 to one-010, rst-001 to rst-006"
    assert f"left in the bucket measured of {service}: {ranges}\n" in err
    [client] = found["clients"]
    assert client["failure"] is None
    assert client["numbers"]["resets"] == {"calls": 6, "retried": 6}
    lines = [json.loads(each) for each in (tmp_path / "kept" / "boto3.jsonl").read_text().splitlines()]
    asked = [each for each in lines if each["path"]]
    # What was written before the plan is no part of it, and no call is made that ends an upload of an id of ours.
    assert (asked[0]["method"], asked[0]["path"]) == ("GET", "/measured/cal-001")
    assert not any("okerr" in each["path"] for each in asked)
    passed = [each for each in asked if each["did"] == "passed"]
    assert {each["status"] for each in passed} == {200}


def test_over_tls_and_with_its_own_host(run, service):
    """The client trusts the proxy; the service gets the Host that it has itself."""
    code, out, err = run(
        "conformance", "--client", "boto3", "--to", service, "--bucket", "measured", "--json", "--tls", "--rewrite-host",
        "--phase", "rst",
    )  # fmt: skip
    assert code in (0, 3), err
    found = json.loads(out)
    assert found["to"]["rewrite_host"] is True
    assert found["clients"][0]["numbers"]["resets"] == {"calls": 6, "retried": 6}


def test_nothing_is_left_where_nothing_is_written(run, service):
    """Neither is it said."""
    to = ("--to", service, "--bucket", "measured", "--phase", "den", "--json")
    code, out, err = run("conformance", "--client", "own_client:Reader", "--vendor", "rgw", *to)
    assert code in (0, 3), err
    assert json.loads(out)["to"]["left"] == []
    assert "left in" not in err


@pytest.mark.parametrize(
    ("client", "more", "says"),
    [
        ("own_client:Client", ("--bucket", "none"), "the client could not write rst-001 to the bucket none of {}: HTTPError: HTTP Error 404"),
        ("own_client:Client", ("--bucket", "none"), "; the bucket has to be there, and the client allowed to read and write its objects\n"),
        ("own_client:Slow", ("--bucket", "measured", "--deadline", "1s"), "of {}: it has not ended in time; the bucket has to be there"),
        ("own_client:Reader", ("--bucket", "measured"), "it has to write rst-001 and others itself, and makes no put call\n"),
        ("own_client:Client", ("--bucket", "measured", "--vendor", "coss"), "'coss' is not a vendor"),
    ],
)  # fmt: skip
def test_what_the_service_has_to_have(run, service, client, more, says):
    """It is said in a sentence, with exit code 2."""
    code, out, err = run("conformance", "--client", client, "--to", service, "--phase", "rst", *more)
    assert (code, out) == (2, "")
    assert says.format(service) in err


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--to", "{}", "--bucket", "measured", "--phase", "okerr"), "--phase okerr: boto3 makes no call of it: with --to no call ends an upload, whose id is the server's own"),
        (("--phase", "rax"), "--phase rax: boto3 makes no call of it: s3 has no such fault"),
        (("--to", "{}", "--bucket", "measured", "--phase", "rax", "--phase", "rad"), "--phase rax, rad: boto3 makes no call of it: s3 has no such fault"),
    ],
)  # fmt: skip
def test_phases_without_a_call(run, service, more, why):
    """Nothing would be measured: a sentence says why, and no client is started."""
    code, out, err = run("conformance", "--client", "boto3", *(each.format(service) for each in more))
    assert (code, out, err) == (2, "", f"faultinject: {why}; name another phase as well\n")


def test_one_client_without_a_call(run):
    """The others are measured, and it is told which is not."""
    clients = ("--client", "boto3", "--client", "own_client:Again", "--vendor", "gcs", "--phase", "t429", "--json")  # fmt: skip
    code, out, err = run("conformance", *clients)
    assert code == 3, err
    assert "faultinject: --phase t429: boto3 makes no call of it: s3 has no such fault\n" in err
    numbers = {each["client"]: each["numbers"]["retried"] for each in json.loads(out)["clients"]}
    [answered] = numbers.pop("own_client:Again")
    assert (answered["calls"], answered["retried"]) == (4, 4)
    assert numbers == {"boto3": []}


def test_a_service_that_is_not_there(run):
    """Nobody is started for it."""
    with ReservedPort() as port:
        url = f"http://127.0.0.1:{port}"
        code, out, err = run(
            "conformance", "--client", "own_client:Client", "--to", url, "--bucket", "measured"
        )
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("faultinject: --to: ")
    assert url.rpartition("/")[2] in err


def test_production_is_refused(run):
    """As for every command that injects faults."""
    to = ("--to", "http://127.0.0.1:9", "--bucket", "measured")
    code, _, err = run("conformance", "--client", "own_client:Client", *to, env={"APP_ENV": "production"})
    assert code == 2
    assert "production" in err


@pytest.fixture
def own():
    """A service that can be told to fail; gives it, and the words that point a client at it."""
    found = Service()
    yield found, ("--to", found.url, "--bucket", "b", "--vendor", "s3", "--client", "own_client:Writer")
    found.ends.set()
    found.shutdown()
    found.server_close()


CALIBRATION = "may be left in the bucket b of {}: cal-001 to cal-025\n"


def test_a_service_that_breaks_its_answers(run, own):
    """Is not the client's failure: nothing is judged, and what may be left is named."""
    service, to = own
    service.garbage_after = 30
    code, out, err = run("conformance", *to, "--phase", "cal")
    assert (code, out) == (2, "")
    assert f"what {service.url} says is no answer: illegal status line: " in err
    assert "so it is not judged\n" in err
    assert CALIBRATION.format(service.url) in err


@pytest.mark.slow
def test_a_service_that_owes_answers(run, own):
    """The client waits for it, and has not fallen silent."""
    service, to = own
    service.silent_after = 40
    code, out, err = run("conformance", *to, "--phase", "cal", "--deadline", "12s")
    assert (code, out) == (2, "")
    assert f"{service.url} has not answered 1 request by the end, for which the client waits" in err
    assert CALIBRATION.format(service.url) in err


@pytest.mark.slow
@pytest.mark.parametrize(("ends", "judged"), [(3, True), (4, False)])
def test_a_service_that_ends_connections(run, own, ends, judged):
    """It may do so with some, as with those that are idle; of more the client's retries are no answer to a fault."""
    service, to = own
    service.ends_at = range(30, 30 + 2 * ends, 2)
    code, out, err = run("conformance", *to, "--phase", "cal")
    assert (code != 2, bool(out)) == (judged, judged)
    assert ("ended the connection without an answer; what the client did about that" in err) is not judged


@pytest.mark.slow
def test_a_client_that_does_not_send_its_body(run, own):
    """Has fallen silent: the service owes it nothing."""
    _, to = own
    to = [each.replace("Writer", "Promises") for each in to]
    code, out, _ = run("conformance", *to, "--phase", "one", "--deadline", "12s")
    assert code == 1
    assert "it stopped answering: no answer for " in out


@pytest.mark.slow
def test_what_a_service_owes_may_be_written(run, own):
    """The keys of calls that go on are named too; the second client of two that cannot be judged is no failure of the first."""
    service, to = own
    to = [*(each.replace("Writer", "Persists") for each in to), "--phase", "one", "--deadline", "12s"]
    service.silent_after = 0
    code, out, err = run("conformance", *to)
    assert (code, out) == (2, "")
    assert "has not answered 10 requests by the end, for which the client waits" in err
    assert "one-001 to one-010\n" in err
    service.ends.set()
    service.silent_after = len(service.asked) + 10
    service.ends.clear()
    code, out, err = run("conformance", *to, "--client", "own_client:Persists")
    assert (code, bool(out)) == (2, True)
    assert "for which the client waits" in err


@pytest.mark.slow
def test_errors_of_the_service(run, own):
    """Clients try them again as they do faults: that is said."""
    service, to = own
    service.fails_after = 45
    code, _, err = run("conformance", *to, "--phase", "cal")
    assert code in (0, 1, 3)
    found = re.search(rf"{service.url} answered (\d+) requests with errors of its own \(503\)", err)
    assert int(found[1]) == len(service.asked) - 45


def test_only_what_was_written_is_left(run, own):
    """Not what the plan would have had other clients write."""
    _, to = own
    _, out, err = run("conformance", *to, "--phase", "lost", "--json")
    assert json.loads(out)["to"]["left"] == [f"lost-{n:03}" for n in range(1, 5)]
    assert err.endswith(": lost-001 to lost-004\n")
    _, out, err = run("conformance", *to, "--phase", "thr", "--json")
    assert json.loads(out)["to"]["left"] == []
    assert "may be left" not in err


def test_an_interrupted_one(start, own):
    """What may be left is named all the same."""
    service, to = own
    service.silent_after = 40
    process = start("conformance", *to, "--phase", "cal")
    end = time.monotonic() + 60
    while len(service.asked) <= 40:
        assert time.monotonic() < end
        time.sleep(0.05)
    code, lines = process.interrupt()
    assert code == 130
    assert CALIBRATION.format(service.url).strip() in lines
    assert lines[-1] == "faultinject: interrupted before anything was measured"
