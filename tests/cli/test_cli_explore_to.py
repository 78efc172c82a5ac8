"""`faultinject explore --to`: a command explored in front of a foreign server."""

import json
import re
import select
import shlex
import threading

import pytest

from tests.on_loopback import Keeping, on_loopback

from .test_cli_explore import RIGHT
from .test_cli_explore import program as program  # a fixture

pytestmark = pytest.mark.live


class Service:
    """An app that takes and gives objects, and can be told to fail.

    Attributes:
        garbage_after: the requests that it answers; later ones get what is not HTTP. None: all.
        url: its address.
    """

    def __init__(self):
        self.asked, self.objects, self.garbage_after = [], {}, None
        self.a_has_come, self.b_has_come = threading.Event(), threading.Event()

    def __call__(self, environ, start_response):
        method, path, connection = environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["werkzeug.socket"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self.asked.append(f"{method} {path}")
        if self.garbage_after is not None and len(self.asked) > self.garbage_after:
            connection.sendall(b"\0garbage\r\n\r\n")
            raise ConnectionAbortedError
        if path == "/photos/a":
            self.wait_for_b(connection)
        elif path == "/photos/once-a-has-come":
            self.a_has_come.wait(60)
        elif path == "/photos/b":
            self.b_has_come.set()
        found = self.objects.get(path) if method == "GET" else b""
        if method == "PUT":
            self.objects[path] = body
        elif method == "DELETE":
            self.objects.pop(path, None)
        start_response(
            "404 None" if found is None else "200 OK", [("Content-Length", str(len(found or b"")))]
        )
        return [found or b""]

    def wait_for_b(self, connection):
        """Keep the answer to `a` back until `b` has come, as long as the client is there."""
        self.a_has_come.set()
        try:
            while not self.b_has_come.wait(0.05):
                if select.select([connection], [], [], 0)[0]:
                    raise ConnectionAbortedError
        finally:
            self.a_has_come.clear()
            self.b_has_come.clear()


@pytest.fixture
def service():
    """One that runs."""
    found = Service()
    with on_loopback(found, Keeping) as port:
        found.url = f"http://127.0.0.1:{port}"
        yield found


ASKS = RIGHT + "; ask('GET', '/photos/cat')"
SWALLOWED = """
try:
    ask('PUT', '/photos/cat', 1)
except SystemExit:
    pass
ask('GET', '/photos/cat')
"""


def test_what_earlier_runs_wrote(run, program, service, tmp_path):
    """Is there still: a write that is lost does not show, which is said; with --reset it shows."""
    command = program(SWALLOWED)
    asked = ("explore", "--to", service.url, "-r", "reset,method=PUT")
    data = tmp_path / "found.json"
    code, output, _ = run(*asked, "-o", str(data), "--", *command)
    told = "it still holds what earlier runs wrote, so a lost write may not show; --reset prepares each run"
    note = f"left out: emptying the server ({told})"
    noted = note.partition(": ")[2] in json.loads(data.read_text())["left_out"]
    assert (code, note in output.splitlines(), noted) == (0, True, True)
    reset = f"curl -s -X DELETE {service.url}/photos/cat"
    code, output, _ = run(*asked, "--reset", reset, "--", *command)
    assert (code, ", 1 failed\n" in output, note in output) == (1, True, False)
    replay = shlex.split(output.partition("  replay: faultinject ")[2].splitlines()[0])
    assert run(*replay)[0] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "more", [("-r", "reset"), ("--crash", "-r", "reset"), ("--crash",)], ids=["faults", "both", "crash"]
)
def test_a_server_that_goes_wrong(run, program, service, more):
    """Is no failure of the command: it ends, and what was found by then is printed."""
    command = program(ASKS)
    assert run("explore", *more, "--to", service.url, "--", *command)[0] == 0
    service.garbage_after = len(service.asked) - 4
    service.asked.clear()
    code, output, errors = run("explore", *more, "--to", service.url, "--", *command)
    [why] = re.findall("^faultinject: (.*, in 3 runs one after the other)$", errors, re.MULTILINE)
    assert why.startswith(f"the answer of {service.url} is not HTTP: illegal status line: ")
    assert (code, ", 0 failed, " in output) == (2, True)
    assert re.search(rf"\nincomplete: stopped after .*: {re.escape(why)}\n\Z", output)


def test_a_server_that_is_gone(refused, program, service):
    """In the first run already: the command has not failed."""
    service.garbage_after = 0
    errors = refused("explore", "--to", service.url, "-r", "reset", "--", *program(ASKS))
    ends = errors.endswith(", in 3 runs one after the other\n")
    assert (ends, "the command fails" in errors) == (True, False)


def test_a_request_that_cannot_go_on(refused, program, service):
    """A request that cannot be passed on fails the command, and no run is repeated."""
    source = """
import http.client
connection = http.client.HTTPConnection(os.environ["ENDPOINT"].removeprefix("http://"), timeout=60)
connection._http_vsn_str = "HTTP/1.0"
connection.putrequest("GET", "/photos/cat")
connection.putheader("Host", "another")
connection.endheaders()
sys.exit(connection.getresponse().status // 100)
"""
    errors = refused("explore", "--to", service.url, "-r", "reset", "--", *program(source))
    assert "the command fails without faults: exit code 4" in errors


PARALLEL = """
import threading
if os.path.exists("started"):
    os.remove("started")
    ask("GET", "/photos/nothing", 1)
open("started", "w").close()
first = threading.Thread(target=ask, args=("PUT", "/photos/a"))
first.start()
ask("GET", "/photos/once-a-has-come")
ask("PUT", "/photos/b")
first.join()
os.remove("started")
"""


@pytest.mark.slow
def test_requests_under_way_when_the_program_is_killed(run, program, service, tmp_path, monkeypatch):
    """Are of the first run, however late they end."""
    monkeypatch.chdir(tmp_path)
    service.objects["/photos/once-a-has-come"] = b"it has"
    replay = "reset,method=PUT,path=/photos/b,times=1,name=crash"
    code, output, _ = run(
        "explore", "--crash", "--to", service.url, "--reset", "rm -f started", "--replay", replay, "--",
        *program(PARALLEL),
    )  # fmt: skip
    again = " +1 +GetObject +404 GET /photos/nothing\\n"
    first, _, second = output.partition("    killed, and run again:\n")
    assert (code, bool(re.match(again, second))) == (1, True)
    assert ["PUT /photos/a" in first, "PUT /photos/b  <- killed" in first] == [True, True]


@pytest.mark.slow
def test_as_whom_requests_are_read(succeeds, refused, program, service):
    """As the vendor's that is named, or of the server's host."""
    command = program("ask('PUT', '/acc/cont?restype=container')")
    rule = ("-r", "reset,operation=container.create", "--to", service.url)
    output = succeeds("explore", *rule, "--vendor", "azure-blob", "--", *command)
    assert output.startswith("1 request without faults, 1 fault; 1 run in ")
    assert "container.create is no operation of S3" in refused("explore", *rule, "--", *command)


def test_a_standard_set(run, refused, program, service):
    """It has nothing there that only the embedded store can do; who names that is told so."""
    command = program("ask('GET', '/photos/cat')")
    service.objects["/photos/cat"] = b"a film"
    rule = ("--to", service.url, "--reset", "true", "--without", "hang", "-r")
    code, output, errors = run("explore", *rule, "s3,path=/photos/none", "--", *command)
    assert (code, errors, "s3,path=/photos/none was injected in no run" in output) == (3, "", True)
    assert "only the embedded store can do this" in refused("explore", *rule, "overwrite", "--", *command)
