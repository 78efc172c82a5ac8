"""A judgement as text, JSON, JUnit and Markdown."""

import json
import re
from dataclasses import replace
from textwrap import dedent
from xml.etree import ElementTree

import pytest

from faultinject import Attempt
from faultinject.audit.checks import CHECKS
from faultinject.audit.judging import judge
from faultinject.audit.reports import FORMATS, format_of, render
from faultinject.exceptions import ConfigurationError
from faultinject.journal.call_window import CallWindow
from tests.rows import each_row

from .judged import attempt, call, finding, given, judgement
from .rows import FAIL, INCONCLUSIVE, PASS, WARN

HOSTILE = "</script><b>&amp;\"'|`[x](http://evil)@all #1\x00\x1b[31m\u202e\ud800\uffff]]>"


NUMBERS = {
    "failed_after": {"503 SlowDown": 4, "no fault": 2},
    "began": 1_800_000_000.0,
    "ended": 1_800_000_006.0,
    "rules": given("busy", 5, 1),
}
"""A report's other lines about a run, besides its findings."""


def test_text():
    """The text has the worst finding, every problem with its calls, and the undecided checks."""
    assert render(judgement(**NUMBERS)) == dedent(
        """\
        FAIL: retry-after: seconds: 5 of 5 retried after 0.50 s instead of 3 s (and 1 more finding)
        Boto3/1.44.5
        1,243 calls, 3,531 attempts in 6.01 s, 2027-01-15 08:00:00 to 2027-01-15 08:00:06 UTC.
        6 of 1,243 calls failed for good: 4 after 503 SlowDown, 2 without a fault.

        ✕ FAIL  retry-after: seconds: 5 of 5 retried after 0.50 s instead of 3 s (n = 5)
            - GET /photos/cat.jpg: 503 SlowDown (asked for 3.00 s), 0.50 s later 200  [seq 1 2]
            → Wait as long as the answer asks. See RFC 9110 10.2.3

        ! WARN  retry budget: requests per operation 3.0 → 3.0 (n = 120)
            → Limit the retries in an outage. See SRE book

        ✓ passed: retries (503 SlowDown, 500), gives up
        ? not decided:
            thundering herd: first retry after 71 ms: too short to tell. Give it a longer backoff.
            overlap, non-idempotent retry: no slow requests. Delay some answers.

        Attempts were grouped into calls by SDK id (1,200), fingerprint (43).
        Without backoff the next request comes after 0.3 ms (median; 95 % within 1.5 ms; n = 20).
        Profile: rfc (What the RFCs ask of every client).
        Faults of busy (cos:SlowDown): 5 injected, 1 refused, 0 failed.
        """
    )


def test_text_of_a_client_without_a_fault_to_find():
    """Nothing wrong: no finding, no calls."""
    text = render(judgement(finding("gives up", PASS)), verbose=False)
    head = r"PASS: 1 check passed\n(?:(?!\n\n)(?:.|\n))*\nNo call failed for good\."
    assert re.fullmatch(rf"{head}(?:.|\n)*?\n\n✓ passed: gives up\n", text)


WINDOWS = [CallWindow(f"call {each}", each, each + 0.1, False) for each in range(4)]
SEEN = [Attempt.of(attempt(1, 0.05, None, 200))]
NINE = [call(attempt(2 * n, n), attempt(2 * n + 1, n + 0.5, None, 200)) for n in range(9)]
HERD = finding("thundering herd", FAIL, client="b", said_by="jitter")
OF_TWO = [
    finding("backoff", FAIL, client="Boto3/1.44.5"),
    finding("gives up", PASS, client="Boto3/1.44.5"),
    finding("gives up", PASS, client="curl/8.1"),
    finding("retries", PASS, subject="500", client="curl/8.1"),
]


def without(words):
    """A pattern of a text that does not have these."""
    return rf"\A(?!(.|\n)*{words})"


