"""`faultinject report`: verdicts on journals, formats, exit codes, and wrong journals."""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from faultinject.cli.report import Journals
from tests.slowly import others_slowly

from .journals import forbidden, gives_up, line, text, throttled

RIGID = throttled(calls=20)
"""No jitter: every client waits 0.4, 0.8, 1.6 s."""


def verdicts(out):
    """The verdict of each check in a JSON report."""
    return {each["check"]: each["verdict"] for each in json.loads(out)["findings"]}


MANY = [line(n, n, rule=f"r{n}", fault=f"http:{500 + n}", path=f"/{n}") for n in range(120)] + [
    line(n, 200 + n, rule="r0", fault=f"cos:E{n}", path=f"/x{n}", did="failed") for n in range(20)
]
REFUSED = [line(each, 100 + each, did="refused", status=200, path=f"/{each}", pid=8) for each in range(3)]
OF_ONE_RULE = [
    {**each, "rule": "deny"}
    for each in [*forbidden(), line(1, 60.0, did="refused", status=200, path="/refused")]
]
RIGHT = forbidden(repeated=False)
ODD_LINES = "hello\n" + text([*forbidden(), line(99, 99, v=2)])
OF_TWO = [*forbidden(), *({**each, "user_agent": "Other/2.0", "seq": each["seq"] + 100} for each in RIGHT)]
NOTHING = "^Nothing could be judged: "
LACKS = "^Required but not decided: {}: Not enough data: "


