"""A standard set cuts answers short, and keeps some away as long as the client waits."""

import contextlib
import http.client
import select

import pytest
from werkzeug.test import Client

from faultinject import WSGIFaultMiddleware

from .service import call, exploring, exploring_runs, left_out, passing, scenarios, send, served, texts

pytestmark = pytest.mark.live


def ask(port, method, target, faults=None):
    """Make one attempt on its own connection; None without a whole answer.

    With the faults of a run at hand it gives up, whatever the clock says, when it is left hanging.
    """
    with (
        contextlib.suppress(OSError, http.client.HTTPException),
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection,
    ):
        connection.request(method, target)
        mine = connection.sock.getsockname()[1]
        while not select.select([connection.sock], [], [], 0.01)[0]:
            if faults and any((each.connection, each.fault) == (mine, "hang") for each in faults.outcomes):
                return None
        answer = connection.getresponse()
        return answer.read() if answer.status == 200 else None
    return None


def read(port, targets, faults=None):
    """Read each of these, with three attempts."""
    for each in targets:
        assert any(ask(port, *each.split(), faults) is not None for _ in range(3)), each


def explored(targets, *faults, patient=False, **keys):
    """An exploration of code that reads these over a socket; a patient client has no time-out."""
    with served() as port:
        exploration, error = exploring_runs(
            lambda run: read(port, targets, None if patient else run), *faults, **keys
        )
    assert error is None
    return exploration


def hangs(exploration):
    """The places of the hangs among the runs."""
    return [each.text for each in exploration.runs if each.text.startswith("hang")]


def test_in_process():
    """Each operation's first request hangs; a test client times out at once, without a socket."""
    requests = ["GET /b/a", "GET /b/b", "HEAD /b/a", "PUT /b/a", "PUT /b/b", "DELETE /b/a", "DELETE /b/b"]
    exploration = passing(lambda: [call(*each.split()) for each in requests], "s3")
    place = "times=1,duration=2500ms"
    assert sorted(hangs(exploration)) == [
        f"hang,method=DELETE,path=/b/a,{place}",
        f"hang,method=GET,path=/b/a,{place}",
        f"hang,method=HEAD,path=/b/a,{place}",
        f"hang,method=PUT,path=/b/a,{place}",
    ]
    assert sorted(each.text for each in exploration.runs if each.text.startswith("truncate")) == [
        "truncate,method=GET,path=/b/a,times=1",
        "truncate,method=GET,path=/b/b,times=1",
    ]
    assert left_out(exploration) == []


@pytest.mark.parametrize(
    ("faults", "paths"),
    [
        (("s3,path=/b/", "hang,duration=2500ms"), ("/b/a", "/b/b", "/c/a")),
        (("hang,duration=2500ms", "s3,path=/b/"), ("/b/a", "/b/b", "/c/a")),
        (("hang,duration=2500ms,path=/b/a", "s3"), ("/b/a",)),
    ],
)
def test_the_hang_of_a_set_beside_the_users_own(faults, paths):
    """The user's comes at each request, and no run is made twice."""
    exploration = passing(lambda: [call("PUT", path) for path in ("/b/a", "/b/b", "/c/a")], *faults)
    expected = [f"hang,method=PUT,path={path},times=1,duration=2500ms" for path in paths]
    assert sorted(hangs(exploration)) == expected


@pytest.fixture
def impatient(monkeypatch):
    """A hang of a standard set lasts a tenth of a second."""
    monkeypatch.setattr("faultinject.testing.exploration.choices.PATIENCE", "100ms")


def test_a_scenario_in_another_order_of_its_keys():
    """It is the same one, and its run is made alone."""
    wanted = "reset,path=/b/a,times=1,method=GET"
    found = scenarios(["GET /b/a", "PUT /b/a"], "reset", crash=False, replay=wanted)
    assert found == ["reset,method=GET,path=/b/a,times=1"]


READS = ["GET /b/a", "GET /b/b", "HEAD /b/a", "PUT /b/a"]


SOME = [f"hang,method={method},path=/b/a,times=1,duration=100ms" for method in ("GET", "HEAD", "PUT")]
EACH = [
    "hang,method=GET,path=/b/a,times=1",
    "hang,method=GET,path=/b/b,times=1",
    "hang,method=HEAD,path=/b/a,times=1",
    "hang,method=PUT,path=/b/a,times=1",
]