@each_row(
    ("found", "says"),
    [
        # Of a journal without a call nothing is said of failed ones, which would read as success, nor of what was joined.
        (judge([]), ["\\ANothing could be judged", without("failed for good"), r"^0 calls, 0 attempts in 0\.0 ms\.$", "^The client's turnaround", "a client without a User-Agent"]),
        # Calls that a circuit breaker fails at once are seen in no request, and counted.
        (judge(SEEN, windows=WINDOWS, until=float("inf")), [r"^3 of 4 calls made no request and failed\.$"]),
        (judgement(**NUMBERS), [without("made no request")]),
        # A caller that heard of success did not hear of a failure; its requests failed all the same.
        *(
            (judge([Attempt.of(attempt(1, 0.05))], windows=[CallWindow("upload", 0.0, 0.1, returned)], until=9.0), [says])
            for returned, says in (
                (True, r"^No call failed for good; calls whose callers heard of success do not count\.$"),
                (False, r"^1 of 1 call failed for good: 1 after 503 SlowDown\.$"),
            )
        ),
        # Failures stand before warnings, whatever the order of the checks.
        (judgement(finding("a", WARN), finding("b", PASS), finding("c", FAIL), finding("d", WARN)), [r"^✕ FAIL  c(.|\n)*^! WARN  a(.|\n)*^! WARN  d"]),
        # A quoted finding stands alone if the quoting one is ignored, or is another client's.
        (judgement(finding("thundering herd", FAIL, said_by="jitter")), ["^✕ FAIL  thundering herd"]),
        (judgement(finding("jitter", FAIL, client="a"), HERD), ["^✕ FAIL  thundering herd of b"]),
        # Of several clients each finding names its own, and what passed stands by client.
        (judgement(*OF_TWO, made=[call(), call(attempt(1, 0.0, user_agent="curl/8.1"))]), [
            "\\AFAIL: backoff of Boto3/1.44.5: something\nBoto3/1.44.5 and 1 other client\n", "^✕ FAIL  backoff of Boto3/1.44.5: ",
            r"^✓ passed: Boto3/1.44.5: gives up; curl/8.1: gives up, retries \(500\)$",
        ]),
        # Three calls are told of each finding: more would bury the rest.
        (judgement(finding("backoff", WARN, calls=NINE)), [r"\A[^[]*\[seq 0 1\][^[]*\[seq 2 3\][^[]*\[seq 4 5\][^[]*\Z"]),
    ],
    ids=lambda row: str(row[1]),
)  # fmt: skip
def test_what_the_text_says(found, says):
    """The text has each pattern."""
    text = render(found)
    assert [each for each in says if not re.search(each, text, re.MULTILINE)] == [], text


def test_a_short_text():
    """The short report has no measurements, but all undecided checks; rules are cut."""
    rules = dict.fromkeys((f"rule-{each}" for each in range(99)), *given("busy", 5, 1).values())
    found = judgement(rules=rules)
    short, long = render(found, verbose=False), render(found)
    few = "overlap, non-idempotent retry: no slow requests. Delay some answers.\n"
    said = (
        "overlap, non-idempotent retry: nothing of the kind was seen. Add -v to see what each check needs.\n"
    )
    head, middle, tail = long.partition("\nAttempts were grouped")
    assert (head.replace(few, said), tail.splitlines()[-1]) == (short, "Faults of 89 more rules.")
    assert middle


def test_a_service_that_documents_no_such_error_is_always_named():
    """A short text does not ask for more of what the service cannot give."""
    found = judgement(
        finding("retries", PASS),
        finding(
            "error in 200",
            INCONCLUSIVE,
            "Acme documents no error in an answer of 200",
            0,
            action="Judge another.",
        ),
        finding("overlap", INCONCLUSIVE, "no slow requests", 0, action="Delay some answers."),
    )
    undecided = render(found, verbose=False).partition("? not decided:\n")[2].split("\n\n")[0]
    assert [line.strip() for line in undecided.splitlines()] == [
        "error in 200: Acme documents no error in an answer of 200. Judge another.",
        "overlap: nothing of the kind was seen. Add -v to see what each check needs.",
    ]


