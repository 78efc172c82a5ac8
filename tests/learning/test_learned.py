"""Rules learned from a log of faults with known rates give the same rates again."""

from __future__ import annotations

import gzip
import io
import tracemalloc
from collections import Counter
from datetime import UTC, datetime

import pytest
from werkzeug.test import Client as Middleware

from faultinject import Injector, Scenario, WSGIFaultMiddleware
from faultinject.exceptions import ConfigurationError
from faultinject.learning.formats import FORMATS
from faultinject.learning.tallies import read_logs
from faultinject.learning.windows import interval
from faultinject.learning.writing import as_toml, learn
from tests.asking import app, get

VENDORS = {
    "s3": ("s3", "s3:SlowDown", "s3:InternalError"),
    "oss": ("oss", "oss:InternalError", "oss:ServiceUnavailable"),
    "cos": ("cos", "cos:SlowDown", "cos:InternalError"),
    **dict.fromkeys(("nginx", "cloudfront"), ("s3", "http:503,vendor=s3", "http:500,vendor=s3")),
}
"""The vendor of a log's requests, with a throttle error and another one."""
REQUESTS = {
    "PutObject": ("PUT", "/bucket-1/k{}"),
    "GetObject": ("GET", "/bucket-1/k{}"),
    "DeleteObject": ("DELETE", "/bucket-1/k{}"),
}
EVENTS = {
    "PutObject": "REST.PUT.OBJECT",
    "GetObject": "REST.GET.OBJECT",
    "DeleteObject": "REST.DELETE.OBJECT",
}
FORMS = {
    "s3": 'o b [{told}] 192.0.2.3 o 3E57 {event} k "{method} {path} HTTP/1.1" {status} {code} 113 - 7 - "-" "x" -',
    "oss": '192.0.2.3 - - [{told}] "{method} {path} HTTP/1.1" {status} 64 127 "-" "x" "h" "id" "true" "1" "Op" "b" "k" 64 10 "{code}" -',
    "cos": "1.0 b ap-x {moment:%Y-%m-%dT%H:%M:%SZ} h {operation} 192.0.2.3 AK - 1 1 {path} {lower} x {status} {code} - 1 1 USER",
    "cloudfront": "{moment:%Y-%m-%d\t%H:%M:%S}\t{method}\t{key}\t{status}",
    "nginx": '192.0.2.3 - - [{told}] "{method} {path} HTTP/1.1" {status} 12 "-" "x"',
}  # fmt: skip
START = datetime(2026, 11, 17, 10, tzinfo=UTC).timestamp()


def journal_of(rules, count, seconds):
    """Send `count` requests of each kind within `seconds`, and return what each got.

    Time, operation, method, path, status, code.
    """
    now = START
    injector = Injector(rules, seed="9", environ={}, clock=lambda: now, record_all=True)
    outcomes, found = {}, []
    injector.journal.follow(lambda outcome: outcomes.update({outcome.path: outcome}))
    for number in range(count):
        now = START + number * seconds / count
        for operation, (method, path) in REQUESTS.items():
            more = {"HTTP_HOST": "127.0.0.1", "wsgi.input": io.BytesIO()}
            status = get(injector, path.format(number), method, **more)
            outcome = outcomes.popitem()[1]
            outcomes.clear()
            code = (
                outcome.fault.partition(":")[2]
                if outcome.fault and not outcome.fault.startswith("http")
                else ""
            )
            found.append((now, operation, method, path.format(number), status, code))
    return found


def line_of(name, time, operation, method, path, status, code):
    """The same as a line of such a log."""
    moment = datetime.fromtimestamp(time, UTC)
    told = moment.strftime("%d/%b/%Y:%H:%M:%S +0000")
    lower, key = method.lower(), path.removeprefix("/bucket-1")
    about = {
        "method": method,
        "lower": lower,
        "path": path,
        "key": key,
        "status": status,
        "code": code or "-",
    }
    return FORMS[name].format(moment=moment, told=told, operation=operation, event=EVENTS[operation], **about)


