"""`faultinject control` with real servers: below a WSGI or ASGI path, or at its own address."""

import json
import os
import queue
import re
import threading
import time

import pytest
from jsonschema import Draft202012Validator

from faultinject import ConfigurationError, Scenario
from faultinject.cli.control import ControlClient
from tests.adapters.live import werkzeug_server
from tests.console import command
from tests.control.conftest import KINDS, TOKEN, control
from tests.on_loopback import Listener
from tests.ports import ReservedPort
from tests.rows import each_row
from tests.slowly import others_slowly

pytestmark = pytest.mark.live
ENV = {"FAULTINJECT_TOKEN": TOKEN}
FOLLOW = ("control", "journal", "--follow", "--url")


# The API is the same behind each server, which `tests/control` proves.
@pytest.fixture(scope="module", params=others_slowly(KINDS, "wsgi".__eq__))
def server(request):
    with control(request.param) as found:
        found.url = f"http://127.0.0.1:{found.port}{found.mount}"
        yield found


@pytest.fixture
def ask(run, server):
    """A command: its exit code and what it prints; the rules are those of the start."""
    server.injector.use("cos:SlowDown,name=slow,path=photos/,times=2 http:503,path=b/")
    server.injector.enable()

    def ask(*arguments, code=0, env=ENV):
        found = run("control", *arguments, "--url", server.url, env=env)
        assert found[0] == code, found
        return found[1] if code == 0 else found[2]

    return ask


def check(name, document):
    assert [*Draft202012Validator(json.loads(command("schema", name).stdout)).iter_errors(document)] == []


def test_status_and_rules(ask, server):
    """The switch, counts and rules; as JSON, and as files that `set` takes."""
    assert server.ask_app() == 503
    out = ask("status")
    assert re.match(rf"{server.url}: on\n  generation .*1 injected of 1 request that matched a rule", out)
    assert [re.split(r"\s{2,}", line) for line in out.splitlines()[2:]] == [
        ["name", "state", "injected", "matched", "rule"],
        ["slow", "on", "1", "1", "cos:SlowDown,path=photos/,times=2,name=slow"],
        ["rule-2", "on", "0", "0", "http:503,path=b/"],
    ]
    assert ask("rules").splitlines() == out.splitlines()[2:]
    assert json.loads(ask("status", "--json"))["totals"]["injected"] == 1
    check("rules", json.loads(ask("rules", "--json")))
    assert (server.ask_app(), "\nslow    used up  2 " in ask("status")) == (503, True)


def test_rules_are_set(ask, server, tmp_path):
    """By text or by a file, with a seed; a mistake changes nothing and is shown with its place."""
    assert "\nrule-1  on     0         0        http:418\n" in ask(
        "set", "http:418", "-r", "http:429", "--seed", "7"
    )
    assert (server.ask_app(), server.injector.seed) == (418, "7")
    path = tmp_path / "rules.json"
    path.write_text(ask("rules", "--json").replace("418", "500"))
    state = json.loads(ask("set", "--file", str(path), "--json"))
    assert (server.ask_app(), state["generation"]) == (500, server.injector.state.generation)
    assert ask("set", "http:5x3", code=2) == (
        "faultinject: http:5x3 is not http: and a status from 400 to 599\n  http:5x3\n  ^^^^^^^^\n"
    )
    path = tmp_path / "rules.toml"
    path.write_text('[[rules]]\nfault = "cos:SlowDwn"\n')
    assert f"{path}:2: rules[0].fault: cos:SlowDwn" in ask("set", "--file", str(path), code=2)
    assert "there is no rule: give one, such as cos:SlowDown,times=2, or --file FILE" in ask("set", code=2)
    assert server.ask_app() == 500


@pytest.mark.slow
def test_too_many_rules(ask, tmp_path):
    """Too many rules are refused before they are sent, as the server would break off."""
    path = tmp_path / "rules.toml"
    path.write_text(f'[[rules]]\nfault = "reset"\npath = "{"a" * 1000}"\n' * 1100)
    said = ask("set", "--file", str(path), code=2)
    assert re.fullmatch(r"faultinject: \d+ bytes of rules are too many: a control API takes 1048576\n", said)