def test_a_journal_without_faults_says_so():
    """If nothing was judged, no report looks like a success."""
    idle = judgement(finding("gives up", INCONCLUSIVE, "no call failed", 0), made=[])
    said = "Nothing could be judged: no call met a fault, and none retried."
    assert [each for each in ("text", "junit", "markdown", "html") if said not in render(idle, each)] == []
    found = json.loads(render(idle, "json"))
    assert (found["result"], found["reason"][:19]) == ("undecided", "no call met a fault")


def test_the_first_line_says_the_result():
    """In every format that people read, and in words that programs find."""
    found = judgement(finding("a", WARN))
    strict = replace(found, strict=True)
    for judged, result, code, said in (
        (found, "warn", 0, "WARN: a: something"),
        (strict, "fail", 1, "FAIL: a: something; strict: a warning is a failure"),
    ):
        in_markdown = render(judged, "markdown").splitlines()[2]
        in_junit = suite(judged).findtext("system-out").splitlines()[0]
        assert (render(judged).splitlines()[0], in_markdown, in_junit) == (said, f"### {said}", said)
        assert (json.loads(render(judged, "json"))["result"], judged.conclusion.exit_code) == (result, code)


@each_row("format_", ["text", "markdown", "junit"])
def test_what_two_checks_say_is_told_once(format_):
    """Equal waits are also a herd: people get one finding of two sentences, programs both."""
    found = judgement(
        finding("jitter", FAIL, "waits repeat"),
        finding("gives up", PASS),
        finding("thundering herd", FAIL, "all come back within 100 ms", said_by="jitter"),
    )
    told = ("waits repeat; all come back within 100 ms", "more finding", "thundering herd")
    assert [each in render(found, format_) for each in told] == [True, False, False]
    checks = [each["check"] for each in json.loads(render(found, "json"))["findings"]]
    assert checks == ["jitter", "gives up", "thundering herd"]


@each_row(
    ("made", "expected"),
    [
        (call(attempt(1, 0, "http:500", 500), attempt(2, 0.021, None, 201), name="upload"), "upload: GET /photos/cat.jpg: 500, 20 ms later 201"),
        (call(attempt(1, 0, "reset", None, did="reset", answered=None), attempt(2, 4, None, 200)), "GET /photos/cat.jpg: reset, later 200"),
        (call(attempt(1, 0, None, 200, answered=0.4), attempt(2, 0.1, None, 200)), "GET /photos/cat.jpg: 200, 0.30 s before that answer 200"),
        (
            call(attempt(1, 0, query="uploads", hint_form="unreadable"), returned=False, error="Boom\n" * 50),
            "GET /photos/cat.jpg?uploads: 503 SlowDown (malformed Retry-After)"
            "; its caller saw an error: Boom\\nBoom\\nBoom\\nBoom\\nBoom\\nBoom\\nBoo…m\\nBoom\\nBoom\\nBoom\\nBoom\\nBoom\\nBoom\\n",
        ),
        (call(attempt(1, 0, "cos:InternalError", 200), returned=True), "GET /photos/cat.jpg: 200 InternalError; its caller saw success"),
        (
            call(attempt(1, 0, request_bytes=7, request_digest="x"), attempt(2, 2.001, request_bytes=0)),
            "GET /photos/cat.jpg: 503 SlowDown (7 bytes sent), 2.00 s later 503 SlowDown (0 bytes sent)",
        ),
        (
            call(*(attempt(n, n, method="PUT", request_bytes=size) for n, size in enumerate((None, 7, 5)))),
            "PUT /photos/cat.jpg: 503 SlowDown, 1.00 s later 503 SlowDown (7 bytes sent), 1.00 s later 503 SlowDown (5 bytes sent)",
        ),
        (
            call(*(attempt(n, n * 2.001) for n in range(2000))),
            "GET /photos/cat.jpg: 503 SlowDown, "
            + "2.00 s later 503 SlowDown, " * 5
            + "… 1,992 more …, 2.00 s later 503 SlowDown, 2.00 s later 503 SlowDown",
        ),
    ],
)  # fmt: skip
def test_story(made, expected):
    """A call is one line: its request, its answers, its waits and its caller's result."""
    assert f" - {expected} [" in " ".join(render(judgement(finding("backoff", FAIL, calls=[made]))).split())


