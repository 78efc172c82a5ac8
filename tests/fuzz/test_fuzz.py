"""Odd input of every kind: a short look in every run, a long one with `-m slow`."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import targets

LINES = gzip.decompress(Path(__file__, "../../audit/cos.jsonl.gz").resolve().read_bytes()).splitlines()[:12]
WORDS = (
    "cos:SlowDown", "s3:", "http:", "503", "latency", "delay=", "times=", "path=", "key=", "query.", "header.", "set.", "unless.",
    "operation=", "name=", "method=", "probability=", "above=", "message=", "when=after", "1s", "2", "0.5", "10/s", "1KiB..", "*",
    "~", "[", "]", "{", "}", "|", ",", ";", "\n", "\r\n", "\t", " ", "=", '"', "'", "\\", "#", ":", "/", "?", "&", "%", "%0a", "%9b",
    "[[rules]]\n", "fault = ", "rules = ", "seed = ", "true", "null", '{"rules":[', '"fault":', "..", "-", "--", "@",
)  # fmt: skip
SIGNS = (
    "\0", "\x07", "\x1b[2J", "\x1b]0;x\x07", "\x7f", "\x85", "\x9b31m", "\xa0", "\xad", "\u200b", "\u200f", "\u2028", "\u2029",
    "\u202e", "\u2066", "\ufeff", "\ufffe", "\U000e0041", "\udc9b", "\ud800", "é", "漢", "\N{GRINNING FACE}",
)  # fmt: skip


def texts(size):
    """Words of ours, signs that do not print, and anything."""
    pieces = st.sampled_from(WORDS) | st.sampled_from(SIGNS) | st.text(max_size=6)
    return st.lists(pieces, max_size=size).map("".join)


FAULTS = (
    "cos:SlowDown",
    "http:503",
    "latency",
    "s3:@throttle",
    "truncate",
    "drip",
    "oneof",
    "hang",
    "gcs:x",
    "http:99",
    "reset",
)
KEYS = (
    "times=2", "probability=0.5", "delay=1s", "delay=100ms..2s", "delay=0.5x", "size=..1KiB", "size=5MiB..", "above=5/10s",
    "above=x/", "when=after", "method=PUT", "path=a/**", "key=*.jpg", "query.a=", 'query."a b"=1', "header.x=1", "unless.key=b",
    "name=a", "status=500", "set.x-a=b", "retry_after=2s", "keep_bytes=1", "rate=10", "of=cos:SlowDown", "of=s3:@throttle", "skip=1", "tims=2", "=1",
)  # fmt: skip


def rules(size):
    """Rules that are nearly right."""
    quoted = texts(2).map(lambda text: f'path="{text}"')
    escaped = st.sampled_from(
        (r'path="\"a"', r'message="a \\ b"', r'key="a\b"', 'path="a', 'path=a"b', '"a"=b')
    )
    keys = st.lists(st.sampled_from(KEYS) | quoted | escaped | texts(2), max_size=4)
    rule = st.tuples(st.sampled_from(FAULTS) | texts(1), keys).map(lambda each: ",".join((each[0], *each[1])))
    return st.lists(rule, min_size=1, max_size=size).map(";".join)


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), texts(3), st.lists(st.integers(), max_size=2)
)


def tables(size):
    """TOML and JSON of rules that are nearly right."""
    plain = st.sampled_from([each for each in KEYS if '"' not in each and "=" in each[1:]])
    pair = plain.map(lambda each: '{} = "{}"'.format(*each.split("=", 1)))
    pairs = st.lists(pair | texts(1), max_size=3)
    fault = st.sampled_from(FAULTS).map('fault = "{}"'.format)
    table = st.tuples(fault, pairs).map(lambda each: [each[0], *each[1]])
    inline = st.lists(table, max_size=size).map(
        lambda found: "rules = [" + ",\n".join("{" + ", ".join(each) + "}" for each in found) + "]"
    )
    lines = st.lists(table, max_size=size).map(
        lambda found: "seed = 1\n" + "".join("[[rules]]\n" + "\n".join(each) + "\n" for each in found)
    )
    data = st.dictionaries(
        st.sampled_from(("fault", "times", "path", "delay", "query", "x")),
        VALUES | st.sampled_from(FAULTS),
        max_size=3,
    )
    as_json = st.lists(data, max_size=size).map(lambda found: json.dumps({"rules": found, "seed": 1}))
    return inline | lines | as_json


def latin(size):
    """Texts as a server hands them on: bytes, read as Latin-1."""
    return texts(size).map(lambda text: text.encode("utf-8", "surrogatepass").decode("latin-1"))


NAMES = "RULES RULE_A FILE SEED HEADER ENDPOINT MAX_ACTIVE EXPIRES PRODUCTION JOURNAL STORE ENABLED \x1b[31m".split(
    " "
)
HEADERS = (
    "host", "user-agent", "authorization", "range", "if-match", "x-forwarded-for", "content-type", "amz-sdk-request",
    "amz-sdk-invocation-id", "x-amz-copy-source", "traceparent", "x-goog-api-client", "expect", "transfer-encoding",
)  # fmt: skip
METHODS = st.sampled_from(("GET", "PUT", "POST", "HEAD", "DELETE", "OPTIONS", "G\x1bT", "\u202e"))


@st.composite
def journals(draw):
    """Lines of a real journal with fields changed, cut and mixed with others."""
    lines = []
    for line in draw(st.lists(st.sampled_from(LINES), max_size=6)):
        fields = json.loads(line)
        for name in draw(st.lists(st.sampled_from([*fields, "v", "ended", "parent"]), max_size=3)):
            fields[name] = draw(
                texts(3) if isinstance(fields.get(name), str) and draw(st.booleans()) else VALUES
            )
        lines.append(json.dumps(fields).encode()[: draw(st.sampled_from((None, None, None, -1, 40)))])
    lines += draw(st.lists(st.binary(max_size=9), max_size=1))
    return draw(st.sampled_from((b"\n", b"\n", b"\r\n", b""))).join(lines) + draw(
        st.sampled_from((b"\n", b""))
    )


FUZZED = {
    "rule text": (targets.rule_text, st.tuples(rules(3) | texts(9)), 60),
    "toml": (targets.toml, st.tuples(tables(3) | texts(12)), 50),
    "environ": (
        targets.environ,
        st.tuples(st.dictionaries(st.sampled_from(NAMES), texts(4), max_size=4)),
        50,
    ),
    "exchange": (
        targets.exchange,
        st.tuples(
            st.integers(0, len(targets.RULES) - 1), METHODS, latin(5).map("/".__add__), latin(5),
            st.dictionaries(st.sampled_from(HEADERS), latin(4), max_size=3), st.binary(max_size=20),
        ),
        25,
    ),
    "journal": (targets.journal, st.tuples(journals()), 30),
    "command": (targets.command, st.tuples(st.integers(0, len(targets.COMMANDS) - 1), texts(4)), 60),
}  # fmt: skip
"""For each target what it is given, and how many times in every run."""


def look(name, times):
    """Run one target so many times with other input each time."""
    target, inputs, _ = FUZZED[name]

    @settings(max_examples=times, suppress_health_check=[*HealthCheck])
    @given(inputs)
    def run(given):
        target(*given)

    run()


@pytest.fixture(autouse=True)
def nothing_of_the_machine(monkeypatch, tmp_path):
    """Files that are made by mistake lie in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", FUZZED)
def test_fuzz(name):
    """A short look."""
    look(name, FUZZED[name][2])


@pytest.mark.slow
@pytest.mark.parametrize("name", FUZZED)
def test_fuzz_for_long(name):
    """The same with eight times as much."""
    look(name, FUZZED[name][2] * 8)