def test_single_rules(ask, server):
    """Added, switched off and on again, and taken away; a misspelt name gets the nearest."""
    assert "\nlast " in ask("add", "-r", "http:418,name=last")
    for word, state, answered in (("disable", "disabled", 418), ("enable", "on", 503)):
        assert (f"\nslow    {state} " in ask(word, "slow"), server.ask_app()) == (True, answered)
    assert "\nlast " not in ask("remove", "last")
    nobody = " is not the name of a rule"
    assert ask("remove", "slwo", code=2) == f"faultinject: slwo{nobody}; did you mean slow?\n"
    ask("enable", "a/b?c", code=2)
    assert ask("remove", "\udcff", code=2).endswith(f"{nobody}\n"), "no UTF-8"


def test_on_and_off(ask, server):
    """For good or for a time, and counts from zero."""
    assert (ask("off").startswith(f"{server.url}: off\n"), server.ask_app()) == (True, 200)
    out = ask("on", "--for", "10m")
    assert re.match(
        rf"{re.escape(server.url)}: on for another (10 min 0 s|9 min 5\d s), until .*\d\d:\d\d:\d\d\n", out
    )
    assert server.ask_app() == 503
    assert server.injector.state.until == pytest.approx(time.time() + 600, abs=60)
    assert "0 injected of 0 requests" in ask("reset")
    assert ask("on").startswith(f"{server.url}: on\n")
    assert ask("on", "--for", "10", code=2).startswith("faultinject: ")


def test_a_change_on_a_condition(ask, server):
    """Another generation is in force: exit code 1, and nothing is changed."""
    now = server.injector.state.generation
    assert ask("off", "--generation", str(now - 1), code=1).startswith("faultinject: nothing was changed: ")
    assert server.injector.enabled
    ask("off", "--generation", str(now))
    assert not server.injector.enabled


def test_the_journal(ask, server):
    """The latest requests; what a client wrote is escaped."""
    before = len(json.loads(ask("journal", "--json", "--limit", "10000"))["outcomes"])
    for path in ("/photos/1", "/photos/%1b%5b2J", "/photos/3"):
        server.ask_app(path)
    found = json.loads(ask("journal", "--json", "--limit", "3"))["outcomes"]
    assert [(each["path"], each["did"]) for each in found] == [
        ("/photos/1", "answered"),
        ("/photos/\x1b[2J", "answered"),
        ("/photos/3", "passed"),
    ]
    heads, *rows = (line.split() for line in ask("journal", "--limit", "3").splitlines())
    assert heads == "time method path did status fault rule".split()
    assert [row[1:] for row in rows] == [
        "GET /photos/1 answered 503 cos:SlowDown slow".split(),
        r"GET /photos/\x1b[2J answered 503 cos:SlowDown slow".split(),
        "GET /photos/3 passed - - slow".split(),
    ]
    assert len(json.loads(ask("journal", "--json", "--limit", "10000"))["outcomes"]) == before + 3
    assert ask("journal", "--limit", "0") == ""


def test_a_request_that_ends_behind_its_line(ask, server):
    """A request with two journal lines is one row, with its end, in table and JSON."""
    server.injector.use(Scenario.parse("http:503,method=PUT"))
    for path in ("/photos/one", "/photos/two"):
        server.ask_app(path, "PUT", b"of a body")
    lines = server.injector.journal.events()[0][-4:]
    assert [each.final for each in lines] == [None, True] * 2
    told = [each.split()[2] for each in ask("journal", "--limit", "2").splitlines()[1:]]
    found = json.loads(ask("journal", "--json", "--limit", "2"))["outcomes"]
    assert [(*each, one["path"], one["final"]) for *each, one in zip(told, found, strict=True)] == [
        (path, path, True) for path in ("/photos/one", "/photos/two")
    ]


@pytest.mark.parametrize("as_json", others_slowly([True, False], bool), ids=["JSON", "text"])
def test_the_live_journal(start, ask, server, as_json):
    """A line a request as it comes, until Ctrl-C."""
    server.ask_app("/photos/before")
    words = ["--json"] * as_json
    process = start(*FOLLOW, server.url, *words, "--limit", "1", env={**os.environ, **ENV})
    lines = [process.line()]
    server.ask_app("/photos/now")
    lines.append(process.line())
    code, rest = process.interrupt()
    assert (code, "".join(rest)) == (130, "faultinject: interrupted")
    if as_json:
        for each in map(json.loads, lines):
            check("journal", each)
        lines = [f"time GET {json.loads(each)['path']}" for each in lines]
    assert [each.split()[2] for each in lines] == ["/photos/before", "/photos/now"]


