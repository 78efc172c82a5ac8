"""The suggestion in a message is right itself."""

import re

from faultinject import Scenario, vendors
from faultinject.exceptions import ConfigurationError
from faultinject.rules.environment import read_environment
from tests.rows import each_row

NAMES = vendors.names()
RIGHT = ("drip,rate=10KB", "truncate,of=cos:SlowDown", "http:503,hint=date", "truncate,per=key")
WRONG = (
    "https:503", "http:200", "https:200", "HTTP:abc", "htp:99", "htp:", "503", "200", "600", "aws", "azure", "qiniu:AccessDenied", "SlowDown", "slowdown", "s3:Slow", "s4:SlowDown",
    "cos:SlowDown/2", "jss:403/2", "http:503,probability=30%", "http:503,probability=200%", "http:503,delay=5", "http:503,delay=2s..1s",
    "http:503,size=2KB..1KB", "http:503,host=a:80", "http:503,host=a.", "http:503,host=:80", "http:503,host=.", "http:503,host==a.", "http:503,sample=x",
    "http:503,sample=0.5", "http:503,sample=0.05:client", "http:503,sample=client.a:0.1", "http:503,sample=header.a", "http:503,sample=client:5%",
    "http:503,sample=200%", "http:503,method=PUT|get", *(f"{each}:{status}" for each in NAMES for status in (429, 503)),
)  # fmt: skip
VARIABLES = {
    "STORE": ("memory:", "memory:x", "memory", "file:faults?replace", "/x?y", "/x", "x", "redis://h?prefix=a", "redis", "rediss//h"),
    "ABORT": ("5xx>5%/1m,min=50", "5xx>5/1m", "5xx>5%", "5xx>=5%/1m", "5xx5%/1m", ">5%/1m", "5xx>500/1m", "5xx>0.5/1m"),
    "CONTROL": ("/faults", "faults", "127.0.0.1:8765", ":8765", "8765", "99999", ":99999", "http://127.0.0.1:8765", "http://x/y", "http://"),
    "EXPIRES": ("2026-01-01T00:00:00", "5m", "5"),
    "CONTROL_HOSTS": ("a.b", "a.b:80", "http://a.b", "a.b/", "*."),
    "ENDPOINT": ("a.b", "a.b:80", "http://a.b", "a.b/", ".a.b", "*.a.b"),
    "SEED": ("1",), "MAX_ACTIVE": ("5",), "HEADER": ("0", "maybe"), "WATCH": ("1",),
}  # fmt: skip


def misspellings(text):
    """It without one of its letters."""
    yield from (text[:at] + text[at + 1 :] for at, each in enumerate(text) if each.isalpha())


def suggested(message):
    """The suggestions of a message, one by one."""
    for found in re.findall(
        r"did you mean (?:an error of .*?, such as )?(.+?)\?(?=$|[\s;(])", message, re.MULTILINE
    ):
        for each in re.split(r", | or ", found):
            if not re.fullmatch(r"\d+ more", each):
                yield each.strip("'")


def refused(read, text):
    """The mistakes in a text; nothing where there is none."""
    try:
        read(text)
    except ConfigurationError as error:
        return error.problems
    return []


def places(text):
    """The text with a gap for each of its parts, the largest first."""
    marks = [0, *(at for found in re.finditer(r"[,=:.]", text) for at in found.span()), len(text)]
    found = {(text[:first], text[last:]) for first in marks for last in marks if first < last}
    return sorted(found, key=lambda each: len("".join(each)))


def check(read, text):
    """Check that each suggestion is right somewhere in the text."""
    for problem in refused(read, text):
        for each in suggested(problem.message):
            right = each in NAMES or not all(refused(read, head + each + tail) for head, tail in places(text))
            assert right, f"{text}: {problem.message}"


@each_row("text", [*WRONG, *(other for text in RIGHT for other in sorted({*misspellings(text)}))])
def test_what_is_suggested_in_a_rule_is_right(text):
    """Whatever is misspelt in it."""
    check(Scenario.parse, text)


@each_row(("variable", "value"), [(name, value) for name, values in VARIABLES.items() for value in values])
def test_what_is_suggested_for_a_variable_is_right(variable, value):
    """Whatever is wrong in its value."""

    def read(text):
        name, _, said = text.partition("=")
        read_environment(
            {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "http:503", f"FAULTINJECT_{name}": said},
            now=0.0,
        )

    check(read, f"{variable}={value}")