@each_row(
    ("attempts", "expected"),
    [
        ([attempt(17, 0), attempt(18, 1)], "seq 17 18"),
        ([attempt(3, 0, pid=12), attempt(4, 1, pid=13), attempt(9, 2, pid=12)], "pid 12 seq 3 9, pid 13 seq 4"),
        ([attempt(n, n) for n in range(10)], "seq 0 1 2 3 4 5 6 7 …"),
    ],
)  # fmt: skip
def test_place_of_a_call_in_its_journal(attempts, expected):
    """The numbers by which its lines are found."""
    assert f" [{expected}]" in " ".join(
        render(judgement(finding("backoff", FAIL, calls=[call(*attempts)]))).split()
    )


def test_provenance():
    """Calls that do not count are reported by number and reason."""
    found = judgement(
        calls=1,
        signal={"told": 3, "SDK id": 1},
        left_out={"shared": 12, "open": 1},
        skipped={"not JSON": 3, "torn": 1},
        not_given={"refused": 2, "failed": 1},
        evidence=judge([]).evidence,
    )
    said = " ".join(render(found).split())
    for each in [
        "Attempts were grouped into calls by test label (3), SDK id (1).",
        "Left out: 12 calls that ran at the same time as another call for the same object, which mixes their attempts.",
        "Left out: 1 call that may still have been running.",
        "3 faults could not be injected: 2 refused (more at the same time than FAULTINJECT_MAX_ACTIVE allows, or HTTP/2"
        " without http2=yes), 1 failed (see the log, or the client disconnected first).",
        "Skipped lines: not JSON (3), torn (1).",
        "The client's turnaround without backoff is unknown: too few requests followed each other at once.",
    ]:
        assert each in said


def test_json():
    """The JSON report is one object with every finding, and with all that other formats show."""
    text = render(judgement(), "json")
    found = json.loads(text)
    told = (found["calls"], found["attempts"], found["signal"], text[-2:])
    assert told == (1243, 3531, {"SDK id": 1200, "fingerprint": 43}, "}\n")
    assert [(each["check"], each["verdict"], each["n"], each["message"]) for each in found["findings"]] == [
        (each.check, each.verdict, each.n, each.message) for each in judgement().findings
    ]


def suite(found):
    """The one test suite of a JUnit file."""
    root = ElementTree.fromstring(render(found, "junit").encode())
    [only] = root
    assert (root.tag, only.tag) == ("testsuites", "testsuite")
    return only


@each_row("verdict", [FAIL, WARN, INCONCLUSIVE, PASS])
def test_every_check_has_its_own_name_in_every_format(verdict):
    """Names hold blanks and hyphens; none is cut, escaped or taken for another one."""
    found = judgement(*[finding(name, verdict, f"told {name}") for name in CHECKS])
    cases = [each.get("name") for each in suite(found).iter("testcase")][-len(CHECKS) :]
    findings = [each["check"] for each in json.loads(render(found, "json"))["findings"]]
    said = [render(found, format_) for format_ in ("text", "markdown", "html")]
    assert [cases, findings, *([name for name in CHECKS if name in each] for each in said)] == [[*CHECKS]] * 5