@pytest.mark.parametrize(
    ("lines", "options", "code", "shown"),
    [
        # A client that repeats a 403 fails, with its calls; one that does not repeat it passes.
        *((forbidden(), options, 1, ["✕ FAIL permanent: ", r"PUT /photos/0.jpg: 403 AccessDenied, 0\.50 s later 403 AccessDenied"]) for options in ("", "-o -")),
        (RIGHT, "", 0, ["✓ passed: permanent"]),
        (forbidden(), "--format json", 1, ['"check": "permanent"']),
        (forbidden(), "--ignore permanent --format json", 0, ['^(?!.*"check": "permanent")']),
        (gives_up(), "--format json", 0, ['"result": "warn"']),
        (gives_up(), "--strict", 1, []),
        (gives_up(), "--strict --ignore retries", 0, []),
        # What is required must be decided, unless another check fails.
        (RIGHT, "--require permanent", 0, ["^PASS: 1 check passed, "]),
        (RIGHT, "--require permanent --require retry-after", 3, [LACKS.format("retry-after")]),
        (RIGHT, "--require backoff\tgrows", 3, [LACKS.format("backoff grows")]),
        (RIGHT, "--require all --ignore retry-after --format json", 3, ['"result": "undecided"', '"reason": "(?![^"]*overlap)']),
        (forbidden(), "--require retry-after", 1, ["^FAIL: permanent: 4 of 4 .*; required but not decided: retry-after uploader/1.0 "]),
        # A single request, and faults that were not given, are no ground for a verdict.
        ([line(1, 0, fault=None, did="passed", status=200)], "", 3, [f"{NOTHING}no call met a fault, and none retried\\.", r"1 call, 1 attempt in 0\.0 ms, "]),
        (REFUSED, "", 3, [NOTHING, *[r"(3 faults could not be injected: 3 refused \(more at the same time.*){2}"]]),
        ([*forbidden(), *REFUSED], "--format json", 1, [r'"not_given": \{ "refused": 3 \}']),
        # Undecided checks share a line.
        (forbidden(), "", 1, ["retry-after, ", r": nothing of the kind was seen\. Add -v to see what each check needs\.$", "^(?!.*Answers with Retry-After)"]),
        (forbidden(), "--verbose", 1, [r" retry-after: Not enough data: 0 of 3 answers with Retry-After\.", "^(?!.*nothing of the kind)"]),
        # Faults are counted by rule; many rules are cut in the text.
        (OF_ONE_RULE, "-v", 1, [r"Faults of deny \(cos:AccessDenied, cos:SlowDown\): 8 injected, 1 refused, 0 failed\."]),
        (MANY, "-v", 0, [r"Faults of r0 \(http:500, cos:E0, cos:E1 and 18 more\): 1 injected, 0 refused, 20 failed\.( |$)", r"Faults of 110 more rules\.( |$)"]),
        # They are whole in the data, as are the numbers of the journal.
        (MANY, "--format json", 0, [r'"rules": \{ ("r\d+": \{[^}]*\},? ){120}\}', r'"r0": \{ "faults": \[ ("[^"]*",? ){21}\], "given": 1, "refused": 0, "failed": 20 \}']),
        (RIGID, "--format json", 0, [r'^\{ "v": 1, ', '"calls": 20, "attempts": 80, ', r'"signal": \{ "SDK id": 20 \}', '"check": "jitter", [^{}]*"verdict": "WARN"']),
        # What a profile promises is judged.
        (RIGID, "--profile aws-2026 --format json", 1, ['"profile": "aws-2026"', '"check": "attempts", [^{}]*"verdict": "FAIL"']),
        # The JUnit file fails where the exit code does.
        (gives_up(), "--format junit", 0, ['<testsuite [^>]*failures="0"']),
        (gives_up(), "--format junit --strict", 1, ['<testsuite [^>]*failures="[1-9]']),
        # Lines that are no requests are counted, with the reason, and the rest is judged.
        (ODD_LINES, "", 1, [r"Skipped lines: not JSON \(1\), of a later version \(1\)\."]),
        (ODD_LINES, "--format json", 1, ['"attempts": 8, ', r'"skipped": \{ "not JSON": 1, "of a later version": 1 \}']),
        # Clients are judged that are chosen by their User-Agent, in any case.
        *((OF_TWO, options, 1, [r"uploader/1\.0 and 1 other client ", "✕ FAIL permanent of uploader"]) for options in ("", "--client other --client uploader")),
        (OF_TWO, "--client OTHER", 0, [r"^PASS: [^.]* Other/2\.0 "]),
        # A journal without a line is one without requests.
        *((content, "", 3, [NOTHING, r"0 calls, 0 attempts in 0\.0 ms"]) for content in ("", "\n\n")),
    ],
)  # fmt: skip
def test_what_is_told(run, journal, lines, options, code, shown):
    """Exit code and text, of which each pattern is found in a line of it all."""
    found, out, err = run(
        "report", journal(lines), *(each.replace("\t", " ") for each in options.split(" ") if each)
    )
    told = " ".join(out.split())
    assert (found, err, [each for each in shown if not re.search(each, told)]) == (code, "", []), told


def test_a_client_that_is_not_there(refused, journal):
    """Those that are there are named."""
    told = refused("report", journal(OF_TWO), "--client", "boto3")
    assert "--client: no request is of boto3; there are Other/2.0, uploader/1.0" in told


@pytest.mark.parametrize(
    ("name", "options", "begins"),
    [
        ("report.txt", [], "fail: permanent: 4 of 4 calls retried after 403"),
        ("report.html", [], "<!doctype html>"),
        ("report.json", [], "{\n"),
        ("report.xml", [], '<?xml version="1.0" encoding="utf-8"?>\n'),
        (
            "report.md",
            [],
            "## retries of uploader/1.0\n\n### fail: permanent: 4 of 4 calls retried after 403",
        ),
        (
            "report",
            ["--format", "markdown"],
            "## retries of uploader/1.0\n\n### fail: permanent: 4 of 4 calls retried after 403",
        ),
        ("report.md", ["--format", "json"], "{\n"),
    ],
)
def test_output_file(run, journal, tmp_path, name, options, begins):
    """`-o` writes the file silently with the same exit code; its name gives the format.

    If nothing else does.
    """
    path = tmp_path / name
    assert run("report", journal(forbidden()), "-o", str(path), *options) == (1, "", "")
    assert path.read_text(encoding="utf-8").lower().startswith(begins.lower())