def test_who_may_not(ask, run, server):
    """A wrong token, and a name that is not the server's."""
    said = ask("status", code=2, env={"FAULTINJECT_TOKEN": "wrong"})
    assert said.startswith(
        f"faultinject: {server.url} refuses the token in FAULTINJECT_TOKEN: the token is wrong"
    )


@pytest.fixture
def odd(run):
    """The command's message about a server with this answer, which is not ours."""
    answer = []

    def app(environ, start_response):
        text, more = answer
        head, _, body = text.partition("|")
        status, _, kind = head.partition(" ")
        # A connection that is closed with unread bytes is reset, and the client may lose the end of the answer.
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = [("Content-Type", kind)] if kind else []
        start_response(f"{status} So", [*headers, ("Content-Length", str(len(body) + more))])
        return [body.encode()]

    with werkzeug_server(app) as port:

        def say(text, *arguments, more=0, code=2):
            answer[:] = text, more
            found, out, err = run(
                "control", *(arguments or ("status",)), "--url", f"127.0.0.1:{port}", env=ENV
            )
            assert (found, code and out) == (code, "" if code else 0)
            return err.replace(str(port), "PORT") if code else out

        yield say


NO_API = "A server has no control API unless it was started with `--control` or FAULTINJECT_CONTROL"
STRANGER = "faultinject: http://127.0.0.1:PORT is no control API of faultinject: it answers "


@each_row(
    ("answer", "more", "says"),
    [
        ("200 text/html|<p>", 0, f"{STRANGER}200 with text/html;"),
        ("404 text/html|<p>", 0, f"{STRANGER}404 with text/html;"),
        ("302|", 0, f"{STRANGER}302 with nothing;"),
        ('500 application/json|{"error": 3}', 0, STRANGER),
        (
            '421 application/json|{"error": {"message": "the Host"}}',
            0,
            "faultinject: http://127.0.0.1:PORT does not go by this name (the Host): start the app with"
            " FAULTINJECT_CONTROL_HOSTS=127.0.0.1\n",
        ),
        ("200 application/json|{}", 5, "faultinject: http://127.0.0.1:PORT broke off its answer\n"),
        # A control API's own words, escaped.
        (
            '503 application/json|{"error": {"message": "the store\\u001b[2J", "problems": []}}',
            0,
            "faultinject: the store\\x1b[2J\n",
        ),
    ],
)
def test_servers_of_others(odd, answer, more, says):
    """A server that is no control API, breaks off, or is in trouble, is named as such."""
    said = odd(answer, more=more)
    assert said.startswith(says)
    assert said.endswith(f". {NO_API}\n") is says.startswith(STRANGER)


def test_the_json_of_others(odd):
    """An app that answers every path with JSON is no control API, and nothing of it is printed."""
    for words in ("status", "status --json", "rules", "rules --json", "journal", "off"):
        for body in ('{"status": "ok"}', "[1, 2]", "null", '{"state": {}}', "[" * 100_000):
            assert odd(f"200 application/json|{body}", *words.split()).startswith(f"{STRANGER}200")
            odd(f"404 application/json|{body}", *words.split())