@pytest.mark.parametrize(
    "name", [each if each == "s3" else pytest.param(each, marks=pytest.mark.slow) for each in FORMATS]
)
def test_known_rates_are_found(name, tmp_path):
    """Each within the interval that is told of it; then the learned scenario gives the same mix."""
    vendor, throttle, broken = VENDORS[name]
    rates = {("PutObject", throttle): 0.2, ("PutObject", broken): 0.1, ("GetObject", throttle): 0.03}
    rules = [
        f"{fault},operation={operation},probability={rate}" for (operation, fault), rate in rates.items()
    ]
    seen = journal_of(rules, 1000, 5000)
    log = tmp_path / "access.log"
    head = (
        ["#Version: 1.0", "#Fields: date time cs-method cs-uri-stem sc-status"]
        if name == "cloudfront"
        else []
    )
    log.write_text("\n".join([*head, *(line_of(name, *each) for each in seen), ""]))

    tally = read_logs([str(log)], None, vendor)
    learned, left_out = learn(tally, vendor, everything=False)
    assert (tally.title, left_out, tally.broken) == (FORMATS[name].title, [], 0)
    found = {(each.rule.conditions["operation"][0], each.rule.fault): each for each in learned}
    # What the second rule of an operation gets is what the first has left.
    expected = {**rates, ("PutObject", broken): 0.1 * 0.8}
    assert {(operation, fault.partition(",")[0]) for operation, fault in expected} == {*found}
    for (operation, fault), rate in expected.items():
        each = found[operation, fault.partition(",")[0]]
        assert each.low <= each.failed / each.requests <= each.high
        low, high = interval(
            each.failed, each.requests, z=3.3
        )  # which chance leaves once in a thousand times
        assert low <= rate <= high, (operation, fault)
        assert not {"begin", "end"} & {*each.rule.options}

    again = Scenario.from_toml(as_toml(learned, left_out, tally, sources=["access.log"]))
    first, second = (
        Counter((operation, status) for _, operation, _, _, status, _ in some)
        for some in (seen, journal_of(again, 1000, 5000))
    )
    assert {*first} == {*second}
    for each in first:
        assert abs(first[each] - second[each]) < 4 * (1000 * 0.25) ** 0.5


def test_a_rule_of_a_method_spares_the_operations_with_rules_of_their_own(tmp_path):
    """A method's rule spares the operations that have rules of their own.

    Requests without an operation fail as often as in the log, and so do the operations of their method.
    """
    log = tmp_path / "access.log"
    targets = {"/bucket-1/k": 75, "/bucket-1/k?uploadId=u": 25}
    log.write_text(
        "".join(
            f'192.0.2.3 - - [17/Nov/2026:10:00:00 +0000] "POST {target} HTTP/1.1" '
            f'{503 if number < failed else 200} 1 "-" "-"\n'
            for target, failed in targets.items()
            for number in range(100)
        )
    )
    tally = read_logs([str(log)], None, "s3")
    learned, _ = learn(tally, "s3", everything=False)
    again = Scenario.from_toml(as_toml(learned, [], tally, sources=["access.log"]))
    asked = Middleware(WSGIFaultMiddleware(app, injector=Injector(again, seed="9", environ={})))
    for target, failed in targets.items():
        found = sum(asked.post(target).status_code == 503 for _ in range(400))
        assert abs(found - 4 * failed) < 4 * (400 * 0.25) ** 0.5, target


def test_an_outage_comes_again(tmp_path):
    """With its begin and end, to within a four-hundredth of the log's time."""
    rules = ["s3:SlowDown,operation=GetObject,probability=0.5,begin=600s,end=900s"]
    seen = journal_of(rules, 1000, 3000)
    log = tmp_path / "access.log"
    log.write_text("\n".join(line_of("s3", *each) for each in seen))
    tally = read_logs([str(log)], "s3", "s3")
    [one], _ = learn(tally, "s3", everything=False)
    assert (one.begin, one.end) == pytest.approx((START + 600, START + 900), abs=3000 / 400 + 1, rel=0)
    low, high = interval(one.failed, one.requests, z=3.3)
    assert low <= 0.5 <= high
    assert (one.rule.value("begin"), one.rule.value("end")) == (one.begin - START, one.end - START)


