"""What rules must not do that came over HTTP."""

from __future__ import annotations

import pytest

from faultinject import Scenario
from faultinject.exceptions import ConfigurationError
from faultinject.rules.foreign import ELSEWHERE, LASTING, OBEYED, check_foreign, stays

RIGHT = [
    "cos:SlowDown,times=2,path=photos/",
    "reset http:503,set.x-amz-retry-after=3000,set.connection=close",
    "cos:SlowDown,status=302,set.location=/photos/cat.jpg?a=https://b",
    "cos:SlowDown,exact=no,message=https://elsewhere.example",
    "",
]


def refused(text, **more):
    """Where, and why."""
    with pytest.raises(ConfigurationError) as caught:
        check_foreign(Scenario(text), **more)
    return [(each.where, each.message) for each in caught.value.problems]


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right(text):
    """Ordinary rules, and addresses of the same host."""
    check_foreign(Scenario(text))
    check_foreign(Scenario(text), more=frozenset(("http2", "after_bytes")))


def test_every_problem_of_every_rule():
    """Each with its rule, in order."""
    text = "cos:SlowDown,exact=yes,set.x-sendfile=/etc/passwd,name=a reset,http2=yes cos:SlowDown,exact=1"
    exact = "a rule that comes over HTTP sends no exact bytes; leave exact out"
    file = "a rule that comes over HTTP sets no x-sendfile, which a proxy or a browser obeys"
    found = [("a: exact", exact), ("a: set.x-sendfile", file), ("rule-3: exact", exact)]
    assert refused(text) == found
    http2 = ("rule-2: http2", "a rule that comes over HTTP has no http2; leave it out")
    assert refused(text, more=frozenset(("http2",))) == [*found[:2], http2, found[2]]


@pytest.mark.parametrize("name", sorted({*OBEYED, "x-accel-redirect", "x-accel-expires", "x-archive-files", "x-reproxy-file", "access-control-allow-origin"}))  # fmt: skip
def test_headers_that_others_obey(name):
    """By which a proxy sends a file, a browser goes elsewhere, or scripts of other sites may read."""
    message = f"a rule that comes over HTTP sets no {name}, which a proxy or a browser obeys"
    assert refused(f"http:503,set.{name.upper()}=x") == [(f"rule-1: set.{name}", message)]


@pytest.mark.parametrize("name", sorted(LASTING))
def test_headers_that_last(name):
    """What browsers and caches keep."""
    message = f"a rule that comes over HTTP sets no {name}, which lasts longer than the fault"
    assert refused(f"http:503,set.{name}=x") == [(f"rule-1: set.{name}", message)]


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("https://evil.example/a/b", "/a/b"),
        ("https://evil.example", "/"),
        ("//evil.example/a", "/"),
        ("/\\\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        (" //evil.example", "/"),
    ],
)
def test_addresses_elsewhere(name, text, path):
    """Of another host, however a browser reads them."""
    quoted = f'"{text}"' if " " in text or "\\" in text else text
    [(where, message)] = refused(f"http:503,set.{name}={quoted}")
    shown = text.replace("\\\\", "\\")
    assert (where, message) == (
        f"rule-1: set.{name}",
        f"{shown} may lead to another host; did you mean {path}?",
    )


def test_addresses_that_stay():
    """A path is one, also with a colon or a second slash behind its first segment."""
    assert [each for each in ("/", "/a:b", "/a//b", "a", "", "//b", "/\\b") if stays(each)] == [
        "/",
        "/a:b",
        "/a//b",
    ]