def test_a_report_does_not_replace_its_journal(run, refused, journal):
    """`-o` on one of the journals is a mistake that would cost the journal."""
    path = journal(forbidden())
    link = Path(f"{path}.link")
    link.symlink_to(path)
    for name in (path, str(link)):
        assert "is one of the journals" in refused("report", path, "-o", name)
    assert run("report", path)[0] == 1


def test_several_workers_are_one_journal(run, journal):
    """The lines of several files are put in order of arrival before they are joined."""
    lines = forbidden()
    one = journal([{**each, "pid": 1} for each in lines[::2]], "1.jsonl")
    two = journal([{**each, "pid": 2} for each in lines[1::2]], "2.jsonl")
    whole = json.loads(run("report", journal(lines), "--format", "json")[1])
    parts = json.loads(run("report", two, one, "--format", "json")[1])
    assert (parts["calls"], parts["attempts"]) == (whole["calls"], whole["attempts"]) == (4, 8)


@pytest.mark.parametrize(
    "content",
    [
        b"hello\n",
        b"\0\xff" * 100,
        b'{"v":1}\n',
        b'[1,2]\n"x"\n3\nnull\n',
        b'{"time":"2026-11-20","level":"info","msg":"started"}\n' * 3,
        b"\x1f\x8b\x08 and no gzip",
        gzip.compress(text(forbidden()).encode())[:-20][:40],
        text([line(1, 0)])[:30].encode(),
    ],
    ids="words bytes bare values another-tool broken-gzip cut-gzip torn".split(),
)
def test_what_is_no_journal(refused, tmp_path, content):
    """A file without one line of a journal is named in one line, exit code 2."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(content)
    err = refused("report", str(path))
    assert (err.startswith("faultinject: "), str(path) in err, err.count("\n")) == (True, True, 1)


def test_calls_are_over_when_the_journal_is_read_long_after(run, journal):
    """The journal ends when it is read: a call that was not retried by then was given up."""
    old = [line(number, number * 0.01, path=f"/photos/{number}") for number in range(5)]
    late = [{**each, "time": each["time"] + 3600} for each in old]
    assert Journals([journal(late)], None, ()).judge().left_out == {"open": 5}
    for words in ((journal(old, "old.jsonl"),), (journal(late), "--finished")):
        assert json.loads(run("report", *words, "--format", "json")[1])["left_out"] == {}


COS = gzip.decompress((Path(__file__).parent.parent / "audit" / "cos.jsonl.gz").read_bytes())
"""A journal of the COS SDK with `serve`; it fails `random` and `hint`."""


@pytest.mark.parametrize("share", [0.02, 0.15, 0.3, 0.5, 0.75, 0.9, 0.999])
def test_a_journal_that_was_cut(run, tmp_path, share):
    """A cut journal, read long after, shows no fault that the whole one does not.

    Requests behind the cut are not taken for missing.
    """
    path = tmp_path / "journal.jsonl"
    path.write_bytes(COS[: round(len(COS) * share)])
    code, out, err = run("report", str(path), "--format", "json")
    found = verdicts(out)
    wrong = {check for check, verdict in found.items() if verdict in ("FAIL", "WARN")}
    assert wrong <= {"jitter", "thundering herd", "retry-after"}
    expected = 1 if "FAIL" in found.values() else 3 if {*found.values()} == {"INCONCLUSIVE"} else 0
    assert (code, err) == (expected, "")


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_colours(run, journal):
    """On a terminal the report has colours, and a request's text stays plain."""
    lines = [{**each, "user_agent": "[bold]x[/]\x1b[2J"} for each in forbidden()]
    code, out, _ = run("report", journal([*lines, *throttled(calls=1)]), color=True)
    assert code == 1
    for said in (
        "\x1b[1mFAIL: permanent of [bold]x[/]\\x1b[2J: ",
        "[bold]x[/]\\x1b[2J and 1 other client",
        "✕ FAIL",
        "PUT /photos/0.jpg: 403 AccessDenied, 0.50 s later 403 AccessDenied  [seq 0 1]",
        "not decided:",
    ):
        assert said in out


