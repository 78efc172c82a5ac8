"""The report as an HTML page."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from faultinject.audit.reports import render
from faultinject.exceptions import MissingExtraError
from tests.journals import judged

from .judged import apart, attempt, call, finding, given, judgement
from .rows import FAIL, INCONCLUSIVE, PASS

HOSTILE = (
    "</style></title><script>alert(1)</script><img src=x onerror=alert(1)>\"'`&amp;{{7*7}}{% raw %}]]>-->"
)
UNSEEN = "\x00\x1b[31m\u202e\u2066\ud800\uffff\r\n"
TAGS = frozenset(
    "a b body code desc details div figure g h1 h2 h3 head html li main meta p path rect section span style summary svg"
    " table tbody td text th thead title tr ul".split()
)
ATTRIBUTES = frozenset(
    "aria-hidden charset class content d height href http-equiv lang name role scope text-anchor viewbox"
    " width x y".split()
)


class Page(HTMLParser):
    """A page, taken apart."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.source, self.tags, self.attributes, self.text = text, [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *each) for each in attrs]

    def handle_data(self, data):
        self.text += data

    def rows(self, heading):
        """The cells of the table that follows the heading, its head first."""
        table = re.search(rf">{heading}</.*?<table(.*?)</table>", self.source, re.DOTALL)[1]
        rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
        return [[words(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]

    def picture(self, name):
        """The first picture of that name."""
        [first, *_] = re.findall(rf"<svg [^>]*><title>{name}</title>.*?</svg>", self.source)
        return first


def words(source):
    """The text of a piece of a page."""
    return " ".join(re.sub(r"<title>.*?</title>|<[^>]*>", " ", source).split())


def html(found):
    return render(found, "html")


def shown(*calls, findings=None, **more):
    """The page about calls."""
    return Page(html(judgement(*(findings or [finding("gives up", PASS)]), made=calls, **more)))


def unknown(page):
    """The tags and attributes of a page that it may not have."""
    attributes = [each for each in page.attributes if each[1] not in ATTRIBUTES]
    return [each for each in page.tags if each not in TAGS], attributes


def links(page):
    """The addresses that it leads to."""
    return [value for _, name, value in page.attributes if name == "href"]


def tried(*waits, start=0.0, fault="http:500", status=500, well=False, name=None, **more):
    """A call that is retried after these waits; the last attempt ends it well or not."""
    attempts = [attempt(1, start, fault, status, **more)]
    for number, wait in enumerate(waits, 2):
        attempts.append(attempt(number, attempts[-1]["answered"] + wait, fault, status, **more))
    if well:
        attempts[-1] = attempt(len(attempts), attempts[-1]["arrived"], None, 200, **more)
    return call(*attempts, name=name)


def test_it_needs_nothing_else():
    """Nothing is loaded, nothing runs, and the page's policy allows only its own style sheet."""
    found = shown(tried(0.1, well=True))
    style = re.search(r"<style>(.*?)</style>", found.source, re.DOTALL)[1]
    loads = re.findall(r"url\(|@import|https?:", style)
    assert (*unknown(found), links(found), loads) == ([], [], [], [])
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert ("meta", "content", policy) in found.attributes


def test_findings_first():
    """The worst finding is first; each has its observation, its requests and its advice."""
    wrong = finding(
        "retry-after", FAIL, "seconds: 5 of 5 retried after 0.50 s instead of 3 s", reference="RFC 9110 (https://example.org/9110#a)",
        calls=[call(attempt(1, 0.0, hint=3.0, hint_form="seconds"), attempt(2, 0.501, None, 200))],
        subject="seconds", action="Wait as long as the answer asks.",
    )  # fmt: skip
    found = Page(html(judgement(*judgement().findings[1:], wrong)))
    assert re.findall(r'<title>(R.*?)</title>|<p class="result fail">(.*?)</p>', found.source) == [
        ("Retries of Boto3/1.44.5", ""),
        ("", "FAIL: retry-after: seconds: 5 of 5 retried after 0.50 s instead of 3 s (and 1 more finding)"),
    ]
    said = " ".join(found.text.partition("Findings")[2].split())
    assert said.startswith(
        "✕ FAIL retry-after: seconds 5 of 5 retried after 0.50 s instead of 3 s (n = 5)"
        " GET /photos/cat.jpg: 503 SlowDown (asked for 3.00 s), 0.50 s later 200 seq 1 2"
        " → Wait as long as the answer asks. See RFC 9110 (https://example.org/9110#a)"
        " ! WARN retry budget requests per operation 3.0 → 3.0 (n = 120)"
    )
    rest = (
        "passed: retries (503 SlowDown, 500), gives up.",
        "overlap, non-idempotent retry: no slow requests",
    )
    assert [each for each in rest if each not in found.text] == []
    headings = re.findall(r"<h\d>(.*?)</h\d>", found.source)
    assert (links(found), headings) == (
        ["https://example.org/9110#a"],
        ["Retries of Boto3/1.44.5", "Findings", "Single calls", "Wait before each retry"],
    )


def test_what_the_verdicts_rest_on():
    """The result is followed by the skipped lines; the grouping of calls can be unfolded."""
    judged = judgement(left_out={"shared": 3}, skipped={"torn": 1})
    facts, _, measured = " ".join(Page(html(judged)).text.split()).partition("How this was measured")
    assert re.search(r"Left out: 3 calls that ran at the same time.*Skipped lines: torn \(1\)\.", facts)
    assert "Attempts were grouped into calls by SDK id (1,200), fingerprint (43)." in measured


def test_what_everybody_asks_first():
    """The page has the numbers, the times, the failed calls, and the driver's name if any."""
    more = {
        "failed_after": {"503 SlowDown": 4, "no fault": 1, "500": 2, "404": 1, "reset": 1},
        "calls": 12,
        "began": 1_800_000_000.0,
        "ended": 1_800_090_000.0,
        "rules": given("busy", 5, 1),
    }
    source = html(judgement(title="acme 2.1", client="node", **more))
    told = re.findall(r"<(?:h1|li)>(.*?)</(?:h1|li)>", source)
    assert told[:3] == [
        "Retries of acme 2.1",
        "12 calls, 3,531 attempts in 6.01 s, 2027-01-15 08:00:00 to 2027-01-16 09:00:00 UTC.",
        "9 of 12 calls failed for good: 4 after 503 SlowDown, 2 after 500, 1 without a fault, 2 after others.",
    ]
    assert {"User agent: node.", "Faults of busy (cos:SlowDown): 5 injected, 1 refused, 0 failed."} < {*told}
    assert "1e+99 to 1e+99 UTC" in html(judgement(began=1e99, ended=1e99))


def test_nothing_to_judge():
    """A journal without faults has no empty pictures."""
    assert "svg" not in shown(findings=(finding("gives up", INCONCLUSIVE, "no call failed", 0),)).tags


def test_hostile_texts():
    """Texts of requests and journals are shown as text, with escapes for invisible characters."""
    evil = HOSTILE + UNSEEN
    texts = {
        "method": evil,
        "path": f"/{evil * 9}",
        "query": evil,
        "user_agent": evil,
        "key": evil,
        "test": evil,
    }
    calls = [tried(0.1, well=True, name=evil, **texts) for _ in range(3)]
    calls[0].returned, calls[0].error = False, evil
    findings = [
        finding("retries", FAIL, evil, reference=evil, calls=calls, subject=evil, client=evil),
        finding("gives up", INCONCLUSIVE, evil, reference=evil),
        finding("backoff", PASS, evil, reference=evil),
    ]
    more = {
        "made": [*calls, tried(0.1, user_agent=f"other {evil}")],
        "client": evil,
        "signal": {evil: 1},
        "left_out": {"shared": 1},
        "skipped": {evil: 1},
    }
    found = Page(html(judgement(*findings, title=evil, **more)))
    unseen = re.findall(r"[\x00-\x09\x0b-\x1f\x7f\u202e\u2066\ud800-\udfff\uffff]", found.source)
    assert (*unknown(found), unseen) == ([], [], [])
    read = ("<script>alert(1)</script>", "{{7*7}}{% raw %}", r"\x00\x1b[31m\u202e\u2066\ud800\uffff\r\n")
    assert [each for each in read if each not in found.text] == []


@pytest.mark.parametrize(
    ("made", "bad", "good", "asked", "notes"),
    [
        (tried(0.1, 0.2), 3, 0, 0, []),
        (tried(0.1, well=True), 1, 1, 0, []),
        (tried(0.5, well=True, hint=3.0), 1, 1, 2, ["too early"]),
        (tried(2.96, well=True, hint=3.0), 1, 1, 2, []),
        (call(attempt(1, 0.0, request_bytes=9), attempt(2, 0.5, request_bytes=0)), 2, 0, 0, ["other bytes"]),
        (call(attempt(1, 0.0, "reset", None, did="reset", answered=None), attempt(2, 1.0)), 2, 0, 0, []),
        (call(attempt(1, 0.0, hint=1e11), attempt(2, 1.0)), 2, 0, 1, ["too early"]),
    ],
)  # fmt: skip
def test_a_call_in_the_timeline(made, bad, good, asked, notes):
    """Failures are crosses, successes dots, requested waits boxes; early retries are noted."""
    picture = shown(made).picture("Single calls")
    crosses, dots = ("".join(re.findall(rf'd="([^"]*)" class="{look}"', picture)) for look in ("bad", "good"))
    marks = (crosses.count("l6 6"), dots.count("h.01"), picture.count('class="asked"'))
    assert (*marks, re.findall(r'class="note"[^>]*>(.*?)<', picture)) == (bad, good, asked, notes)


@pytest.mark.parametrize(
    ("made", "drawn"),
    [
        # A request whose answer takes its time is as long as it takes.
        (call(attempt(1, 0.0, "latency", 200, did="delayed", answered=0.4), attempt(2, 0.8)), 'class="busy"'),
        # A call that was never retried shows the wait that it was asked for.
        (call(attempt(1, 0.0, hint=3.0)), ">3 s<"),
    ],
    ids=["slow answer", "wait alone"],
)
def test_what_is_drawn_once(made, drawn):
    """In the picture of a call."""
    assert shown(made).picture("Single calls").count(drawn) == 1


def test_a_call_far_longer_than_the_others():
    """A call of minutes ends outside of the picture, and leaves the others their room."""
    picture = shown(*(tried(0.1, 0.2, start=each) for each in range(12)), tried(50.0)).picture("Single calls")
    notes, seconds = (re.findall(each, picture) for each in (r'class="note"[^>]*>(.*?)<', r">([\d.]+ s)<"))
    assert (notes, seconds[-1]) == (["▸ 50.0 s"], "0.6 s")


@pytest.mark.parametrize(("count", "rows"), [(8, 8), (300, 8)])
def test_no_call_is_dropped_silently(count, rows):
    """Of calls of one sort eight have a row, and how many there are is said."""
    found = shown(*(tried(0.1 * (each % 7 + 1), well=True, start=each) for each in range(count)))
    picture = found.picture("Single calls")
    said = f"{rows} of {count} calls have a row" in found.text
    drawn = (picture.count('class="good"'), f">{count} calls<" in picture)
    assert (*drawn, said) == (rows, True, rows < count)


def test_calls_of_many_sorts():
    """Calls that findings point at stand first, then the longest; eight sorts are drawn."""
    calls = [tried(*[0.1] * (each % 3), status=500 + each, fault=f"http:{500 + each}") for each in range(23)]
    wrong = [tried(0.1, status=403, fault="http:403", start=9.0 + each) for each in range(3)]
    page = Page(html(judged([apart(each) for each in (*calls, *wrong)], fast=None)))
    labels = re.findall(r'class="label"[^>]*>(.*?)<', page.picture("Single calls"))
    assert ("403, given up · GET" in labels, labels[0], len(labels)) == (True, "502, given up · GET", 8)
    assert "10 of 26 calls have a row" in page.text


def test_waits_by_kind_and_number():
    """The table has the client's own waits by kind of failure and retry, and no other wait."""
    mixed = call(
        attempt(1, 0.0, "http:500", 500), attempt(2, 0.101, "cos:SlowDown"), attempt(3, 5.0, "http:500", 500)
    )
    calls = [
        tried(0.1, 0.2),
        tried(0.3),
        tried(1.0, fault="cos:SlowDown", status=503),
        mixed,
        tried(9.0, hint=3.0, hint_form="seconds"),
    ]
    broken = tried(0.4, fault="reset", status=None, did="reset")
    unknown = call(
        attempt(1, 0.0, "reset", None, did="reset", answered=None), attempt(2, 6.0, "http:500", 500)
    )
    found = shown(*calls, broken, unknown, tried(7.0, fault="hang", status=None, did="closed"))
    assert found.rows("Wait before each retry") == [
        ["wait", "retry", "n", "shortest", "median", "longest", "documented limit"],
        ["after a throttle error", "1", "1", "1.00 s", "1.00 s", "1.00 s", "–"],
        ["after a server error", "1", "3", "0.10 s", "0.10 s", "0.30 s", "–"],
        ["after a server error", "2", "1", "0.20 s", "0.20 s", "0.20 s", "–"],
        ["after a broken connection", "1", "1", "0.40 s", "0.40 s", "0.40 s", "–"],
    ]


def test_documented_limits():
    """A profile's longest waits stand in the table."""
    found = shown(tried(0.03, 0.05), tried(0.6, fault="cos:SlowDown", status=503), profile="aws-2026")
    assert [row[-1] for row in found.rows("Wait before each retry")] == [
        "documented limit",
        "1.00 s",
        "50 ms",
        "0.10 s",
    ]


def test_late_retries_share_a_row():
    """The ninth and later retries are counted together, so that an endless client has a table."""
    rows = shown(tried(*[0.1] * 70)).rows("Wait before each retry")
    assert [row[1:3] for row in rows[8:]] == [["8", "1"], ["9+", "62"]]


def test_no_waits():
    """If no call was retried, a sentence replaces the table."""
    found = shown(call(attempt(1, 0.0)))
    said = "The client made no backoff of its own" in found.text
    assert (said, "table" in found.tags) == (True, False)


def test_times_far_apart():
    """The page has its pictures for any times, up to tens of thousands of years."""
    absurd = call(
        attempt(1, 0.0, "http:500", 500, answered=-1e11), attempt(2, 9e11, "http:500", 500, hint=9e11)
    )
    found = shown(tried(0.1), tried(0.1, start=9, time=1e11), absurd)
    rows = [row[2] for row in found.rows("Wait before each retry")]
    assert (found.picture("Single calls").count("<g>"), rows) == (4, ["n", "2"])


def test_other_clients_of_the_journal():
    """Each further client has pictures of its own."""
    found = shown(tried(0.1), tried(0.1, start=3), tried(0.2, user_agent="minio/1"))
    assert re.findall(r"<h2>(.*?)</h2>", found.source) == [
        "Single calls",
        "Wait before each retry",
        "Single calls of minio/1",
        "Wait before each retry of minio/1",
    ]


@pytest.mark.slow
def test_ten_thousand_calls_are_no_larger_page_than_one_thousand():
    """The number of drawn calls is limited."""

    def size(count):
        calls = [
            tried(*[0.01 * (each % 90 + 1)] * (each % 5), well=each % 2 > 0, start=each / 10)
            for each in range(count)
        ]
        return len(shown(*calls).source)

    assert size(10_000) < 1.3 * size(1_000) < 200_000


def test_a_call_without_end_is_no_larger():
    """A thousand attempts at the same place are one mark."""
    assert len(shown(tried(*[0.0001] * 5000)).source) < 80_000


def test_without_jinja2(monkeypatch):
    """The message says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"a report in HTML needs jinja2: .*pip install .*\[report\]"):
        render(judgement(), "html")