@each_row("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_a_server_that_says_nothing_more(head):
    """In the time that it has, for its head or its body."""
    over = threading.Event()

    def talk(client):
        with client:
            client.sendall(head)
            over.wait(20)

    with Listener(talk) as listener:
        url = f"http://127.0.0.1:{listener.port}"
        with pytest.raises(ConfigurationError) as caught:
            ControlClient(url, ENV, patience=0.1).state()
        over.set()
    assert str(caught.value) == f"{url} did not answer within 0 s"


def test_a_server_that_listens_on_all_addresses(run):
    """It is asked at this machine's own: 0.0.0.0 is no name that a control API goes by."""
    with ReservedPort() as port:
        for place, own in ((f"0.0.0.0:{port}", "127.0.0.1"), (f"[::]:{port}", "::1")):
            said = run("control", "status", env={**ENV, "FAULTINJECT_CONTROL": place})[2]
            assert (f" {own}:{port}" in said, "0.0.0.0" in said) == (True, False)


ROW = {
    "pid": 1,
    "time": 0.0,
    "method": "GET",
    "path": "/",
    "did": "passed",
    "status": 200,
    "fault": None,
    "rule": None,
}


class Paged:
    """A server with several pages of requests, and a store that is at times unavailable.

    It keeps the requests that it gets.
    """

    refusals = 0

    def __init__(self):
        self.asked = queue.Queue()
        self.holds = None
        """A cursor: requests behind it wait for `over`; None answers all at once."""
        self.over = threading.Event()

    def __call__(self, environ, start_response):
        after = environ["QUERY_STRING"].partition("after=")[2].partition("&")[0]
        self.asked.put(after)
        if after == self.holds:
            self.over.wait(20)
        if after == "5001" and self.refusals:
            self.refusals -= 1
            start_response("503 Service Unavailable", [("Content-Type", "application/json")])
            return [b'{"error": {"message": "the store is away"}}']
        numbers = {"": range(5000), "4999": range(5000, 5002), "5001": range(5002, 5003)}.get(after, ())
        found = {
            "outcomes": [ROW | {"path": f"/{each}", "seq": each} for each in numbers],
            "cursor": str(numbers[-1]) if numbers else after,
            "dropped": len(numbers) and 1,
        }
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(found).encode()]


@pytest.fixture
def paged():
    """Such a server; its URL."""
    app = Paged()
    with werkzeug_server(app) as port:
        app.url = f"http://127.0.0.1:{port}"
        yield app


def test_a_journal_of_several_pages(run, paged):
    """All are read, and the latest shown; how many are no longer kept is said."""
    code, out, _ = run("control", "journal", "--json", "--limit", "3", "--url", paged.url, env=ENV)
    found = json.loads(out)
    assert (code, found["dropped"], found["cursor"]) == (0, 2, "5001")
    assert [each["path"] for each in found["outcomes"]] == ["/4999", "/5000", "/5001"]
    out = run("control", "journal", "--limit", "3", "--url", paged.url, env=ENV)[1]
    assert out.startswith("2 older ones are no longer kept\n")


@each_row(
    ("outcomes", "says"),
    [
        ([], "no request has matched a rule so far\n"),
        # Each of two processes has numbers of its own for its requests.
        ([ROW | {"pid": pid, "seq": 1, "path": f"/of/{pid}"} for pid in (1, 2)], "(?s)time .* /of/1 .* /of/2 .*"),
    ],
)  # fmt: skip
def test_a_journal_of_few_requests(odd, outcomes, says):
    """A row for each, or one sentence."""
    page = json.dumps({"outcomes": outcomes, "cursor": "", "dropped": 0})
    assert re.fullmatch(says, odd(f"200 application/json|{page}", "journal", code=0))


def test_a_live_journal_that_breaks_off(start, paged):
    """It is asked for again, from where it was, which is said once; what is missing is told."""
    # The interrupt comes while it waits for an answer: while it connects, the interpreter may leave a socket open, and
    # warn of it.
    paged.refusals, paged.holds = 1, "5002"
    process = start(*FOLLOW, paged.url, "--limit", "0", env={**os.environ, **ENV})
    assert process.line() == f"faultinject: the connection to {paged.url} is lost; trying again"
    assert "faultinject: missing requests: 1" in (process.line(), process.line())
    assert [paged.asked.get(timeout=20) for _ in range(5)] == ["", "4999", "5001", "5001", "5002"]
    code, said = process.interrupt()
    paged.over.set()
    assert (code, said[-1]) == (130, "faultinject: interrupted")


@pytest.mark.slow
def test_a_live_journal_that_does_not_come_back(start, paged):
    """After half a minute that is said, with what its server has against it."""
    paged.refusals = 1000
    process = start(*FOLLOW, paged.url, "--limit", "0", env={**os.environ, **ENV})
    lost = f"faultinject: the connection to {paged.url} is lost; trying again"
    assert process.ended() == (2, [lost, "faultinject: the store is away"])


@pytest.fixture
def port():
    """One on which nobody else listens."""
    with ReservedPort() as found:
        yield found


