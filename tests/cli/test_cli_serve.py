"""`faultinject serve`: a real server in its own process, and refusals to start."""

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from faultinject import Scenario, vendors
from tests.ports import ReservedPort
from tests.slowly import others_slowly
from tests.until import STARTS_WITHIN, until

pytestmark = pytest.mark.live

APPS = """
from flask import Flask
import faultinject

web = Flask(__name__)
installed = Flask("installed")
faultinject.install(installed)

@web.get("/broken")
def fail():
    raise ValueError("broken")

@web.put("/photos/<name>")
@installed.put("/photos/<name>")
def put(name):
    return {"stored": name}

def __getattr__(name):
    if name != "api":
        raise AttributeError(name)
    from fastapi import FastAPI  # takes longer than all the rest

    api = globals()["api"] = FastAPI()

    @api.put("/photos/{name}")
    async def put_async(name: str):
        return {"stored": name}

    return api

async def broken(scope, receive, send):
    assert scope["type"] == "lifespan"
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})

def plain(environ, start):
    start("200 OK", [])
    return [b"plain"]

class Site:
    app = staticmethod(plain)

def factory():
    return web

number = 3
"""


MODULES = {
    "shop": APPS,
    "syntax": "x = 1\ndef (\n",
    "raises": "\n\nraise ValueError('no\\nsettings')\n",
    "lacks": "import there_is_no_such_module\n",
    "exits": "import sys\nsys.exit('DATABASE_URL is not set')\n",
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with apps in it."""
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    path = [*sys.path]
    yield tmp_path
    sys.path[:] = path
    for name in MODULES:
        sys.modules.pop(name, None)


def put(url, path="/photos/cat.jpg"):
    return requests.put(url + path, data=b"meow", timeout=60)


def test_the_store_with_a_rule(serve):
    """Without an app the store is served, and each fault is printed; Ctrl-C ends with 0.

    Address, rules and seed are printed too.
    """
    process = serve("--seed", "4", "-r", "cos:SlowDown,method=PUT,times=1,name=slow")
    assert process.head == [
        f"the embedded object store (Tencent Cloud COS) on {process.url}",
        "  slow: cos:SlowDown,method=PUT,times=1,name=slow",
        "    PUT requests get cos:SlowDown (503), at most once in all.",
        "  seed: 4",
        "Ctrl-C ends it.",
    ]
    answers = [put(process.url, "/photos"), put(process.url, "/photos"), put(process.url)]
    assert ([each.status_code for each in answers], answers[0].headers["x-faultinject"]) == (
        [503, 200, 200],
        "slow",
    )
    assert requests.get(process.url + "/photos/cat.jpg", timeout=60).content == b"meow"
    assert process.interrupt() == (
        0,
        [
            "PUT /photos -> cos:SlowDown (503) by slow",
            "",
            "ended; injected:",
            "  slow: 1 of 3 requests that met its conditions",
        ],
    )


@pytest.mark.slow
@pytest.mark.parametrize("app", others_slowly([(), ("shop:web",), ("shop:api",)], lambda app: not app))
def test_with_tls(serve, here, app):
    """With TLS the certificate to trust is printed, for any app, and removed at the end."""
    pytest.importorskip("trustme")
    process = serve(*app, "--tls", "-r", "http:503,method=PUT,times=1,name=slow")
    assert process.url.startswith("https://127.0.0.1:")
    [path] = [each.rpartition(" ")[2] for each in process.head if "certificate to trust: " in each]
    assert f"    export SSL_CERT_FILE={path}" in process.head
    answers = [
        requests.put(f"{process.url}/photos/cat.jpg", data=b"meow", timeout=60, verify=path) for _ in range(2)
    ]
    assert [each.status_code == 503 for each in answers] == [True, False]
    del answers  # and with them the connections, which are not waited for
    assert process.interrupt()[0] == 0
    assert not Path(path).parent.exists()


def test_requests_that_got_no_decision(serve, tmp_path):
    """The summary says how many, and the log why: another process had the store."""
    store = tmp_path / "store"
    environ = os.environ | {"FAULTINJECT_STORE": f"file:{store}"}
    process = serve("--seed", "4", "-r", "http:503,times=9", env=environ)
    assert put(process.url).status_code == 503
    process.line()
    with (store / "lock").open("r+") as elsewhere:
        fcntl.flock(elsewhere, fcntl.LOCK_EX)
        assert put(process.url, "/photos").status_code == 200
    assert process.line() == (
        "faultinject: another process held the store's lock for too long: 1 request passed without a decision"
    )
    assert process.interrupt() == (
        0,
        [
            "",
            "ended; injected:",
            "  rule-1: 1 of 1 requests that met its conditions; 1 could not be decided and passed, see the log",
        ],
    )


@pytest.mark.parametrize("app", [(), pytest.param(("shop:api",), marks=pytest.mark.slow)])
def test_faults_of_the_connection(here, serve, app):
    """Resets and cuts reach the client and are printed; one that failed is printed, not counted."""
    rules = ("-r", "reset,path=r/,name=r", "-r", "truncate,path=t/,name=t")
    process = serve(*app, *rules)
    with pytest.raises(requests.ConnectionError, match="reset"):
        requests.get(process.url + "/r/a", timeout=60)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(process.url + "/t/a", timeout=60)
    assert requests.head(process.url + "/t/a", timeout=60).status_code == 404
    assert process.interrupt() == (
        0,
        [
            "GET /r/a -> reset by r",
            "GET /t/a -> truncate by t",
            "HEAD /t/a -> truncate by t",
            "HEAD /t/a -> truncate by t was not carried out: nothing_to_cut",
            "",
            "ended; injected:",
            "  r: 1 of 1 requests that met its conditions",
            "  t: 1 of 2 requests that met its conditions",
        ],
    )


@pytest.fixture
def at_once(monkeypatch, succeeds):
    """Serve here, and end as soon as that begins: what is said before."""
    monkeypatch.setattr("uvicorn.Server.run", lambda server, **_: setattr(server, "started", True))

    def head(*words):
        return succeeds("serve", "--port", "0", *words).splitlines()

    return head


def test_the_advice_is_a_rule_of_the_vendor(at_once, run):
    """The advice of a store without rules is a documented rule of its vendor."""
    spoken = run("serve", "--vendor", "gateway")[2].rpartition("it speaks ")[2].strip().split(", ")
    assert len(spoken) >= 17
    for vendor in spoken:
        first, says, *_ = at_once("--vendor", vendor)
        assert first.startswith(
            f"the embedded object store ({vendors.get(vendor).title}) on http://127.0.0.1:"
        )
        assert says.startswith("  no rules, so no faults; give some with -r, ")
        [rule] = Scenario.parse(says.rpartition(" such as -r ")[2]).rules
        assert str(rule).endswith(",probability=0.3")
        row = vendors.find(rule.fault)
        assert (row.vendor, row.category) == (vendor, "throttle")


def test_the_url_of_an_ipv6_address(at_once):
    """An IPv6 address stands in brackets."""
    assert " on http://[::1]:" in at_once("--host", "::1")[0]


@pytest.mark.slow
def test_requests_that_ask_and_an_app_that_fails(here, serve):
    """Requests may ask for faults if the environment allows it, and `abort` ends all faults."""
    variables = {"FAULTINJECT_ON_REQUEST": "1", "FAULTINJECT_ABORT": "5xx>50%/1m,min=2"}
    process = serve("shop:web", env=os.environ | variables)
    assert process.head[1:] == [
        "  no rules, so no faults; give some with -r, such as -r cos:SlowDown,probability=0.3",
        "  All faults end when more than 50 % of at least 2 requests within 1 m fail by themselves (5xx>50%/1m,min=2).",
        "  x-faultinject-rules: a request may ask for faults of its own by this header",
        "Ctrl-C ends it.",
    ]
    asks = {"x-faultinject-rules": "http:503"}
    assert [
        requests.put(f"{process.url}/photos/a", headers=each, timeout=60).status_code for each in ({}, asks)
    ] == [
        200,
        503,
    ]
    assert process.line() == "PUT /photos/a -> http:503 by on-request"
    assert [requests.get(f"{process.url}/broken", timeout=60).status_code for _ in range(3)] == [500] * 3
    assert requests.put(f"{process.url}/photos/a", headers=asks, timeout=60).status_code == 200
    assert process.interrupt()[0] == 0


@pytest.mark.slow
def test_a_store_of_another_service(serve):
    """The dialect need not be one of S3: Azure's operations have names of their own.

    A rule without a storage vendor reads an S3 request all the same: its bucket is the first segment, here the account.
    """
    rule = "azure-blob:ServerBusy,operation=block_blob.upload,times=1"
    s3 = "http:507,bucket=account,key=films,operation=PutObject"
    process = serve("--vendor", "azure-blob", "-r", rule, "-r", s3)
    assert process.head[0] == f"the embedded object store (Azure Blob Storage) on {process.url}"
    blob = {"x-ms-blob-type": "BlockBlob"}
    answers = [
        requests.put(f"{process.url}/account/{path}", b"x", headers=headers, timeout=60)
        for path, headers in (
            ("photos?restype=container", {}),
            *[("photos/a", blob)] * 2,
            ("films", {}),
        )
    ]
    assert [(each.status_code, each.headers.get("x-ms-error-code")) for each in answers] == [
        (201, None),
        (503, "ServerBusy"),
        (201, None),
        (507, None),
    ]
    process.line()
    assert process.interrupt()[0] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("app", [(), pytest.param(("shop:api",), marks=pytest.mark.slow)])
def test_it_is_told_to_end(here, serve, app, number):
    """SIGTERM and SIGHUP end it like Ctrl-C, with the summary."""
    process = serve(*app, "-r", "http:503")
    assert put(process.url).status_code == 503
    assert process.end(getattr(signal, number)) == (
        0,
        [
            "PUT /photos/cat.jpg -> http:503 by rule-1",
            "",
            "ended; injected:",
            "  rule-1: 1 of 1 requests that met its conditions",
        ],
    )


HELD_BACK = """
import signal, sys, weakref
import uvicorn
from faultinject.cli import main

run = uvicorn.Server.run

def run_later(server, *given, **named):
    # As while modules are loaded: Python prints what such a function raises, and goes on.
    held = set()
    watched = weakref.ref(held, lambda _: signal.raise_signal(signal.SIGINT))
    del held
    run(server, *given, **named)

uvicorn.Server.run = run_later
sys.exit(main())
"""


@pytest.mark.parametrize(
    "command", [("serve",), pytest.param(("proxy", "--to", "http://127.0.0.1:1"), marks=pytest.mark.slow)]
)
def test_it_is_told_to_end_while_it_begins(command):
    """Ctrl-C right behind the line that offers it ends the program, wherever its start is."""
    asked = [sys.executable, "-c", HELD_BACK, *command, "--port", "0"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr, "Ctrl-C ends it." in done.stdout) == (0, "", True)


@pytest.mark.slow
@pytest.mark.parametrize("app", ["shop:web", "shop:installed", "shop:api"])
@pytest.mark.parametrize("on", ["", "1"])
def test_an_app_with_rules_of_the_environment(here, serve, app, on):
    """Flask and FastAPI apps, hooked by themselves too, are served with the environment's rules."""
    rules = {"FAULTINJECT_RULES": "http:500,path=photos/,times=1", "FAULTINJECT_SEED": "5"}
    process = serve(app, env={**os.environ, **rules, "FAULTINJECT_ENABLED": on})
    assert (process.head[0], "  seed: 5" in process.head) == (f"{app} on {process.url}", True)
    refused, stored = put(process.url), put(process.url)
    assert (refused.status_code, stored.json()) == (500, {"stored": "cat.jpg"})
    assert process.interrupt() == (
        0,
        [
            "PUT /photos/cat.jpg -> http:500 by rule-1",
            "",
            "ended; injected:",
            "  rule-1: 1 of 2 requests that met its conditions",
        ],
    )


@pytest.mark.slow
def test_callers_and_the_turn_around_can_be_told(serve, run, tmp_path):
    """By connections that are kept: what the report could not say of a server that ends each."""
    journal = tmp_path / "journal"
    process = serve("-r", "cos:SlowDown,path=slow/", "--journal", str(journal))
    with requests.Session() as session:
        session.put(process.url + "/photos", timeout=60)
        for _ in range(30):
            assert session.get(process.url + "/photos", timeout=60).status_code == 200
        assert session.get(process.url + "/slow/k", timeout=60).status_code == 503
    assert process.interrupt()[0] == 0
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for number, line in enumerate(lines):  # as on a machine that nothing delays
        line["arrived"] = number / 100
        line["answered"] = line["answered"] and line["arrived"] + 0.004
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    found = json.loads(run("report", str(journal), "--format", "json")[1])["turnaround"]
    assert (found["n"], found["median"]) == (31, pytest.approx(0.006))


@pytest.mark.parametrize(
    ("app", "rules"),
    [
        pytest.param((), ("-r", "http:503,path=/e"), marks=pytest.mark.slow),
        pytest.param(("shop:web",), (), marks=pytest.mark.slow),
        (("shop:api",), ("-r", "http:503,path=/e")),
    ],
)
def test_a_journal(here, serve, run, app, rules):
    """The journal has every request and its end, with or without rules.

    The option overrides the variable, and the path is printed.
    """
    env = {**os.environ, "FAULTINJECT_JOURNAL": str(here / "other")}
    process = serve(*app, *rules, "--journal", "mine", env=env)
    without = any(line.startswith("  no rules, so no faults;") for line in process.head)
    assert (f"  journal: {here / 'mine'}" in process.head, without) == (True, not rules)
    statuses = [requests.get(process.url + path, timeout=60).status_code for path in ("/e", "/f")]
    code, rest = process.interrupt()
    told = ["GET /e -> http:503 by rule-1", "", "ended; injected:"] if rules else ["", "ended"]
    assert (code, rest[: len(told)]) == (0, told)
    lines = [json.loads(each) for each in (here / "mine").read_text().splitlines()]
    seen = {each["path"]: each["status"] for each in lines[:-1]}
    assert seen == dict(zip(("/e", "/f"), statuses, strict=True))
    assert (bool(lines[-1].get("ended")), (here / "other").exists()) == (True, False)


@pytest.mark.slow
def test_the_journal_of_an_app_that_has_its_own_rules(here, serve):
    """They stay, and its journal is the one that was named."""
    (here / "own.py").write_text(
        "import faultinject, shop\napp = faultinject.install(shop.plain, 'http:503', enabled=True)\n"
    )
    process = serve("own:app", "--journal", "mine")
    assert requests.get(process.url + "/a", timeout=60).status_code == 503
    assert process.interrupt()[1] == [
        "GET /a -> http:503 by rule-1",
        "",
        "ended; injected:",
        "  rule-1: 1 of 1 requests that met its conditions",
    ]
    lines = [json.loads(each) for each in (here / "mine").read_text().splitlines()]
    assert [(each["status"], bool(each.get("ended"))) for each in lines] == [(503, False), (None, True)]


def test_a_fault_is_told_once(serve):
    """A fault is printed once, though the journal has several lines of it.

    One when it is decided, one when the app has run, and one at its end.
    """
    process = serve("-r", "hang,duration=50ms,when=after")
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            requests.get(process.url + "/a", timeout=60)
    assert process.interrupt()[1] == [
        "GET /a -> hang by rule-1",
        "GET /a -> hang by rule-1",
        "",
        "ended; injected:",
        "  rule-1: 2 of 2 requests that met its conditions",
    ]


def test_what_is_under_way_at_the_end_is_on_record(here, serve):
    """A fault that hangs ends with the server; its last line stands before the end."""
    process = serve("-r", "hang", "--journal", "mine")
    port = int(process.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
        assert process.line() == "GET /a -> hang by rule-1"
        assert process.interrupt()[0] == 0
        assert client.recv(100) == b""
    lines = [json.loads(each) for each in (here / "mine").read_text().splitlines()]
    assert [(each.get("final"), each.get("ended")) for each in lines] == [
        (None, None),
        (True, None),
        (None, True),
    ]


@pytest.mark.parametrize(
    ("given", "env", "message"),
    [
        (
            ("--journal", "/no/such/j"),
            {},
            "--journal: cannot write to '/no/such/j': No such file or directory",
        ),
        ((), {"FAULTINJECT_JOURNAL": "/no/such/j"}, "FAULTINJECT_JOURNAL: cannot write to '/no/such/j'"),
        (("--journal", "j"), {"FAULTINJECT_ENABLED": "0"}, "FAULTINJECT_ENABLED=0 switches all faults off"),
    ],
)
def test_a_journal_that_cannot_be_written(here, run, refused, given, env, message):
    """It is said before anything is served, and the environment stays what it was."""
    assert message in refused("serve", "--port", "0", *given, env=env)
    port = socket.create_server(("127.0.0.1", 0))
    with port:
        assert run("serve", "--port", str(port.getsockname()[1]), "--journal", "j")[0] == 2
    assert "FAULTINJECT_JOURNAL" not in os.environ


IN_USE = "port {} of 127.0.0.1 is in use; choose another with {}, or 0 for any free one"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("serve --port {}", IN_USE.format("{}", "--port")),
        ("serve --port 0 --control 127.0.0.1:{}", IN_USE.format("{}", "--control")),
        ("proxy --to http://127.0.0.1:9 --port 0 --control 127.0.0.1:{}", IN_USE.format("{}", "--control")),
        ("serve --port 0 --control 203.0.113.7:1", "203.0.113.7 is not an address of this machine; choose another with --control"),
        ("serve --port 0 --control nowhere.invalid:1", "the host 'nowhere.invalid' cannot be resolved"),
    ],
)  # fmt: skip
def test_an_address_that_is_not_ours(refused, line, says):
    """It is said before anything is served: what listens there is another program's."""
    pytest.importorskip("starlette")
    remote = {"FAULTINJECT_CONTROL_REMOTE": "allow", "FAULTINJECT_TOKEN": "t" * 32}
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        told = refused(*line.format(port).split(), env=remote)
    assert told == f"faultinject: {says.format(port)}\n"


