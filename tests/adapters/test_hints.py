"""The wait that an answer asks for: what the client reads, and what the journal says of it."""

import pytest

from faultinject import Injector
from tests.virtual_time import Time

from .conftest import Wsgi
from .transport import App, only


def ask(rules, app=None, **more):
    """Ask through WSGI; gives the headers and the outcome."""
    injector = Injector(rules, seed=1, environ={})
    return Wsgi()(injector, target="/b/k", app=app, **more).headers, only(injector)


@pytest.mark.parametrize(
    ("rule", "hint", "form"),
    [
        ("cos:SlowDown", None, None),
        ("cos:SlowDown,retry_after=1200ms", 2.0, "seconds"),
        ("cos:SlowDown,retry_after=2s,hint=date", 2.0, "date"),
        ("cos:SlowDown,set.retry-after=7", 7.0, "seconds"),
        ("cos:SlowDown,retry_after=2s,set.retry-after=7", 7.0, "seconds"),
        # In floats a little more than whole milliseconds.
        ("cos:SlowDown,retry_after=530000001ms,hint=x-amz-retry-after", 530000.001, "x-amz-retry-after"),
        ("cos:SlowDown,set.x-amz-retry-after=1500", 1.5, "x-amz-retry-after"),
        ("cos:SlowDown,set.x-ms-retry-after-ms=250", 0.25, "x-ms-retry-after-ms"),
        ("cos:SlowDown,set.retry-after=soon", None, "unreadable"),
        ("cos:SlowDown,set.retry-after-ms=soon", None, "unreadable"),
        ('cos:SlowDown,set.retry-after="Fri, 20 Nov 2026 08:00:00 GMT"', None, "date"),
    ],
)
def test_the_journal_says_what_the_answer_says(rule, hint, form):
    """Whoever asked to wait, and however: an effect of the rule, or a header that it sets."""
    headers, outcome = ask(rule)
    assert (outcome.hint, outcome.hint_form) == (hint, form)
    assert sum(name.lower() == "retry-after" for name, _ in headers) == (
        "retry" in rule and "x-" not in rule and "-ms" not in rule
    )


def test_a_vendor_that_asks_some_requests_to_wait():
    """MinIO's answer to HEAD does not: what the journal says is that of the answer."""
    headers, outcome = ask("minio:SlowDownRead", REQUEST_METHOD="HEAD")
    told = [each for each in headers if "retry-after" in each[0].lower()]
    assert (told, outcome.hint, outcome.hint_form) == ([], None, None)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_date_counts_from_the_answer(when):
    """An answer that waits does not name a moment that has passed when it goes out."""
    time = Time(unix=1_800_000_000.25)
    rule = f"cos:SlowDown,delay=30s,retry_after=2s,hint=date,when={when}"
    injector = Injector(rule, environ={}, clock=time.unix, waits=time)
    assert Wsgi()(injector).header("retry-after") == "Fri, 15 Jan 2027 08:00:33 GMT"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_header_that_the_rule_sets_stands_alone(when):
    """Browsers refuse an answer that allows two origins."""
    app = App()
    app.headers += [("Access-Control-Allow-Origin", "https://app.example"), ("Vary", "Origin")]
    rule = f"cos:SlowDown,set.access-control-allow-origin=*,set.vary=x,when={when}"
    headers, _ = ask(rule, app.wsgi, HTTP_ORIGIN="https://a.example")
    told = ("access-control-allow-origin", "vary")
    got = sorted((name.lower(), value) for name, value in headers if name.lower() in told)
    assert got == [("access-control-allow-origin", "*"), ("vary", "x")]