def test_junit():
    """Each finding is a test case: FAIL fails, INCONCLUSIVE is skipped, WARN and PASS pass."""
    found = suite(judgement())
    assert found.attrib == found.attrib | {"tests": "8", "failures": "1", "errors": "0", "skipped": "3"}
    cases = {each.get("name"): each for each in found.iter("testcase")}
    classes = {each.get("classname") for each in cases.values()}
    assert ([*cases], classes) == ([each.name for each in judgement().findings], {"faultinject.rfc"})
    [failure] = cases["retry-after: seconds"]
    message = {"message": "5 of 5 retried after 0.50 s instead of 3 s", "type": "FAIL"}
    assert (failure.tag, failure.attrib) == ("failure", message)
    assert failure.text.splitlines() == [
        "FAIL: 5 of 5 retried after 0.50 s instead of 3 s (n = 5)",
        "GET /photos/cat.jpg: 503 SlowDown (asked for 3.00 s), 0.50 s later 200",
        "→ Wait as long as the answer asks. See RFC 9110 10.2.3",
    ]
    warned = (
        "WARN: requests per operation 3.0 → 3.0 (n = 120)\n→ Limit the retries in an outage. See SRE book"
    )
    told = [
        (each.tag, each.get("message"), each.text)
        for name in ("overlap", "retry budget")
        for each in cases[name]
    ]
    assert told == [
        ("skipped", "no slow requests. Delay some answers.", None),
        ("system-out", None, warned),
    ]
    properties = [(each.get("name"), each.get("value")) for each in found.iter("property")]
    assert properties == [("client", "Boto3/1.44.5"), ("profile", "rfc")]
    assert "1,243 calls" in found.findtext("system-out")


@each_row(
    ("found", "message"),
    [
        (judgement(finding("gives up", INCONCLUSIVE), made=[]), "Nothing could be judged: no call met a fault"),
        (judgement(finding("a", PASS), finding("b", INCONCLUSIVE), require=["b"]), "Required but not decided: b"),
    ],
)  # fmt: skip
def test_junit_where_nothing_was_decided(found, message):
    """One test case more is an error: a CI that reads the file is not green either."""
    found = suite(found)
    cases = [*found.iter("testcase")]
    assert (found.get("errors"), int(found.get("tests"))) == ("1", len(cases))
    [case] = [each for each in cases if each.find("error") is not None]
    said = case.find("error").get("message")[: len(message)]
    assert (case.get("name"), case.get("classname"), said) == ("result", "faultinject.rfc", message)


def test_junit_where_warnings_count():
    """`strict` makes failures of warnings, as it makes exit code 1 of them."""
    found = suite(replace(judgement(), strict=True))
    failures = [each.get("type") for each in found.iter("failure")]
    assert (found.get("failures"), failures) == ("2", ["FAIL", "WARN"])


def test_markdown():
    """Markdown has the text's content, with calls as code, links, and folded measurements."""
    rfc = judgement().evidence.profile
    assert render(judgement(**NUMBERS), "markdown") == dedent(
        f"""\
        ## Retries of Boto3/1.44.5

        ### FAIL: retry-after: seconds: 5 of 5 retried after 0.50 s instead of 3 s (and 1 more finding)

        - 1,243 calls, 3,531 attempts in 6.01 s, 2027-01-15 08:00:00 to 2027-01-15 08:00:06 UTC.
        - 6 of 1,243 calls failed for good: 4 after 503 SlowDown, 2 without a fault.

        ✕ **retry-after: seconds**: 5 of 5 retried after 0.50 s instead of 3 s (n = 5)

        - `GET /photos/cat.jpg: 503 SlowDown (asked for 3.00 s), 0.50 s later 200`

        → Wait as long as the answer asks. See RFC 9110 10.2.3

        ! **retry budget**: requests per operation 3.0 → 3.0 (n = 120)

        → Limit the retries in an outage. See SRE book

        ✓ **passed:** retries (503 SlowDown, 500), gives up

        ? **not decided:**

        - thundering herd: first retry after 71 ms: too short to tell. Give it a longer backoff.
        - overlap, non-idempotent retry: no slow requests. Delay some answers.

        <details><summary>How this was measured</summary>

        - Attempts were grouped into calls by SDK id (1,200), fingerprint (43).
        - Without backoff the next request comes after 0.3 ms (median; 95 % within 1.5 ms; n = 20).
        - Profile: rfc ({rfc.title}).
        - Faults of busy (cos:SlowDown): 5 injected, 1 refused, 0 failed.

        </details>
        """
    )