@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_control_on_a_port_of_its_own(start, host):
    """Any free one is taken, and told with the rest; it answers from the first."""
    pytest.importorskip("starlette")
    process = start("serve", "--port", "0", "--control", f"{host}:0")
    said = process.until("faultinject: the control API is at ")
    url = said[-1].split(" is at ")[1].split(",")[0]
    if not any(line.startswith("Ctrl-C") for line in said):
        said += process.until("Ctrl-C")
    assert f"  control: {url}" in [line.rstrip("\n") for line in said]
    assert url.startswith(f"http://{host}:")
    assert requests.get(url, timeout=60).status_code == 200
    assert process.interrupt()[0] == 0


@pytest.mark.slow
def test_an_app_that_does_not_start(here, start):
    """An ASGI app whose lifespan fails ends the program with 2."""
    process = start("serve", "shop:broken", "--port", "0")
    code, lines = process.ended()
    assert (code, lines[-1]) == (2, "faultinject: the app did not start")
    assert any("no database" in line for line in lines)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        *(
            (each, f"{each!r} is not MODULE:APP, such as shop.web:app")
            for each in ("", "shop", "shop:", ":web", "shop:make()", "app/main.py:app", "m-x:app", "shop.py")
        ),
        ("nothing:app", "nothing:app cannot be imported: ModuleNotFoundError: No module named 'nothing'"),
        (
            "shp:app",
            "shp:app cannot be imported: ModuleNotFoundError: No module named 'shp'; did you mean shop?",
        ),
        (
            "shop.web:app",
            "shop.web:app cannot be imported: ModuleNotFoundError: No module named 'shop.web'; 'shop' is not a package",
        ),
        (
            "lacks:app",
            (
                "lacks:app cannot be imported: {here}/lacks.py:1: ModuleNotFoundError: No module "
                "named 'there_is_no_such_module'"
            ),
        ),
        ("syntax:app", "syntax:app cannot be imported: {here}/syntax.py:2: invalid syntax"),
        ("raises:app", "raises:app cannot be imported: {here}/raises.py:3: ValueError: no settings"),
        ("shop:wep", "shop:wep cannot be imported: {here}/shop.py:20: AttributeError: wep"),
        (
            "shop:Site.qqq",
            "shop:Site.qqq cannot be imported: AttributeError: type object 'Site' has no attribute 'qqq'",
        ),
        (
            "shop:Site.ap",
            (
                "shop:Site.ap cannot be imported: AttributeError: type object 'Site' has no "
                "attribute 'ap'; did you mean app?"
            ),
        ),
        ("shop:number", "shop:number is no app: it is of type int"),
        (
            "shop:factory",
            "shop:factory takes neither two arguments (WSGI) nor three (ASGI): it looks like an app factory:"
            " name the app that it makes",
        ),
    ],
)
def test_what_is_no_app(here, refused, address, message):
    """Each way of naming no app is one line and exit code 2."""
    told = refused("serve", address).replace(f"{here}/./", f"{here}/")
    assert told == f"faultinject: {message.format(here=here)}\n"