@pytest.mark.parametrize(
    ("fault", "keys", "expected"),
    [
        # Whether the client gives up before the hang does, or not.
        ("cos", {"patient": False}, SOME),
        ("cos", {"patient": True}, SOME),
        # The argument, or a rule of one's own, makes each hang last as long as the client waits.
        ("gateway", {"exhaustive": True}, EACH),
        ("hang", {}, EACH),
    ],
    ids=["impatient", "patient", "argument", "rule"],
)
def test_over_a_socket(impatient, fault, keys, expected):
    """The hangs that are tried, and how long they last."""
    exploration = explored(READS, fault, **keys)
    assert (sorted(hangs(exploration)), left_out(exploration)) == (expected, [])


def test_depth_2():
    """A hang of a set comes alone; the argument brings it together with another fault."""
    assert [each.text for each in explored(["GET /b/a"], "gateway", depth=2).runs if "hang" in each.text] == [
        "hang,method=GET,path=/b/a,times=1,duration=2500ms"
    ]
    others = ("reset", "gateway:ServiceUnavailable", "gateway:TooManyRequests")
    every = explored(["GET /b/a"], "gateway", depth=2, exhaustive=True, without=others)
    assert any("hang" in each.text.partition("; ")[2] for each in every.runs)


def streaming(environ, start_response):
    """An answer of unknown length, empty at one address."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return iter([] if environ["PATH_INFO"].endswith("empty") else [b"o", b"k"])


streams = Client(WSGIFaultMiddleware(streaming, []))


def attempts(method, path, **keys):
    """Three, of a client that sees where an answer ends."""
    for _ in range(3):
        with contextlib.suppress(OSError):
            streams.open(path, method=method, **keys).get_data()
            return


def test_answers_of_unknown_length():
    """Answers of unknown length are cut too; an empty one cannot be, which the report says.

    It is no fault that came nowhere.
    """
    exploration = passing(
        lambda: [attempts("GET", path) for path in ("/b/full", "/b/empty")], "truncate,method=GET"
    )
    assert (texts(exploration), left_out(exploration)) == (
        ["truncate,method=GET,path=/b/full,times=1"],
        ["left out: truncate at GetObject /b/empty (its answer has nothing to cut)"],
    )
    assert "not reached" not in exploration.report()


def test_answers_without_a_body():
    """A set has `truncate` for answers with a body; one that is named and cannot come is named."""
    requests = ["GET /b/k", "HEAD /b/k"]
    exploration = passing(lambda: [call(*each.split()) for each in requests], "truncate")
    said = "left out: truncate at HeadObject /b/k (its answer has nothing to cut)"
    assert (texts(exploration), left_out(exploration)) == (["truncate,method=GET,path=/b/k,times=1"], [said])
    exploration = passing(
        lambda: [call(*each.split()) for each in requests], "truncate,of=cos:SlowDown,method=GET", "gateway"
    )
    assert left_out(exploration) == []


def test_what_the_journal_keeps_back():
    """A rule that asks about it cannot be placed, and that is named."""
    exploration, error = exploring(lambda: send("GET", "/b/k?mine=x"), "gateway", "reset,query.mine=x")
    assert str(error).splitlines()[-2:] == [
        (
            "left out: reset at GetObject /b/k (the journal does not record what query.mine=x asks "
            "about; use another condition)"
        ),
        "incomplete: reset,query.mine=x was injected in no run (nearest: GET /b/k)",
    ]
    assert exploration.runs != []


def test_uploads_are_broken_in_their_middle():
    """A set resets each body at its half; a named reset comes where the body is long enough."""

    def code():
        attempts("PUT", "/b/long", data=b"x" * 9)
        attempts("PUT", "/b/one", data=b"x")

    exploration = passing(code, "gateway")
    broken = [each for each in texts(exploration) if "after_bytes" in each]
    assert (broken, left_out(exploration)) == (["reset,method=PUT,path=/b/long,times=1,after_bytes=4"], [])
    exploration, _ = exploring(code, "reset,after_bytes=5")
    assert (texts(exploration), left_out(exploration)) == (
        ["reset,method=PUT,path=/b/long,times=1,after_bytes=5"],
        ["left out: reset at PutObject /b/one (its body ends before)"],
    )


def test_an_upload_that_is_shorter_in_its_run():
    """An upload that is shorter in its run cannot be known before, and is reported."""
    bodies = [b"x" * 9, b"x" * 9]
    exploration, _ = exploring(
        lambda: attempts("PUT", "/b/k", data=bodies.pop() if bodies else b"x"), "reset,after_bytes=5"
    )
    assert left_out(exploration) == ["left out: reset at PutObject /b/k (its body ends before)"]