def test_an_address_is_a_link_in_markdown():
    """One of a reference, and only there."""
    found = judgement(
        finding("jitter", WARN, "https://a.example/", reference="a book (https://b.example/c#1); RFC")
    )
    said = ("→ See a book (<https://b.example/c#1>); RFC\n", "https://a.example/")
    assert [each in render(found, "markdown") for each in said] == [True, False]


def hostile():
    """A judgement in which everything that comes from outside is hostile."""
    made = call(
        attempt(1, 0, path=f"/{HOSTILE}", method=HOSTILE, query=HOSTILE),
        attempt(2, 1, None, 200),
        name=HOSTILE,
        returned=False,
        error=HOSTILE,
    )
    found = finding("backoff", FAIL, HOSTILE, calls=[made], subject=HOSTILE, client=HOSTILE)
    other = finding("gives up", INCONCLUSIVE, HOSTILE, client=HOSTILE)
    return judgement(
        found, other, finding("jitter", PASS, subject=HOSTILE), client=HOSTILE, skipped={HOSTILE: 1}
    )


@each_row("format_", FORMATS)
def test_no_report_holds_what_a_terminal_or_a_page_would_obey(format_):
    """Control and bidi characters are escaped, and every report can be written as UTF-8."""
    assert render(hostile(), format_).encode().decode().replace("\n", "").isprintable()


def test_json_holds_everything_as_it_was():
    """JSON has an escape of its own for each character."""
    assert json.loads(render(hostile(), "json"))["findings"][0]["message"] == HOSTILE


def test_junit_is_xml_whatever_a_request_says():
    """Paths and user agents cannot end an element or make the file unreadable."""
    [failure] = suite(hostile()).iter("failure")
    assert failure.get("message") == HOSTILE.encode("unicode_escape").decode().replace("\\\\", "\\")


def test_markdown_makes_no_link_mention_or_tag_of_a_request():
    """Texts of requests are shown as code, or with special characters escaped."""
    bare = re.sub(r"(`+) ?.*? ?\1", "", render(hostile(), "markdown"))
    tags = re.findall(r"<[^>]*>", bare.replace("<!-- -->", ""))
    assert tags == ["<details>", "<summary>", "</summary>", "</details>"]
    assert not re.findall(r"(?<!\\)[\[\]]|http://|@all|#1", bare)


def test_markdown_code_with_backticks():
    """A fence is longer than what it encloses."""
    made = call(attempt(1, 0, path="/a``b`"), attempt(2, 1, None, 200))
    text = render(judgement(finding("backoff", FAIL, calls=[made])), "markdown")
    assert "- ``` GET /a``b`: 503 SlowDown, 1.00 s later 200 ```\n" in text


def test_unknown_format():
    """The formats that there are, are named."""
    with pytest.raises(ConfigurationError) as error:
        render(judgement(), "pdf")
    assert str(error.value) == f"'pdf' is not a format of a report; there are {', '.join(FORMATS)}"


@each_row(
    ("name", "expected"),
    [
        ("a.txt", "text"),
        ("a.HTML", "html"),
        ("a.json", "json"),
        ("a.xml", "junit"),
        ("a.md", "markdown"),
        ("a.sarif", "sarif"),
        ("a.github", "github"),
        ("a", "text"),
        ("", "text"),
    ],
)
def test_format_by_name(name, expected):
    """A file's ending is enough."""
    assert format_of(name) == expected