def test_an_app_that_exits_as_it_is_imported(here, run):
    """An app that exits during its import gives the program its text and exit code.

    Python writes the text of `sys.exit`, and exits with 1.
    """
    assert run("serve", "exits:app") == (1, "DATABASE_URL is not set\n", "")


@pytest.mark.parametrize(
    ("refused", "code", "says"),
    [
        (
            "bind",
            errno.EACCES,
            "port 80 needs more rights than this user has; choose one from 1024 on with --port",
        ),
        ("listen", errno.ENOBUFS, "127.0.0.1 port 80 cannot be listened on: No buffer space available"),
    ],
)
def test_what_the_system_refuses(run, monkeypatch, refused, code, says):
    """Without the right to a port the message names free ports; other errors are passed on."""

    def refuse(*_):
        raise OSError(code, os.strerror(code))

    allowed = {each: lambda *_: None for each in ("bind", "listen")}
    monkeypatch.setattr(socket, "socket", type("Refusing", (socket.socket,), {**allowed, refused: refuse}))
    assert run("serve", "--port", "80") == (2, "", f"faultinject: {says}\n")


def test_a_nested_attribute_is_served(here, serve):
    """`MODULE:ATTR.ATTR` walks to the app."""
    assert requests.get(serve("shop:Site.app").url, timeout=60).content == b"plain"