def test_what_is_left_out(tmp_path):
    """Errors that a client must not retry are left out unless asked for.

    A code that is not documented becomes its status.
    """
    lines = [
        line_of("s3", START + n, "GetObject", "GET", "/b/k", *error)
        for n, error in enumerate([(404, "NoSuchKey"), (403, ""), (503, "NewCode"), (200, "")])
    ]
    log = tmp_path / "access.log"
    log.write_text("\n".join(lines))
    tally = read_logs([str(log)], None, "s3")
    learned, left_out = learn(tally, "s3", everything=False)
    assert [str(each.rule) for each in learned] == ["http:503,operation=GetObject,vendor=s3,probability=0.25"]
    assert {(each.kind, each.error, each.failed) for each in left_out} == {
        ("GetObject", "NoSuchKey", 1),
        ("GetObject", "403", 1),
    }
    learned, left_out = learn(tally, "s3", everything=True)
    assert left_out == []
    assert sorted(each.rule.fault for each in learned) == ["http:403", "http:503", "s3:NoSuchKey"]
    # Each rule has a share of what the rules before it let pass.
    assert [each.rule.value("probability") for each in learned] == [0.25, 0.333333, 0.5]


def written(tmp_path, name, lines, pack=bytes):
    """A file with these bytes as lines."""
    path = tmp_path / name
    path.write_bytes(pack(b"".join(lines)))
    return str(path)


def nginx(second, status, end=b"\n"):
    """One line of it."""
    return line_of("nginx", START + second, "GetObject", "GET", "/b/k", status, "").encode() + end


def test_every_line_is_counted(tmp_path):
    """However many there are beside those by which the format is told."""
    log = written(tmp_path, "access.log", [nginx(n, 503 if n % 10 == 0 else 200) for n in range(1000)])
    tally = read_logs([log], None, None)
    assert (tally.lines, tally.broken) == (1000, 0)
    assert tally.span == (START, START + 1000)
    [counts] = tally.requests.values()
    assert (set(counts.values()), len(counts)) == ({1}, 1000)


def test_several_files_are_one_log(tmp_path, monkeypatch):
    """Several files are read as one log, in any order.

    They may be packed, empty, or have the line ends and the byte order mark of Windows.
    """
    lines = [nginx(n, 503 if n % 10 == 0 else 200) for n in range(900)]
    whole = read_logs([written(tmp_path, "whole.log", lines)], None, None)
    paths = [
        written(tmp_path, "empty.log", []),
        written(tmp_path, "c.log.gz", reversed(lines[600:]), lambda text: gzip.compress(text[:99]) + gzip.compress(text[99:])),
        written(tmp_path, "b.log", [b"\xef\xbb\xbf", *(each.replace(b"\n", b"\r\n") for each in lines[300:600])]),
        written(tmp_path, "blank.log", [b"\n", b"  \r\n"]),
        "-",
    ]  # fmt: skip
    packed = io.BytesIO(gzip.compress(b"".join(lines[:300])))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(packed)))
    assert read_logs(paths, None, None) == whole


def test_a_long_line(tmp_path):
    """Its end is passed over: the next line is not touched by it."""
    long = nginx(0, 503, b" ") + b"x" * (4 * 65_536) + b"\n"
    log = written(
        tmp_path,
        "access.log",
        [long, b"y" * (3 * 65_536) + b"\n", nginx(1, 200), nginx(2, 200, b"")],
    )
    tally = read_logs([log], None, None)
    assert (tally.lines, tally.broken, tally.span) == (4, 1, (START, START + 3))
    assert [(each.file, each.line) for each in tally.examples] == [(log, 2)]


@pytest.mark.parametrize("packed", [bytes, lambda text: gzip.compress(text, 1)])
def test_the_memory_for_a_long_line(tmp_path, packed):
    """A line of 16 MiB takes no more memory than its beginning, packed or not.

    Anybody can write such a line, and packed it is small.
    """
    log = written(tmp_path, "access.log", [nginx(0, 503), nginx(1, 200), b"x" * (16 << 20)], packed)
    tracemalloc.start()
    try:
        tally = read_logs([log], None, None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tally.lines, tally.broken) == (3, 1)
    assert peak < 4 << 20


