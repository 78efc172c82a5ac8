"""A test's requests to its app are no client's; their answers tell of the calls below."""

from faultinject.journal.call_window import CallWindow
from tests.journals import FINE, LOST, RESET, SLOW_DOWN, Made, calls, judged, line

REFUSED, CONFLICT = FINE | {"status": 503}, FINE | {"status": 409}
HOSTS = {"host": "localhost", "user_agent": "Werkzeug/3.1.9"}


def asked(number, *below, kind=REFUSED, test="t", at=0.0, gap=0.1, method="GET", **more):
    """A test's requests to its app, `gap` seconds apart, with those that the app makes."""
    found = []
    for place in range(number):
        begins = at + 9.0 * place
        took = gap * (len(below) + 1)
        own = {"method": method, "path": f"/documents/{place}", "key": None, "connection": None}
        found.append(Made([line(begins, kind, took=took, test=test, **{**HOSTS, **own, **more})], None, None))
        inner = [
            line(
                begins + gap * (each + 1),
                what,
                test=test,
                path=f"/bucket/{place}",
                key=str(place),
                method=method,
            )
            for each, what in enumerate(below)
        ]
        if inner:
            found.append(Made(inner, None, None))
    return found


def said(*groups, **more):
    """List the judged clients, their problems, and the number of requests to the app."""
    found = judged(*groups, fast=None, **more)
    wrong = {(each.check, each.subject): each.verdict for each in found.findings if each.wrong}
    return {found.client, *found.others}, wrong, found.left_out.get("app under test", 0)


def test_who_asks_the_app_is_no_client():
    """It gets no fault, and the app refuses while a fault meets what it asks for itself."""
    down = [SLOW_DOWN, FINE]
    for kind in (REFUSED, CONFLICT):
        assert said(asked(3, *down, kind=kind)) == ({"acme/1.0"}, {}, 3)
    # So it is of what the app refuses without a look at its storage, as behind a breaker of its own.
    assert said(asked(3, *down), asked(3, at=90)) == ({"acme/1.0"}, {}, 6)
    assert said(asked(3, *down, test=None)) == ({"acme/1.0"}, {}, 3)
    # The app and its test may use one library, and one host.
    assert said(asked(3, *down, host="127.0.0.1", user_agent="acme/1.0")) == ({"acme/1.0"}, {}, 3)


def test_who_got_a_fault_is_a_client():
    """In whose test no fault is behind the app, it is judged by what the app does by itself."""
    assert said(asked(3, kind=SLOW_DOWN)) == ({"Werkzeug/3.1.9"}, {("retries", None): "FAIL"}, 0)
    assert said(asked(3)) == ({"Werkzeug/3.1.9"}, {("retries", None): "WARN"}, 0)
    mixed = asked(1, SLOW_DOWN, FINE, kind=SLOW_DOWN, at=90)
    assert said(asked(3, SLOW_DOWN, FINE), mixed)[2] == 0
    # Once it is known for the app of a test, it is so in each test that gives it no fault.
    one, other, itself = (
        asked(3, *below, test=test, at=at, kind=kind)
        for test, at, kind, below in (
            ("one", 0, REFUSED, [SLOW_DOWN, FINE]),
            ("other", 90, REFUSED, []),
            ("itself", 180, SLOW_DOWN, []),
        )
    )
    assert said(one, other, itself) == ({"acme/1.0", "Werkzeug/3.1.9"}, {("retries", None): "FAIL"}, 6)


def test_parallel_calls_of_a_client_are_its_own():
    """A slow request that fails by itself holds the faults of others: they go to one place."""
    slow = [Made([line(0.0, REFUSED, took=5.0, path="/bucket/slow", test="t")], None, None)]
    assert said(slow, calls(3, 0.1, last=FINE, at=1.0, test="t")) == ({"acme/1.0"}, {}, 0)


def test_the_answer_tells_what_came_of_the_calls_below():
    """The app's error is one to the callers of the writes below it; a success tells nothing."""
    lost = {"method": "PUT", "gap": 0.2}
    found = said(asked(3, LOST | {"app_status": 200}, RESET, **lost))
    assert found[1] == {("lost answer", "told an error"): "WARN"}
    named = [
        CallWindow("upload", 9.0 * place - 1, 9.0 * place + 2, returned=True, test="t") for place in range(3)
    ]
    assert said(asked(3, LOST | {"app_status": 200}, RESET, **lost), told=named)[1] == found[1]
    refused = asked(3, LOST | {"app_status": 200}, FINE | {"status": 412}, kind=CONFLICT, **lost)
    assert said(refused)[1] == {("lost answer", "false conflict"): "FAIL"}
    well = asked(3, LOST | {"app_status": 200}, RESET, kind=FINE, **lost)
    assert said(well, asked(1, RESET, FINE, at=90))[1] == {}


def test_an_app_that_hides_what_failed_below():
    """A named call is judged with the client that got its fault, not with the first one."""
    named = [
        CallWindow("save", 9.0 * place - 1, 9.0 * place + 2, returned=True, test="t") for place in range(3)
    ]
    below, save = [SLOW_DOWN] * 3, {"kind": FINE, "method": "PUT", "gap": 0.2}
    assert said(asked(3, *below, **save), told=named)[1][("answers", None)] == "FAIL"
    assert ("answers", None) not in said(asked(3, *below, FINE, **save), told=named)[1]
