"""`faultinject explore --to`: a command explored in front of a foreign server."""

import json
import shlex
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from .test_cli_explore import RIGHT
from .test_cli_explore import program as program  # a fixture

pytestmark = pytest.mark.live


class Handler(BaseHTTPRequestHandler):
    """Takes and gives objects."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self):
        server = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server.asked.append(f"{self.command} {self.path}")
        if server.garbage_after is not None and len(server.asked) > server.garbage_after:
            self.wfile.write(b"\0garbage\r\n\r\n")
            self.close_connection = True
            return
        if self.path == "/photos/a" and not server.holds_a(self.connection):
            self.close_connection = True
            return
        if self.path == "/photos/once-a-has-come":
            server.a_has_come.wait(60)
        if self.path == "/photos/b":
            server.b_has_come.set()
        status, found = 200, b""
        if self.command == "PUT":
            server.objects[self.path] = body
        elif self.command == "DELETE":
            server.objects.pop(self.path, None)
        elif self.path in server.objects:
            found = server.objects[self.path]
        else:
            status = 404
        self.send_response(status)
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    do_GET = do_PUT = do_DELETE = _answer

    def log_message(self, *_):
        """Nothing."""


class Service(ThreadingHTTPServer):
    """A server that can be told to fail."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.objects = [], {}
        self.garbage_after = None
        self.a_has_come, self.b_has_come = threading.Event(), threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def holds_a(self, connection):
        """Keep the answer to `a` back until `b` has come; whether the client is there still."""
        self.a_has_come.set()
        connection.settimeout(0.05)
        try:
            while not self.b_has_come.is_set():
                try:
                    if not connection.recv(1):
                        return False
                except TimeoutError:
                    continue
            return True
        finally:
            connection.settimeout(None)
            self.a_has_come.clear()
            self.b_has_come.clear()

    def handle_error(self, request, client_address):
        """A client that leaves is none."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@pytest.fixture
def service():
    """One that runs."""
    found = Service()
    yield found
    found.shutdown()
    found.server_close()


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
    note = (
        "left out: emptying the server"
        " (it still holds what earlier runs wrote, so a lost write may not show; --reset prepares each run)"
    )
    assert (code, note in output.splitlines()) == (0, True)
    assert note.partition(": ")[2] in json.loads(data.read_text())["left_out"]
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
    says = [each for each in errors.splitlines() if each.endswith(", in 3 runs one after the other")]
    assert (code, len(says)) == (2, 1)
    why = says[0].removeprefix("faultinject: ")
    assert why.startswith(f"the answer of {service.url} is not HTTP: illegal status line: ")
    assert ", 0 failed, " in output
    assert output.splitlines()[-1].endswith(f": {why}")
    assert output.splitlines()[-1].startswith("incomplete: stopped after ")


def test_a_server_that_is_gone(refused, program, service):
    """In the first run already: the command has not failed."""
    service.garbage_after = 0
    errors = refused("explore", "--to", service.url, "-r", "reset", "--", *program(ASKS))
    assert errors.splitlines()[-1].endswith(", in 3 runs one after the other")
    assert "the command fails" not in errors


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
    assert code == 1
    first, second = output.split("    killed, and run again:\n")
    assert "PUT /photos/a" in first
    assert "PUT /photos/b  <- killed" in first
    assert second.splitlines()[0].split() == ["1", "GetObject", "404", "GET", "/photos/nothing"]


@pytest.mark.slow
def test_as_whom_requests_are_read(succeeds, refused, program, service):
    """As the vendor's that is named, or of the server's host."""
    command = program("ask('PUT', '/acc/cont?restype=container')")
    rule = ("-r", "reset,operation=container.create", "--to", service.url)
    output = succeeds("explore", *rule, "--vendor", "azure-blob", "--", *command)
    assert output.startswith("1 request without faults, 1 fault; 1 run in ")
    errors = refused("explore", *rule, "--", *command)
    assert "container.create is no operation of S3" in errors


def test_a_standard_set(run, refused, program, service):
    """It has nothing there that only the embedded store can do; who names that is told so."""
    command = program("ask('GET', '/photos/cat')")
    service.objects["/photos/cat"] = b"a film"
    rule = ("--to", service.url, "--reset", "true", "--without", "hang", "-r")
    code, output, errors = run("explore", *rule, "s3,path=/photos/none", "--", *command)
    assert (code, errors) == (3, "")
    assert "s3,path=/photos/none was injected in no run" in output
    errors = refused("explore", *rule, "overwrite", "--", *command)
    assert "only the embedded store can do this" in errors