def test_lines_of_another_form_are_named(tmp_path):
    """Unreadable lines are counted, and the first are named by file and number.

    Their text is not shown: it may be an address or a token.
    """
    bad = [b"203.0.113.%d token=SECRET%d\n" % (n, n) for n in range(9)]
    first = written(tmp_path, "a.log", [nginx(0, 503), bad[0], b"\n", nginx(1, 200), bad[1], nginx(2, 200)])
    second = written(tmp_path, "b.log", [*[nginx(n, 200) for n in range(300)], *bad[2:]])
    tally = read_logs([first, second], None, None)
    assert (tally.broken, tally.lines) == (9, 312)
    assert [(each.file, each.line) for each in tally.examples] == [(first, 2), (first, 5), (second, 301)]
    learned, left_out = learn(tally, None, everything=False)
    head = as_toml(learned, left_out, tally, sources=["a.log", "b.log"]).split("\n\n")[0].splitlines()
    assert head[2:] == [
        "# 9 of 312 lines are of another form, and were left out:",
        f"#   {first}:2", f"#   {first}:5", f"#   {second}:301",
        "#   and 6 more",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([b"#Version: 1.0\n", b"#Fields: date time\n"], "there is no request in it"),
        ([b"x\n"], "a.log: its lines have none of the known formats (cloudfront, s3, oss, cos, nginx); choose one with --format"),
        ([nginx(0, 499)], "there is no request in it; 1 line left out: the client left before the answer"),
    ],
)  # fmt: skip
def test_a_log_without_requests(tmp_path, lines, says):
    """The error says what the log holds instead."""
    path = written(tmp_path, "a.log", lines)
    with pytest.raises(ConfigurationError) as caught:
        read_logs([path], None, None)
    assert str(caught.value).replace(f"{tmp_path}/", "") == says


@pytest.mark.parametrize(
    ("other", "says"),
    [
        *(
            (line_of(name, START, "GetObject", "GET", "/k", 200, ""), f"its lines are of the {FORMATS[name].title}, not of")
            for name in ("cos", "oss")  # the second has the form of the first file as well
        ),
        ("a b c\n", "none of 1 line has the form of"),
    ],
    ids=["cos", "oss", "no format"],
)  # fmt: skip
def test_a_file_of_another_format_among_them(tmp_path, other, says):
    """A file of another format is an error: requests would be missing or misread."""
    paths = [written(tmp_path, "a.log", [nginx(0, 503)]), written(tmp_path, "b.log", [other.encode()])]
    with pytest.raises(ConfigurationError) as caught:
        read_logs(paths, None, None)
    assert str(caught.value) == f"{paths[1]}: {says} the nginx or Apache access log"


def test_a_format_that_is_named_holds_for_all_files(tmp_path):
    """Also for one whose lines have another form as well."""
    other = line_of("oss", START, "GetObject", "GET", "/k", 200, "").encode()
    paths = [written(tmp_path, "a.log", [nginx(0, 503)]), written(tmp_path, "b.log", [other])]
    assert read_logs(paths, "nginx", None).lines == 2


@pytest.mark.parametrize(
    ("log", "vendor", "status", "code", "rule"),
    [
        # No rule has a name that its vendor does not know: an S3 log is read as another service's.
        ("s3", "azure-blob", 503, "ServerBusy", "azure-blob:ServerBusy,operation=blob.download"),
        # The documented error, with the status of the log.
        ("s3", "s3", 500, "SlowDown", "s3:SlowDown,operation=GetObject,status=500"),
        # One of its rows is to be retried.
        ("oss", "oss", 500, "CallbackFailed", "oss:CallbackFailed,operation=GetObject,status=500"),
    ],
)
def test_a_rule_of_a_code(tmp_path, log, vendor, status, code, rule):
    """Read as the requests of a vendor."""
    line = line_of(log, START, "GetObject", "GET", "/b/k", status, code)
    tally = read_logs([written(tmp_path, "a.log", [line.encode()])], None, vendor)
    assert [str(each.rule) for each in learn(tally, vendor, everything=False)[0]] == [rule]


def test_an_error_in_an_answer_that_began_as_a_success(tmp_path):
    """A code behind a status 200 is the error: S3 copies for minutes, and has sent 200 by then."""
    answers = [(200, "InternalError"), (200, ""), (200, "NewCode"), (204, "")]
    lines = [line_of("s3", START + n, "GetObject", "GET", "/b/k", *each) for n, each in enumerate(answers)]
    log = written(tmp_path, "a.log", [f"{each}\n".encode() for each in lines])
    tally = read_logs([log], None, None)
    for everything in (False, True):
        [one], [other] = learn(tally, "s3", everything=everything)
        assert str(one.rule) == "s3:InternalError,operation=GetObject,probability=0.25,status=200"
        assert (other.error, other.failed, other.why) == (
            "NewCode",
            1,
            "in an answer with status 200, and not documented",
        )
