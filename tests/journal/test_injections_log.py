"""Each injected fault is a record of the logger `faultinject.injections`, if enabled."""

import logging
import logging.config
import subprocess
import sys

import pytest

from faultinject import Injector
from tests import asking

NAME = "faultinject.injections"


def app(environ, start_response):
    broken = environ["PATH_INFO"] == "/broken"
    start_response("500 Internal Server Error" if broken else "200 OK", [("Content-Length", "3")])
    return [b"app"]


def ask(injector, path="/photos/cat.jpg", method="PUT", **more):
    asking.ask(injector, path, method, app=app, **more)


def make(rules, **more):
    return Injector(rules, seed=1, environ={}, **more)


@pytest.fixture
def records(caplog):
    """The records so far, at the level DEBUG."""
    caplog.set_level(logging.DEBUG, NAME)
    return lambda: [each for each in caplog.records if each.name == NAME]


@pytest.mark.parametrize("record_all", [False, True])
def test_one_record_a_fault(records, record_all):
    """The journal's fields, one by one; nothing of requests that pass."""
    injector = make("cos:SlowDown,path=photos/,times=2", record_all=record_all)
    for path in ("/photos/cat.jpg", "/dogs", "/photos/dog.jpg", "/photos/cat.jpg"):
        ask(injector, path, HTTP_AUTHORIZATION="AWS AKID:c2lnbmF0dXJl")
    first, second = records()
    said = "injected cos:SlowDown (answered 503) into PUT /photos/cat.jpg by rule-1"
    assert (first.levelname, first.getMessage()) == ("DEBUG", said)
    fields = [each.to_dict() for each in injector.journal.outcomes if each.injected]
    assert [{name: getattr(each, name, None) for name in fields[0]} for each in (first, second)] == fields
    assert "c2lnbmF0dXJl" not in repr([vars(first), vars(second)])


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("http:503,path=/a/**", "http:503 (answered 503) into PUT /a/b"),
        ("drip,rate=1MB", "drip (dripped) into PUT /a/b"),
        ("latency,delay=0s", "latency (delayed) into PUT /a/b"),
        ("http:503,when=after", "http:503 (answered 503) into PUT /a/b"),
        ("http:503,delay=1ms", "http:503 (answered 503) into PUT /a/b"),
    ],
)
def test_every_sort_of_fault(records, rule, told):
    """Once each, also those of which the journal has two lines."""
    injector = make(rule)
    ask(injector, "/a/b")
    assert [each.getMessage() for each in records()] == [f"injected {told} by rule-1"]
    assert {each.injected for each in injector.journal.outcomes} == {True}


def test_what_was_not_carried_out(records):
    """A fault that was decided on is told when it is; and once more when it did not take place."""
    ask(make("truncate"), method="HEAD")
    ask(make("http:503,when=after"), "/broken")
    assert [each.getMessage() for each in records()] == [
        "injected truncate (truncated) into HEAD /photos/cat.jpg by rule-1",
        "did not inject truncate (nothing_to_cut) into HEAD /photos/cat.jpg by rule-1 after all",
        "injected http:503 (answered 503) into PUT /broken by rule-1",
        "did not inject http:503 (app_failed) into PUT /broken by rule-1 after all",
    ]


def test_a_refused_fault_is_none(records):
    """Too many under way."""
    injector = Injector("http:503", environ={"FAULTINJECT_MAX_ACTIVE": "0"})
    ask(injector)
    assert ([each.did for each in injector.journal.outcomes], records()) == (["refused"], [])


def test_control_characters_are_escaped(records):
    """In the message and in every field: a path writes no line of its own."""
    ask(
        make("http:503"),
        "/a\r\nb\u202e\x1b[31m".encode().decode("latin-1"),
        HTTP_USER_AGENT="evil\nagent",
        HTTP_AMZ_SDK_REQUEST="attempt=2; max=\x1b3",
        HTTP_AMZ_SDK_INVOCATION_ID="i\nd",
    )
    [record] = records()
    assert (record.path, record.user_agent) == ("/a\\r\\nb\\u202e\\x1b[31m", "evil\\nagent")
    values = [record.getMessage(), *vars(record).values(), *record.attempt_hint.values()]
    texts = [each for each in values if isinstance(each, str) and each != record.pathname]
    assert [each for each in texts if not each.isprintable()] == []


def test_the_level_counts_as_it_is_now(caplog):
    """Set before, set later, taken away again, by whatever means."""
    injector = make("http:503")
    log = logging.getLogger(NAME)
    before = log.level

    def told():
        caplog.clear()
        ask(injector)
        return sum(each.name == NAME for each in caplog.records)

    changes = (
        lambda: None,
        lambda: log.setLevel(logging.DEBUG),
        lambda: logging.disable(logging.DEBUG),
        lambda: logging.disable(logging.NOTSET),
        lambda: setattr(log, "disabled", True),
        lambda: (setattr(log, "disabled", False), log.setLevel(logging.INFO)),
        lambda: logging.config.dictConfig(
            {
                "version": 1, "incremental": True, "loggers": {"faultinject": {"level": "DEBUG"}, NAME: {"level": "NOTSET"}},
            }
        ),
    )  # fmt: skip
    found = []
    try:
        for change in changes:
            change()
            found.append(told())
    finally:
        log.setLevel(before)
        logging.getLogger("faultinject").setLevel(logging.NOTSET)
        logging.disable(logging.NOTSET)
    assert found == [0, 1, 0, 1, 0, 0, 1]


def test_nothing_is_loaded_for_it():
    """logging takes its time to load: where nobody has, nobody has set a level."""
    script = """
import sys
import faultinject

def app(environ, start_response):
    start_response("200 OK", [])
    return []

app = faultinject.install(app, "http:503", enabled=True)
app({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None)
assert "logging" not in sys.modules
import logging
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, format="%(name)s %(rule)s")
app({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == f"{NAME} rule-1\n"


def test_a_handler_that_fails_breaks_no_request(records, caplog, monkeypatch):
    """A failing handler is reported like any failure of the journal."""

    class Failing(logging.Handler):
        def emit(self, record):
            raise OSError("full")

    monkeypatch.setattr(logging.getLogger(NAME), "handlers", [Failing()])
    injector = make("http:503")
    ask(injector)
    assert [each.did for each in injector.journal.outcomes] == ["answered"]
    assert "faultinject: rule rule-1 failed, the request passed untouched" in caplog.messages
