"""What a judgement says as a page."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from faultinject.audit.evidence import Evidence, Turnaround
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, WARN
from faultinject.audit.profiles import get
from faultinject.audit.reports import render, sentences
from faultinject.audit.reports.html import html, page
from faultinject.audit.reports.text import COLUMNS, rows
from faultinject.exceptions import MissingExtra

from .judged import attempt, call, finding, judgement

HOSTILE = (
    "</style></title><script>alert(1)</script><img src=x onerror=alert(1)>\"'`&amp;{{7*7}}{% raw %}]]>-->"
)
UNSEEN = "\x00\x1b[31m\u202e\u2066\ud800\uffff\r\n"
TAGS = frozenset(
    "a b body code desc details div figure g h1 h2 h3 head html li main meta p path rect section span style summary svg"
    " table tbody td text th thead title tr ul".split()
)
ATTRIBUTES = frozenset(
    "aria-hidden charset class content d height href http-equiv id lang name role scope text-anchor viewbox width x y".split()
)


class Page(HTMLParser):
    """A page, taken apart."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.source = text
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *each) for each in attrs]

    def handle_data(self, data):
        self.text += data

    def rows(self, heading):
        """The cells of the table that follows the heading, its head first."""
        source = self.source.split(f">{heading}</", 1)[1]
        table = source[source.index("<table") : source.index("</table>")]
        rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
        return [[words(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]

    def picture(self, name):
        """The first picture of that name."""
        [first, *_] = re.findall(rf"<svg [^>]*><title>{name}</title>.*?</svg>", self.source)
        return first


def words(source):
    """The text of a piece of a page."""
    return " ".join(re.sub(r"<title>.*?</title>|<[^>]*>", " ", source).split())


def shown(*calls, driven=False, profile="rfc", findings=None, **more):
    """The page about calls."""
    promised = get(profile)
    turnaround = Turnaround(0.0003, 0.0015, 20)
    evidence = Evidence(calls, turnaround=turnaround, driven=driven, profile=promised)
    findings = findings or [finding("gives up", PASS)]
    return Page(html(judgement(*findings, evidence=evidence, profile=promised, **more)))


def tried(*waits, start=0.0, fault="http:500", status=500, well=False, name=None, **more):
    """A call that is tried again after these waits; the last attempt ends it well or not."""
    attempts = [attempt(1, start, fault, status, **more)]
    for number, wait in enumerate(waits, 2):
        attempts.append(attempt(number, attempts[-1].answered + wait, fault, status, **more))
    if well:
        attempts[-1] = attempt(len(attempts), attempts[-1].arrived, None, 200, **more)
    return call(*attempts, name=name)


def test_it_needs_nothing_else():
    """Nothing is loaded, nothing runs, and the policy in its head allows just its own style sheet."""
    found = shown(tried(0.1, well=True))
    assert [each for each in found.tags if each not in TAGS] == []
    assert [each for each in found.attributes if each[1] not in ATTRIBUTES] == []
    assert [value for _, name, value in found.attributes if name == "href"] == []
    style = re.search(r"<style>(.*?)</style>", found.source, re.DOTALL)[1]
    assert re.findall(r"url\(|@import|https?:", style) == []
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert ("meta", "content", policy) in found.attributes


def test_findings_first():
    """Verdicts are counted in signs and words; the table has only what is wrong, and each case can be looked at."""
    judged = judgement()
    found = Page(html(judged))
    assert "<title>Retries: Boto3/1.44.5</title>" in found.source
    result = re.search(r'<p class="result fail">(.*?)</p>', found.source)[1]
    assert result == "FAIL: 1 check failed: retry-after: seconds"
    assert found.source.index(result) < found.source.index('<p class="tally">')
    tally = re.search(r'<p class="tally">(.*?)</p>', found.source, re.DOTALL)[1]
    assert words(tally) == "✕ 1 fail ! 1 warning ? 3 not decided ✓ 3 pass"
    wrong = [
        [cell.replace("FAIL", "fail").replace("WARN", "warning") for cell in row]
        for row in rows(judged.findings)
    ]
    assert found.rows("Findings") == [list(COLUMNS), *wrong]
    assert [row[:2] for row in wrong] == [["✕ fail", "retry-after: seconds"], ["! warning", "retry budget"]]
    assert "retry-after: seconds: 1 call that shows it" in found.text
    [shows] = judged.findings[0].calls
    assert f"{sentences.story(shows)} {sentences.place(shows)}" in found.text
    assert f"passed: {sentences.passed(judged.findings)}." in found.text
    assert all(f"{what}: {why}" in found.text for what, why in sentences.undecided(judged.findings))
    assert len(found.rows("All checks with their numbers")) == 9
    headings = re.findall(r"<h\d>(.*?)</h\d>", found.source)
    assert headings == [
        "Boto3/1.44.5", "Findings", "Single calls", "Wait before each retry", "Requests over time", "First answers",
    ]  # fmt: skip


def test_what_the_verdicts_rest_on():
    """How calls were joined, what was left out and what was skipped stands below the counts."""
    judged = judgement(left_out={"shared": 3}, skipped={"torn": 1})
    assert " ".join(sentences.provenance(judged)) in Page(html(judged)).text


def test_nothing_to_judge():
    """A journal without faults says so, and has no empty pictures."""
    found = shown(findings=(finding("gives up", INCONCLUSIVE, "no call failed", 0),))
    assert "Nothing could be judged: no call met a fault, and none retried." in found.text
    assert "svg" not in found.tags


def test_hostile_texts():
    """Whatever a request or a journal says is shown as text, with what cannot be seen as an escape."""
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
    evidence = Evidence(calls, profile=get("rfc"))
    more = {
        "client": evil,
        "signal": {evil: 1},
        "left_out": {evil: 1},
        "skipped": {evil: 1},
        "others": {evil: evidence},
    }
    found = Page(page([judgement(*findings, evidence=evidence, **more)] * 2, title=evil))
    assert [each for each in found.tags if each not in TAGS] == []
    assert [each for each in found.attributes if each[1] not in ATTRIBUTES] == []
    assert {value for _, name, value in found.attributes if name == "href"} == {"#client-1", "#client-2"}
    assert set(re.findall(r"[\x00-\x09\x0b-\x1f\x7f\u202e\u2066\ud800-\udfff\uffff]", found.source)) == set()
    assert "<script>alert(1)</script>" in found.text
    assert "{{7*7}}{% raw %}" in found.text
    assert r"\x00\x1b[31m\u202e\u2066\ud800\uffff\r\n" in found.text


@pytest.mark.parametrize(
    ("made", "bad", "good", "asked", "notes"),
    [
        (tried(0.1, 0.2), 3, 0, 0, []),
        (tried(0.1, well=True), 1, 1, 0, []),
        (tried(0.5, well=True, hint=3.0), 1, 1, 2, ["too early"]),
        (tried(2.96, well=True, hint=3.0), 1, 1, 2, []),
        (call(attempt(1, 0.0, request_bytes=9), attempt(2, 0.5, request_bytes=0)), 2, 0, 0, ["other bytes"]),
        (
            call(attempt(1, 0.0, did="reset", status=None, fault="reset"), attempt(2, 1.0, answered=None)),
            2,
            0,
            0,
            [],
        ),
        (call(attempt(1, 0.0, hint=1e30), attempt(2, 1.0)), 2, 0, 0, ["too early"]),
    ],
)
def test_a_call_in_the_timeline(made, bad, good, asked, notes):
    """Failed attempts are crosses, successes dots, the wait asked for a box, and what came too early says so."""
    picture = shown(made).picture("Single calls")
    marks = {look: "".join(re.findall(rf'd="([^"]*)" class="{look}"', picture)) for look in ("bad", "good")}
    assert (marks["bad"].count("l6 6"), marks["good"].count("h.01")) == (bad, good)
    assert picture.count('class="asked"') == asked
    assert re.findall(r'class="note"[^>]*>(.*?)<', picture) == notes


def test_slow_answers_are_strokes():
    """A request whose answer takes its time is as long as it takes."""
    slow = call(attempt(1, 0.0, None, 200, did="delayed", answered=0.4), attempt(2, 0.8))
    assert shown(slow).picture("Single calls").count('class="busy"') == 1


def test_a_wait_alone_gives_the_axis():
    """A call that was never tried again shows the wait that it was asked for."""
    assert ">3 s<" in shown(call(attempt(1, 0.0, hint=3.0))).picture("Single calls")


def test_a_call_far_longer_than_the_others():
    """One call of an hour does not squeeze all others into a point: it ends outside, and the row says where."""
    picture = shown(*(tried(0.1, 0.2, start=each) for each in range(12)), tried(3600.0)).picture(
        "Single calls"
    )
    assert re.findall(r'class="note"[^>]*>(.*?)<', picture) == ["▸ 3600 s"]
    assert re.findall(r">([\d.]+ s)<", picture)[-1] == "0.6 s"


@pytest.mark.parametrize(("count", "rows"), [(10, 10), (20, 20), (300, 8)])
def test_no_call_is_dropped_silently(count, rows):
    """Few calls have a row each; of many the rest is drawn together, and how many these are is said."""
    found = shown(*(tried(0.1 * (each % 7 + 1), well=True, start=each) for each in range(count)))
    picture = found.picture("Single calls")
    assert picture.count('class="good"') == rows
    assert (f"{rows} of {count} calls have a row" in found.text) is (rows < count)
    assert re.findall(r">\+ (\d+)<", picture) == ([str(count - rows)] if rows < count else [])
    assert f"{count} calls, 2 attempts each" in picture


def test_calls_of_many_sorts():
    """Calls that findings point at stand first, then those asked to wait, then by retries; sorts beyond the eighth are one."""
    calls = [tried(*[0.1] * (each % 3), status=500 + each, fault=f"http:{500 + each}") for each in range(23)]
    calls.append(tried(status=599, fault="http:599", hint=3.0))
    wrong = finding("permanent", FAIL, calls=calls[3:4])
    picture = shown(*calls, findings=(wrong,)).picture("Single calls")
    labels = re.findall(r'class="label"[^>]*>(.*?)<', picture)
    assert labels[:4] == [
        "503, given up · GET",
        "599, asks for 3.00 s, given up · GET",
        "502, given up · GET",
        "505, given up · GET",
    ]
    assert labels[8:] == ["16 further sorts of calls"]
    assert "16 calls, 1 to 3 attempts" in picture


def test_names_of_calls():
    """What a test calls its calls is told, unless each has a name of its own; phases of a plan are not."""

    def labels(names, **more):
        calls = [tried(0.1, name=each, **more.pop("fields", {})) for each in names]
        return set(re.findall(r'class="label"[^>]*>(.*?)<', shown(*calls, **more).picture("Single calls")))

    assert labels(["upload", "upload", None]) == {"upload: 500, given up · GET", "500, given up · GET"}
    assert labels([f"upload {each}" for each in range(20)]) == {"500, given up · GET"}
    assert labels(["thr", "srv"], driven=True) == {"500, given up · GET"}
    for form, asks in (("seconds", ""), ("x-amz-retry-after", " by x-amz-retry-after")):
        asked = {"hint": 3.0, "hint_form": form}
        assert labels([None], fields=asked) == {f"500, asks for 3.00 s{asks}, given up · GET"}
    assert labels(["put"], fields={"hint_form": "unreadable"}) == {
        "put: 500, asks unreadably for a wait, given up · GET"
    }
    lost = {"fault": "reset", "did": "reset", "status": None, "applied": True}
    assert labels([None], fields=lost) == {"answer lost, given up · GET"}


def test_waits_by_kind_and_number():
    """The client's own waits: by kind of failure and retry, never behind a wait that was asked for, nor mixed."""
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
    unknown = call(attempt(1, 0.0, "http:500", 500, answered=None), attempt(2, 6.0, "http:500", 500))
    absurd = call(attempt(1, 0.0, "http:500", 500, answered=-1e11), attempt(2, 6.0, "http:500", 500))
    found = shown(*calls, broken, unknown, absurd, tried(7.0, fault="hang", status=None, did="closed"))
    assert found.rows("The waits as numbers") == [
        ["wait", "retry", "n", "shortest", "median", "longest", "limit"],
        ["after a throttle error", "1", "1", "1.00 s", "1.00 s", "1.00 s", "–"],
        ["after a server error", "1", "3", "0.10 s", "0.10 s", "0.30 s", "–"],
        ["after a server error", "2", "1", "0.20 s", "0.20 s", "0.20 s", "–"],
        ["after a broken connection", "1", "1", "0.40 s", "0.40 s", "0.40 s", "–"],
    ]
    picture = found.picture("Wait before each retry")
    assert "cannot be told from no wait" in picture
    assert re.findall(r">([\d.]+ m?s)<", picture) == ["10 ms", "100 ms", "1 s"]


def test_documented_limits():
    """A profile's longest waits are bars over the clouds, and stand in the table."""
    found = shown(tried(0.03, 0.05), tried(0.6, fault="cos:SlowDown", status=503), profile="aws-2026")
    assert [row[-1] for row in found.rows("The waits as numbers")] == ["limit", "1.00 s", "50 ms", "0.10 s"]
    assert found.picture("Wait before each retry").count('class="bound"') == 3
    assert "documented limit (aws-2026)" in found.text
    far = shown(tried(0.00001), profile="sre")
    assert far.picture("Wait before each retry").count('class="bound"') == 0


def test_many_retries_share_columns():
    """The ninth and further retries are drawn together, so that a client without end has a picture too."""
    rows = shown(tried(*[0.1] * 70)).rows("The waits as numbers")
    assert [row[1:3] for row in rows[8:]] == [
        ["8", "1"],
        ["9–16", "8"],
        ["17–32", "16"],
        ["33–64", "32"],
        ["65–128", "6"],
    ]


def test_many_waits_are_a_shape():
    """Clouds of many waits become one shape, which is said."""
    few, many = (shown(*(tried(0.1 + each / 100, start=each) for each in range(n))) for n in (60, 61))
    assert ("dense server" in few.source, "dense server" in many.source) == (False, True)
    assert "Many waits are drawn as a shape" in many.text


def test_no_waits():
    """Where no call was tried again, a sentence stands for the picture."""
    found = shown(call(attempt(1, 0.0)))
    assert "The client made no backoff of its own" in found.text
    assert "Wait before each retry</title>" not in found.source


def test_requests_of_the_outage():
    """Requests of an outage are counted alone, and its waits not at all; else those of all calls that met a fault."""
    calls = [tried(*[0.1] * (each < 35), start=each / 50, name="out") for each in range(120)]
    other = tried(0.2, name="thr")
    found = shown(*calls, other, driven=True)
    assert "<h2>Requests during the outage</h2>" in found.source
    assert "first attempts (120)" in found.text
    assert "retries (35) 1.29 attempts per call" in " ".join(found.text.split())
    assert "Without those of the outage, which is too busy for measuring." in found.text
    assert [row[2] for row in found.rows("The waits as numbers")] == ["n", "1"]
    found = shown(*calls[:20], other)
    assert "<h2>Requests over time</h2>" in found.source
    assert "first attempts (21)" in found.text
    assert "Only calls that got a fault or were retried." in found.text
    assert [row[2] for row in found.rows("The waits as numbers")] == ["n", "21"]


@pytest.mark.parametrize(
    ("seconds", "last"), [(0.0, "1 s"), (8.0, "8 s"), (600.0, "10 min"), (7200.0, "2 h"), (1e6, "10 d")]
)
def test_how_long_requests_went_on(seconds, last):
    """The axis is in the unit that suits it."""
    picture = shown(tried(), tried(start=seconds)).picture("Requests over time")
    assert re.findall(r">([\d.]+ (?:s|min|h|d))<", picture)[-1] == last


def test_first_answers():
    """Each first answer with what its document says of it, and what the client did; what goes against it is marked."""
    calls = [
        *[tried(0.1, fault="cos:AccessDenied", status=403)] * 3,
        *[tried(fault="cos:SlowDown", status=503)] * 2,
        tried(0.1, method="POST"),
        tried(fault=None, status=200),
        tried(0.1, fault="gcs:authError", status=401),
        tried(fault="b2:expired_auth_token", status=401),
    ]
    assert shown(*calls).rows("First answers") == [
        ["first answer", "documented", "retried"],
        ["403 AccessDenied", "not stated", "3 of 3"],
        ["503 SlowDown", "try again", "0 of 2 ! against the document"],
        ["500 (POST)", "–", "1 of 1"],
        ["401 authError", "renew the token first", "1 of 1"],
        ["401 expired_auth_token", "authorize first", "0 of 1"],
    ]


def test_more_first_answers_than_a_table_can_have():
    """What the table leaves out is counted below it."""
    found = shown(*(tried(fault=f"http:{each}", status=each) for each in range(400, 450)))
    assert len(found.rows("First answers")) == 41
    assert "10 more answers of 10 calls." in found.text


def test_times_that_make_no_sense():
    """Calls whose clock jumped are not drawn, and counted."""
    backwards = call(attempt(1, 5.0), attempt(2, 1.0))
    found = shown(tried(0.1), tried(0.1, start=1e11), backwards)
    assert "2 calls with times that make no sense: not drawn." in found.text
    nothing = shown(backwards)
    assert "1 call with times that make no sense: not drawn." in nothing.text
    assert "Single calls</title>" not in nothing.source


def test_other_clients_of_the_journal():
    """Each further client has pictures of its own."""
    others = {"minio": Evidence([tried(0.2)], profile=get("rfc")), "idle": Evidence([], profile=get("rfc"))}
    found = shown(tried(0.1), others=others)
    assert re.findall(r"<h2>(Single calls.*?)</h2>", found.source) == [
        "Single calls",
        "Single calls of minio",
    ]


def test_several_judgements():
    """Several judgements are one page: a table of all verdicts, and a section each."""
    two = [
        judgement(
            finding("gives up", PASS),
            finding("gives up", FAIL, client="x"),
            finding("retry-after", WARN),
            client="one",
        ),
        judgement(finding("gives up", INCONCLUSIVE), client="two"),
    ]
    found = Page(page(two, title="What SDKs do"))
    assert "<h1>What SDKs do</h1>" in found.source
    rows = re.findall(r'<table class="matrix">(.*?)</table>', found.source, re.DOTALL)
    cells = [
        [words(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for row in rows[0].split("</tr>")
    ]
    assert [row for row in cells if row] == [
        ["check", "one", "two"],
        ["gives up", "✓ pass", "? not decided"],
        ["gives up of x", "✕ fail", "–"],
        ["retry-after", "! warning", "–"],
    ]
    assert re.findall(r'<section id="(.*?)">\s*<h2>(.*?)</h2>', found.source) == [
        ("client-1", "one"),
        ("client-2", "two"),
    ]


@pytest.mark.slow
def test_ten_thousand_calls_are_no_larger_page_than_one_thousand():
    """What is drawn is bounded, whatever the number of calls and attempts."""

    def size(count):
        calls = [
            tried(*[0.01 * (each % 90 + 1)] * (each % 5), well=each % 2 > 0, start=each / 10)
            for each in range(count)
        ]
        return len(shown(*calls).source)

    assert size(10_000) < 1.3 * size(1_000) < 400_000


def test_a_call_without_end_is_no_larger():
    """A thousand attempts at the same place are one mark."""
    assert len(shown(tried(*[0.0001] * 5000)).source) < 80_000


def test_without_jinja2(monkeypatch):
    """The message says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(MissingExtra, match=r"a report in HTML needs jinja2: .*pip install .*\[report\]"):
        render(judgement(), "html")