@pytest.mark.parametrize(("variable", "value"), [("TERM", "dumb"), ("NO_COLOR", "1")])
def test_a_plain_terminal_gets_the_plain_text(run, monkeypatch, journal, request, variable, value):
    """On a dumb terminal, or with NO_COLOR, the report is that of a file."""
    path = journal(forbidden())
    monkeypatch.setenv("COLUMNS", "150")
    plain = run("report", path)
    request.getfixturevalue("terminal")
    monkeypatch.setenv(variable, value)
    assert run("report", path) == plain


def test_a_journal_of_a_real_server(run, serve, tmp_path):
    """`report` reads the journal of `serve`, and judges waits on a busy machine too.

    It waits for nobody, though calls ended a moment ago: the server has ended.
    """
    journal = tmp_path / "journal.jsonl"
    serving = serve("-r", "cos:SlowDown,path=photos/", "--journal", str(journal))
    for number in range(6):
        with requests.Session() as session:
            session.headers["User-Agent"] = "eager/1.0"
            for _ in range(6):
                assert session.get(f"{serving.url}/photos/{number}", timeout=20).status_code == 503
    assert serving.interrupt()[0] == 0
    code, out, err = run("report", journal, "--format", "json")
    found = json.loads(out)
    assert (err, found["left_out"], found["client"]) == ("", {}, "eager/1.0")
    assert (found["attempts"], found["calls"]) == (36, 6)
    assert ("backoff" in verdicts(out), code == 1) == (True, "FAIL" in verdicts(out).values())


@pytest.mark.parametrize("format_", others_slowly(["html", "json", "junit", "markdown"], "markdown".__eq__))
def test_standard_output_is_utf_8_in_every_format_but_text(format_):
    """As a file is, whatever the terminal's or the system's encoding."""
    given = str(Path(__file__).parents[1] / "audit/cos.jsonl.gz")
    found = [
        subprocess.run(
            [sys.executable, "-m", "faultinject", "report", given, "--finished", "--format", format_],
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True,
            check=False,
        ).stdout
        for encoding in ("utf-8", "cp1252")
    ]
    assert found[0] == found[1]
    assert found[1].decode("utf-8")


@pytest.fixture
def printed(journal):
    """Print a report on requests with this User-Agent, with more variables: the bytes."""

    def run(agent, **more):
        path = journal([{**each, "user_agent": agent} for each in forbidden()])
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        command = [sys.executable, "-m", "faultinject", "report", "--finished", "-v", path]
        done = subprocess.run(command, env={**kept, **more}, capture_output=True, timeout=300)
        assert (done.returncode, done.stderr) == (1, b"")
        return done.stdout

    return run


@pytest.mark.live
@pytest.mark.parametrize(("encoding", "sign"), [("utf-8", "✕"), ("latin-1", "\\u2715")])
def test_what_a_terminal_lacks_is_an_escape(printed, encoding, sign):
    """Of signs too; what the terminal has stays."""
    said = printed("☃é", PYTHONIOENCODING=encoding).decode(encoding)
    assert f"\n{sign} FAIL  permanent: " in said
    assert "☃é".encode(encoding, "backslashreplace").decode(encoding) in said


@pytest.mark.live
@pytest.mark.parametrize("columns", others_slowly([40, 72, 120], (40).__eq__))
def test_a_report_at_any_width(printed, columns):
    """No line is wider than the terminal, and the result comes first, also in the locale C.

    A single word may be wider.
    """
    lines = printed("uploader/1.0", LC_ALL="C", COLUMNS=str(columns)).decode("utf-8").splitlines()
    assert lines[0].startswith("FAIL: permanent: 4 of 4")
    assert any(each.startswith("✕ FAIL  permanent: ") for each in lines)
    assert [each for each in lines if len(each) > columns and len(each.split()) > 1] == []
    assert max(map(len, lines)) > columns - 20
