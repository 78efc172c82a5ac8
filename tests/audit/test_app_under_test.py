"""A test's requests to its app are no client's; their answers tell of the calls below."""

from faultinject.journal.call_window import CallWindow
from tests.journals import DENIED, FINE, LOST, RESET, SLOW_DOWN, Made, calls, judged, line
from tests.rows import each_row

REFUSED, CONFLICT = FINE | {"status": 503}, FINE | {"status": 409}
HOSTS = {"host": "localhost", "user_agent": "Werkzeug/3.1.9"}


def asked(number, *below, kind=REFUSED, test="t", at=0.0, gap=0.1, method="GET", **more):
    """A test's requests to its app, `gap` seconds apart, with those that the app makes."""
    found = []
    for place in range(number):
        begins, common = at + 9.0 * place, {"test": test, "method": method}
        own = {**HOSTS, **common, "path": f"/documents/{place}", "key": None, "connection": None, **more}
        found.append(Made([line(begins, kind, took=gap * (len(below) + 1), **own)]))
        common |= {"path": f"/bucket/{place}", "key": str(place)}
        found.append(Made([line(begins + gap * each, what, **common) for each, what in enumerate(below, 1)]))
    return [each for each in found if each.lines]


def said(*groups, **more):
    """List the judged clients, their problems, and the number of requests to the app."""
    found = judged(*groups, fast=None, **more)
    wrong = {(each.check, each.subject): each.verdict for each in found.findings if each.wrong}
    return {found.client, *found.others}, wrong, found.left_out.get("app under test", 0)


DOWN = [SLOW_DOWN, FINE]
STORED = LOST | {"app_status": 200}
WRITES = {"method": "PUT", "gap": 0.2}
ITSELF, BELOW, BOTH = {"Werkzeug/3.1.9"}, {"acme/1.0"}, {"Werkzeug/3.1.9", "acme/1.0"}
TOLD_AN_ERROR = {("lost answer", "told an error"): "WARN"}
SLOW = [Made([line(0.0, REFUSED, took=5.0, path="/bucket/slow", test="t")], None, None)]
UPLOADS = [
    CallWindow("upload", 9.0 * place - 1, 9.0 * place + 2, returned=True, test="t") for place in range(3)
]


@each_row(
    ("groups", "how", "expected"),
    [
        # A test that asks its app gets no fault, and the app refuses while a fault meets what it asks for itself.
        *(([asked(3, *DOWN, kind=kind)], {}, (BELOW, {}, 3)) for kind in (REFUSED, CONFLICT)),
        # So it is of what the app refuses without a look at its storage, as behind a breaker of its own.
        ([asked(3, *DOWN), asked(3, at=90)], {}, (BELOW, {}, 6)),
        ([asked(3, *DOWN, test=None)], {}, (BELOW, {}, 3)),
        # The app and its test may use one library, and one host.
        ([asked(3, *DOWN, host="127.0.0.1", user_agent="acme/1.0")], {}, (BELOW, {}, 3)),
        # Who got a fault is a client; in whose test no fault is behind the app, it is judged by what the app does itself.
        ([asked(3, kind=SLOW_DOWN)], {}, (ITSELF, {("retries", None): "FAIL"}, 0)),
        ([asked(3)], {}, (ITSELF, {("retries", None): "WARN"}, 0)),
        ([asked(3, *DOWN), asked(1, *DOWN, kind=SLOW_DOWN, at=90)], {}, (BOTH, {("retries", None): "FAIL"}, 0)),
        # Once it is known for the app of a test, it is so in each test that gives it no fault.
        ([asked(3, *DOWN, test="one"), asked(3, test="other", at=90), asked(3, test="itself", at=180, kind=SLOW_DOWN)], {}, (BOTH, {("retries", None): "FAIL"}, 6)),
        # A slow request that fails by itself holds the faults of others: they go to one place.
        ([SLOW, calls(3, 0.1, last=FINE, at=1.0, test="t")], {}, (BELOW, {}, 0)),
        # The app's error is one to the callers of the writes below it; a success tells nothing.
        *(([asked(3, STORED, RESET, **WRITES)], how, (BELOW, TOLD_AN_ERROR, 3)) for how in ({}, {"windows": UPLOADS})),
        ([asked(3, STORED, FINE | {"status": 412}, kind=CONFLICT, **WRITES)], {}, (BELOW, {("lost answer", "false conflict"): "FAIL"}, 3)),
        ([asked(3, STORED, RESET, kind=FINE, **WRITES), asked(1, RESET, FINE, at=90)], {}, (BELOW, {}, 4)),
    ],
    ids=lambda row: str(row[1:]),
)  # fmt: skip
def test_who_is_a_client(groups, how, expected):
    """Judge these clients, say what is wrong with them, and count the requests to the app."""
    assert said(*groups, **how) == expected


def test_an_app_that_hides_what_failed_below():
    """A named call is judged with the client that got its fault, not with the first one."""
    below, save = [SLOW_DOWN] * 3, {"kind": FINE, "method": "PUT", "gap": 0.2}
    found = [said(asked(3, *below, *more, **save), windows=UPLOADS)[1] for more in ([], [FINE])]
    assert [each.get(("answers", None)) for each in found] == ["FAIL", None]


def test_the_next_run_of_an_exploration_is_no_retry():
    """A run in which the app refused is over when the next one sends the same request."""
    runs = [*asked(3, DENIED, method="PUT"), *asked(3, FINE, kind=FINE, method="PUT", at=0.3)]
    for number, made in enumerate(runs):
        if made.lines[0]["key"] is not None:
            made.lines[0]["attempt_hint"] = {"invocation": f"{number:032}", "attempt": 1, "max": 3}
    assert said(runs) == (BELOW, {}, 6)


def test_each_run_of_a_test_makes_its_own_calls():
    """The next run sends the refused request under another id."""
    runs = [
        Made(
            [
                line(
                    0.3 * n,
                    DENIED,
                    test="t",
                    path=f"/bucket/{n // 2}",
                    attempt_hint={"invocation": f"{n:032}"},
                )
            ],
            None,
            None,
        )
        for n in range(6)
    ]
    over = [CallWindow(None, 0.3 * n - 0.1, 0.3 * n + 0.1, test="t") for n in range(6)]
    one = [CallWindow(None, 0.0, 2.0, test="t")]
    assert [said(runs, windows=windows)[1].get(("permanent", None)) for windows in (over, one)] == [
        None,
        "WARN",
    ]