def test_where_nothing_answers(refused, port):
    """Each with what to do."""
    url = f"http://127.0.0.1:{port}"

    def talk(client):
        with client:
            client.recv(65536)
            client.sendall(b"SSH-2.0\r\n")

    nothing = (
        f"nothing listens on 127.0.0.1:{port}: start the app with FAULTINJECT_CONTROL={{}},"
        " or name another address with --url\n"
    )
    with Listener(talk) as garbage:
        other = f"127.0.0.1:{garbage.port}"
        for address, says in (
            (other, "does not answer as HTTP does"),
            (f"https://{other}", "cannot be reached: [SSL"),
            (f"{url}/", nothing.format(f"127.0.0.1:{port}")),
            (f"{url}/_faultinject", nothing.format("/_faultinject")),
            ("http://no-such-host.invalid", "cannot be reached: "),
            ("http://a..b", "cannot be reached: "),
            ("http://255.255.255.255", "cannot be reached"),
        ):
            assert says in refused("control", "status", "--url", address, env=ENV)
    told = refused("control", "status", env={**ENV, "FAULTINJECT_CONTROL": f"127.0.0.1:{port}"})
    assert f"nothing listens on 127.0.0.1:{port}" in told


STATE = {
    "v": 1, "abort": None, "generation": 3, "on": True, "enabled": True, "until": None, "expires": None, "now": 1000.0, "seed": "42", "production": None,
    "store": "memory:", "max_active": 100, "active": 0, "refused": 0, "undecided": 0, "failures": 0, "disarmed": "", "rules": [],
    "totals": {"matched": 0, "injected": 0, "failed": 0}, "shared": False,
}  # fmt: skip


@each_row(
    ("more", "said"),
    [
        ({}, "on"),
        ({"until": 1059.0}, "on for another 59 s, until "),
        ({"until": 9000.0, "expires": 4725.0}, "on for another 1 h 2 min, until "),
        ({"until": 357_400.0}, "on for another 99 h 0 min, until 1970-01-0"),
        ({"on": False}, "off"),
        ({"on": False, "disarmed": "5xx above 5%"}, "off: 5xx above 5%"),
        ({"enabled": False, "production": "APP_ENV"}, "off, APP_ENV looks like production"),
        ({"enabled": False, "elsewhere": "faults are only where A=b"}, "off: faults are only where A=b"),
        ({"enabled": False, "until": 999.0}, "off, its time is over"),
        ({"enabled": False, "until": 1001.0}, "off, the environment of the app switches it off"),
        ({"enabled": False}, "off, the environment of the app switches it off"),
    ],
)
def test_how_the_switch_is_told(odd, more, said):
    """The status says why nothing is injected, or for how long faults stay on."""
    out = odd(f"200 application/json|{json.dumps({**STATE, **more})}", code=0)
    assert out.partition(": ")[2].startswith(said)
    assert out.endswith("  no rules, so no faults\n")


@each_row(
    ("shared", "whose", "between"),
    [
        (True, "in all processes", "; in the process that answers: "),
        (False, "in the process that answers", ", "),
    ],
)
def test_what_was_counted_is_told(odd, shared, whose, between):
    """Of all processes where they count together, and the bound of failures."""
    totals = {"matched": 7, "injected": 1, "failed": 0}
    counted = {"refused": 1, "undecided": 2, "failures": 3, "totals": totals, "shared": shared}
    state = {**STATE, **counted, "abort": "5xx>5%/1m"}
    assert (
        "seed 42, store memory:, abort 5xx>5%/1m; "
        f"{whose}: 1 injected of 7 requests that matched a rule,"
        " 1 not injected because as many as allowed were under way,"
        " 2 passed because the store of counts did not answer,"
        f" 3 errors in faultinject{between}0 of at most 100 faults under way"
        in odd(f"200 application/json|{json.dumps(state)}", code=0)
    )


COMMANDS = [
    each.split()[0]
    for each in command("control", "-h").stdout.partition("Commands:\n")[2].splitlines()
    if re.match("  [a-z]", each)
]


@each_row("words", [[], *([each] for each in COMMANDS)])
def test_help(run, words):
    """Each command explains itself; a token is no option of any."""
    code, out, _ = run("control", *words, "-h")
    assert (code, len(COMMANDS) > 8) == (0, True)
    assert "--token" not in out