def test_a_store_that_is_not_there_stops_it(refused):
    """An app would start without: who starts a server by hand is told at once."""
    pytest.importorskip("redis", reason="of the extra redis")
    said = refused("serve", "-r", "http:503", env={"FAULTINJECT_STORE": "unix:///no/such/redis"})
    assert "faultinject: the store unix:///no/such/redis: " in said


def test_the_server_goes_on_when_nobody_reads():
    """A closed standard output costs no answer, and the imports warn of nothing."""
    command = [sys.executable, "-W", "error", "-m", "faultinject", "serve", "--port", "0", "-r", "http:503"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().rpartition(" on ")[2].strip()
        assert any(line.startswith("Ctrl-C") for line in process.stdout)
        process.stdout.close()
        assert [put(url).status_code for _ in range(3)] == [503, 503, 503]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=100) == 0
        assert process.stderr.read().splitlines()[-1] == "  rule-1: 3 of 3 requests that met its conditions"
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize("redirect", others_slowly(["", ">&-", ">&- 2>&-"], ">&- 2>&-".__eq__))
def test_the_server_starts_when_nobody_reads(redirect):
    """The server starts though nobody reads its lines, and without streams.

    `serve | head -1` has left before the second line, or before the first.
    """
    reader, writer = os.pipe()
    os.close(reader)
    with ReservedPort() as port:
        command = f'exec "{sys.executable}" -m faultinject serve --port {port} {redirect}'
        process = subprocess.Popen(["sh", "-c", command], stdout=writer, stderr=subprocess.DEVNULL)
        os.close(writer)
        try:

            def connected():
                assert process.poll() is None
                with suppress(ConnectionRefusedError):
                    return socket.create_connection(("127.0.0.1", port), timeout=20)

            with until(connected, patience=STARTS_WITHIN) as connection:
                connection.settimeout(20)
                connection.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                assert connection.recv(9) == b"HTTP/1.1 "
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=100) == 0
        finally:
            process.kill()
            process.wait()
