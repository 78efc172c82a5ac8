"""The lines of the log at the start."""

import subprocess
import sys

from faultinject import Injector, Rule, WSGIFaultMiddleware, inject
from faultinject.exceptions import StoreUnavailableError, UnsupportedServerError
from faultinject.journal.log import Failures


def announced(caplog, rules):
    Injector(rules, seed=1).announce()
    return caplog.messages[-1]


def test_a_rule_and_a_seed_stay_on_their_line(caplog):
    """A line end or a terminal's escape in a rule or seed is escaped.

    The control API and `x-faultinject-rules` take both from requests.
    """
    Injector(Rule("http:503", message="a\nERROR b\x1b[2J\u202e"), seed="1\r\n2").announce()
    assert caplog.messages == [
        r'faultinject is on: seed 1\r\n2, rules http:503,message="a\nERROR b\x1b[2J\u202e"'
    ]


def test_many_rules_are_counted(caplog):
    """Ten thousand rules are not half a megabyte of log."""
    rules = [f"http:503,path=/{number}" for number in range(25)]
    assert announced(caplog, " ".join(rules)).endswith("http:503,path=/19 and 5 more")
    assert announced(caplog, " ".join(rules[:20])).endswith("http:503,path=/19")


def test_a_long_rule_is_cut(caplog):
    """A message of 100 kB stays out of the log."""
    told = announced(caplog, f"http:503,message={'x' * 100_000}")
    assert told == f"faultinject is on: seed 1, rules http:503,message={'x' * 483}…"
    assert announced(caplog, f"http:503,message={'x' * 483}") == told.removesuffix("…")


def test_errors_of_ours_are_counted(caplog):
    """Each is counted, a hundred are kept, and each rule's first is logged; a store's are apart."""
    failures = Failures()
    for number in range(101):
        failures.note(ValueError(f"{number}"), "ab"[number % 2])
    failures.note(StoreUnavailableError("gone"), "c")
    assert (failures.number, len(failures.errors), failures.undecided) == (101, 100, 1)
    assert caplog.messages == [
        f"faultinject: rule {name} failed, the request passed untouched" for name in "ab"
    ]


def test_a_server_that_is_not_supported_is_logged_as_it_is(caplog):
    """No rule is to blame for it."""
    Failures().note(UnsupportedServerError("eventlet is not supported"), "a")
    assert caplog.messages == ["faultinject: eventlet is not supported"]


def test_what_hardly_any_request_matches_is_said(caplog):
    """At the start, by the rule's name, with the nearest; the rule is in force all the same."""
    Injector("http:503,method=PUTT http:500,name=two,method=GET,unless.method=HAED", seed=1).announce()
    assert [(each.levelname, each.getMessage()) for each in caplog.records[1:]] == [
        ("WARNING", "faultinject: rule-1: method=PUTT: HTTP knows no such method; did you mean PUT?"),
        ("WARNING", "faultinject: two: unless.method=HAED: HTTP knows no such method; did you mean HEAD?"),
    ]


def test_many_doubts_are_counted(caplog):
    """Ten thousand slips are not ten thousand lines."""
    told = announced(caplog, " ".join(f"http:503,path=/{number},method=PUTT" for number in range(25)))
    assert (told, len(caplog.messages)) == ("faultinject: and 5 more warnings about rules", 22)


def test_rules_that_come_later_are_doubted_too(caplog):
    """By whatever door, each once: a loop of a thousand blocks says it once."""
    app = WSGIFaultMiddleware(
        lambda environ, start_response: [], []
    )  # a block that reaches nothing is an error
    caplog.clear()
    for _ in range(2):
        with inject("http:503,method=PUTTT") as faults:
            faults.add("http:500,method=GETT,name=two")
            faults.add("http:500")
            faults.clear()
        Injector("http:503", seed=1).use("http:503,method=LATERR")
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("WARNING", "faultinject: rule-1: method=PUTTT: HTTP knows no such method; did you mean PUT?"),
        ("WARNING", "faultinject: two: method=GETT: HTTP knows no such method; did you mean GET?"),
        ("WARNING", "faultinject: rule-1: method=LATERR: HTTP knows no such method"),
    ]
    del app


def test_it_is_said_whether_or_not_logging_is_loaded():
    """Without logging loaded, standard error gets the very line that logging would write."""
    announce = "faultinject.Injector('http:503', seed=1).announce()\n"
    script = f"import faultinject\n{announce}import logging\n{announce}"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stderr == "faultinject is on: seed 1, rules http:503\n" * 2
