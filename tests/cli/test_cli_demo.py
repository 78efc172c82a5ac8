"""`faultinject demo`: the real COS SDK against the store, seen from outside."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import re
import shlex
import subprocess
import sys
import time
from statistics import median

import pytest

from faultinject import Outcome, Scenario
from faultinject.cli import chances
from faultinject.cli.demo import Lines, rules_for
from faultinject.cli.scoreboard import Attempt, Scoreboard, silent
from faultinject.installation import install_extra, own_command

pytestmark = pytest.mark.live

ARGUMENTS = ("demo", "--seed", "7", "--calls", "40", "--verbose")


def whole(*arguments, **env):
    """Run the program to its end: exit code, lines, standard error, seconds."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "faultinject", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **env},
    )
    return done.returncode, done.stdout.splitlines(), done.stderr, time.monotonic() - began


@pytest.fixture(scope="module")
def demo():
    """One short run without a terminal, behind a proxy that is not there."""
    return whole(*ARGUMENTS, HTTP_PROXY="http://127.0.0.1:9", http_proxy="http://127.0.0.1:9")


def numbers(lines):
    """The summary: each name with its number."""
    begin = lines.index("", 3) + 1
    rows = [re.match(r"([a-z ]+?) +(\d+)(?: |$)", line) for line in lines[begin : lines.index("", begin)]]
    return {row[1]: int(row[2]) for row in rows if row}


def verdict(lines):
    """What follows the headline, up to the next command and the one that gives the same again."""
    summary = lines.index("", 3) + 1
    headline = lines.index("", summary) + 1
    return lines[lines.index("", headline) + 1 : -3]


def attempts(lines):
    """The lines of attempts: number, operation, key, injected, verdict."""
    return [re.split(r"  +", line) for line in lines if re.match(r"\d  ", line)]


@pytest.mark.slow
def test_it_ends_by_itself_with_a_summary(demo):
    """Exit code 0 within 20 s, nothing on standard error, and the command that replays it."""
    code, lines, err, seconds = demo
    assert (code, err) == (0, "")
    assert seconds < 20
    assert re.match(
        r"cos-python-sdk-v5 [\d.]+ against the embedded object store on http://127.0.0.1:\d+$", lines[0]
    )
    assert lines[1] == "40 calls, 30 % documented errors of Tencent COS, seed 7"
    assert lines[3].split() == ["attempt", "operation", "key", "injected", *"what the SDK did".split()]
    assert lines[-2:] == [
        f"Next, every check:  {own_command()} conformance --client cos",
        f"The same again:     {own_command()} demo --seed 7 --calls 40 --verbose",
    ]


@pytest.mark.parametrize(
    ("arguments", "again"),
    [
        (("--seed", "7", "--calls", "240", "--probability", "0.30"), "--seed 7"),
        (("--probability", "0.5"), "--seed 9 --probability 0.5"),
        (("--port", "8123", "--calls", "3"), "--seed 9 --calls 3 --port 8123"),
        (("--seed", "a b;"), "--seed 'a b;'"),
        (("-v",), "--seed 9 --verbose"),
    ],
)
def test_the_command_that_gives_the_same_again(arguments, again):
    """The seed and every option that is not its default, quoted for a shell."""
    from faultinject.cli.demo import arguments_of, demo

    with demo.make_context("demo", [*arguments]) as context:
        assert arguments_of(context, context.params["seed"] or "9") == f"demo {again}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "env",
    [
        {
            "FAULTINJECT_EXPIRES": "2001-09-09T01:46:40Z",
            "FAULTINJECT_MAX_ACTIVE": "0",
            "FAULTINJECT_SEED": "9",
        },
        pytest.param(
            {"FAULTINJECT_RULES": "nonsense", "FAULTINJECT_FILE": "nowhere.toml", "FAULTINJECT_SED": "1"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"ENV": "production", "FAULTINJECT_SESSION": "x", "FAULTINJECT_ENDPOINT": "127.0.0.1"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_seed_replays_in_any_environment(demo, env):
    """The same seed gives every call the same faults, though calls run in parallel, and whatever is set for other programs.

    The demo has its own rules, seed and store; also in production.
    """
    code, lines, err, _ = whole(*ARGUMENTS, **env)
    assert (code, err) == (0, "")
    assert numbers(lines) == numbers(demo[1])

    def faults(lines):
        return sorted(each[:4] for each in attempts(lines))

    assert faults(lines) == faults(demo[1])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_nobody_reads_any_more():
    """Behind `| head -1` it ends at once: exit code 0, and not a word of its threads."""
    program = f"{shlex.quote(sys.executable)} -m faultinject demo --seed 7"
    command = f"{{ {program}; echo $? >&2; }} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("cos-python-sdk-v5 ")
    assert done.stderr == "0\n"


def test_lines_end_with_the_first_error(monkeypatch):
    """The first error of standard output is kept for the program's own thread, and nothing is written behind it."""
    written = []

    def full(line):
        written.append(line)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("click.echo", full)
    lines = Lines()
    attempt = Attempt(1, "PutObject", Outcome(key="k"))
    lines.show(attempt)
    lines.show(attempt)
    assert (len(written), lines.error.errno) == (1, errno.ENOSPC)


def test_the_summary_counts_what_was_shown(demo):
    """Calls, attempts, faults, recovered and given up are those of the lines above."""
    _, lines, _, _ = demo
    shown = attempts(lines)
    counted = numbers(lines)
    hit = {key for _, _, key, injected, _ in shown if injected != "-"}
    gave_up = {key for _, _, key, _, verdict in shown if verdict.startswith("gave up")}
    assert counted == {
        "calls": 40,
        "attempts": 40 - len(hit) + len(shown),
        "injected faults": sum(injected != "-" for *_, injected, _ in shown),
        "recovered": len(hit - gave_up),
        "given up": len(gave_up),
    }
    assert counted["recovered"] and counted["given up"]


def test_it_ends_with_the_verdict(demo):
    """The audit judges the SDK as what it calls itself, by the calls that were made; it never fails the demo."""
    _, lines, _, _ = demo
    result, client, tally, grounds, *rest = verdict(lines)
    assert re.match(r"(PASS|WARN|FAIL|Nothing could be judged): ", result)
    assert client.startswith("cos-python-sdk-v5")
    assert re.fullmatch(r"✕ \d+ fail  ! \d+ warnings?  \? \d+ not decided  ✓ [1-9]\d* pass", tally)
    assert grounds.startswith(f"40 calls, {numbers(lines)['attempts']} attempts in ")
    assert " test label (40)." in " ".join([grounds, *rest])
    assert "Profile: cos (" in " ".join([grounds, *rest])
    assert any(each.startswith("✓ passed: retries (") for each in rest)


@pytest.mark.slow
@pytest.mark.alone
def test_the_headline_says_what_the_sdk_did(demo):
    """Faults that its caller never saw, calls that failed, how it waits, and the number of ✕ below; and whose they are."""
    _, lines, _, _ = demo
    begin = lines.index("", lines.index("", 3) + 1) + 1
    headline = " ".join(lines[begin : lines.index("", begin)])
    shown = attempts(lines)
    gave_up = {key for _, _, key, _, verdict in shown if verdict.startswith("gave up")}
    faults = [key for _, _, key, injected, _ in shown if injected != "-"]
    hidden = sum(key not in gave_up for key in faults)
    problems = sum(each.startswith("✕ FAIL") for each in verdict(lines))
    found = f"{problems or 'no'} problem{'s' if problems > 1 else ''} found"
    unknown = int(re.search(r"\? (\d+) not decided", "\n".join(verdict(lines)))[1])
    assert unknown
    found += f", {unknown} check{'s' if unknown > 1 else ''} not decided"
    told = re.match(
        rf"The COS SDK hid {hidden} of {len(faults)} injected faults; {len(gave_up)} calls? failed;"
        rf" it waits (exactly )?([\d., ]+) s(, without jitter)?: {found}",
        headline,
    )
    assert told
    waits = {}
    for number, _, _, _, done in shown:
        if after := re.fullmatch(r"retried after ([\d.]+) s", done):
            waits.setdefault(number, []).append(float(after[1]))
    # The SDK asks for 1, 2 and 3 s; a busy machine adds to that, and the headline has what it was.
    medians = [median(waits[number]) for number in sorted(waits)]
    assert [float(each) for each in told[2].split(", ")] == pytest.approx(
        medians, abs=0.101
    )  # both are rounded
    assert [int(each) for each in medians] == [1, 2, 3]
    assert ("each ✕ is a problem of the SDK" in headline) == any(
        each.startswith(("✕ FAIL", "! WARN")) for each in verdict(lines)
    )


@pytest.mark.slow
def test_a_run_fits_on_a_screen():
    """Ten attempts, the headline, what is wrong, what passed, and the next command; nothing lacks a sample."""
    code, lines, err, _ = whole("demo", "--seed", "7", "--calls", "60")
    assert (code, err) == (0, "")
    assert len(attempts(lines)) == 10
    more = int(re.fullmatch(r"\((\d+) more attempts: -v shows all\)", lines[14])[1])
    assert more > 10
    assert lines[15] == ""
    assert lines[16].startswith("The COS SDK hid ")
    assert len(lines) < 40
    assert "Not enough data" not in "\n".join(lines)
    assert lines[-1] == f"The same again:     {own_command()} demo --seed 7 --calls 60"


@pytest.mark.slow
def test_a_demo_without_faults_claims_nothing():
    """No fault, no verdict: the headline says so, and nobody is blamed."""
    code, lines, err, _ = whole("demo", "--probability", "0", "--calls", "3", NO_COLOR="1")
    assert (code, err) == (0, "")
    begin = next(number for number, each in enumerate(lines) if each.startswith("The COS SDK "))
    assert " ".join(lines[begin : lines.index("", begin)]) == (
        "The COS SDK hid 0 of 0 injected faults; 0 calls failed; it never retried: nothing could be judged"
    )
    assert "problem of the SDK" not in "\n".join(lines)


@pytest.mark.slow
@pytest.mark.alone
def test_the_verdict_on_a_whole_run():
    """As it is called in the README, it finds what COS's SDK is known for: fixed waits, and codes it gives up on."""
    _, lines, _, _ = whole("demo", "--seed", "7")
    wrong = [each for each in lines if re.match(r"[✕!] (FAIL|WARN)", each)]
    assert [re.split(r"  |: ", each)[1] for each in wrong] == ["jitter", "retries"]
    assert not any(each.startswith("? ") for each in lines)


@pytest.mark.slow
@pytest.mark.alone
def test_the_sdk_did_what_is_told(demo):
    """5xx answers are retried after 1, 2 and 3 s, 4xx answers are not, and the fourth attempt is the last."""
    _, lines, _, _ = demo
    for number, _, _, injected, verdict in attempts(lines):
        if injected == "-":
            assert verdict == "recovered"
        elif injected.startswith("4"):
            assert verdict == (
                f"gave up: {injected[:3]}, no retry" if number == "1" else f"gave up, {number} attempts"
            )
        elif number == "4":
            assert verdict == "gave up, 4 attempts"
        else:
            waited = float(re.fullmatch(r"retried after ([\d.]+) s", verdict)[1])
            assert int(number) <= waited < int(number) + 0.9


def test_ctrl_c_ends_it_with_one_line(start):
    """Ctrl-C: exit code 130 and no traceback."""
    process = start("demo", "--probability", "1", "--calls", "100")
    process.until("attempt")
    code, rest = process.interrupt()
    assert code == 130
    assert rest[-1] == "faultinject: interrupted"
    assert not any("Traceback" in line for line in rest)


def test_the_port_is_taken(start, run):
    """A port in use is one line and exit code 2."""
    port = start("serve", "--port", "0").until("Ctrl-C")[0].rpartition(":")[2]
    assert run("demo", "--port", port) == (
        *(2, ""),
        f"faultinject: port {port} of 127.0.0.1 is in use; choose another with --port, or 0 for any free one\n",
    )


def test_the_sdk_is_missing(run, monkeypatch):
    """Without the extra, the message has the command that installs it."""
    monkeypatch.setitem(sys.modules, "qcloud_cos", None)
    assert run("demo") == (
        *(2, ""),
        f"faultinject: demo needs the SDK of Tencent COS: {install_extra('demo')}\n",
    )


def test_the_kill_switch_is_told(run):
    """A demo without faults would show nothing."""
    assert run("demo", env={"FAULTINJECT_ENABLED": "0"}) == (
        *(2, ""),
        "faultinject: FAULTINJECT_ENABLED=0 switches all faults off; unset it\n",
    )


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.3, 0.5, 0.9, 1.0])
def test_the_rules_come_to_the_probability(probability):
    """Together the rules answer that share of all attempts, in fixed proportions, of writes and of reads."""
    rules = rules_for(probability)
    for method, shares in (("PUT", (0.7, 0.15, 0.15)), ("GET", (0.7, 0.3))):
        rates = chances.rates([each for each in rules if method in each.conditions["method"]])
        assert sum(rates) == pytest.approx(probability, abs=1e-5)
        assert rates == pytest.approx([probability * share for share in shares], abs=1e-5)


def test_an_error_comes_where_its_document_has_it():
    """COS has OperationAborted for conflicting writes."""
    limited = [(rule, row) for rule in rules_for(0.3) for row in rule.resolved.rows if row.where]
    assert [row.code for _, row in limited] == ["OperationAborted"]
    for rule, row in limited:
        [documented] = Scenario.parse(f"{row.address},{row.where}").rules
        assert set(rule.conditions["method"]) <= set(documented.conditions["method"])


def test_the_rules_mix_what_the_sdk_retries_and_what_not():
    """Some of the errors are 5xx, some 4xx, and COS documents them as worth another try or passing."""
    statuses = [{row.status // 100 for row in rule.resolved.rows} for rule in Scenario(rules_for(0.3)).rules]
    assert statuses == [{5}, {4}, {4}, {5}, {4}]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of Unix")
@pytest.mark.parametrize(
    ("term", "columns", "live", "drawn"),
    [
        ("xterm", "90", True, True),
        ("xterm", "80", True, True),
        ("xterm", "79", False, True),
        ("dumb", "90", False, False),
    ],
)
def test_a_terminal_gets_a_live_table(term, columns, live, drawn):
    """With rich and a terminal wide enough, the table is redrawn in place, else there are plain lines; the same
    summary follows, and the verdict, in colours where the terminal has them."""
    import pty

    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "faultinject", "demo", "--seed", "7", "--calls", "8"],
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": term, "COLUMNS": columns, "LINES": "30"},
    )
    os.close(slave)
    data = b""
    try:
        with os.fdopen(master, "rb", buffering=0) as terminal, contextlib.suppress(OSError):
            while piece := terminal.read(65536):
                data += piece
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
    text = data.decode()
    assert ("\x1b" in text, "calls done" in text) == (drawn, live)
    assert bool(re.search(r"^attempt  operation ", text, re.MULTILINE)) is not live
    assert "The COS SDK hid " in text


@pytest.mark.slow
@pytest.mark.parametrize(("begin_for", "end_after"), [(0.2, 0.5), (0.0, 9.0)])
def test_it_ends_in_time_whatever_happens(begin_for, end_after):
    """When the time is over, no call is begun, nobody is waited for, and the summary says so."""
    times = f"w.BEGIN_FOR, w.END_AFTER = {begin_for}, {end_after}"
    hurry = f"from faultinject.cli import main, workload as w; {times}; main()"
    done = subprocess.run(
        [sys.executable, "-c", hurry, "demo", "--probability", "1", "--calls", "500", "--seed", "1", "-v"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    counted = numbers(lines)
    assert ("cut short" in counted) == (begin_for > 0)
    assert 0 < counted["calls"] < 500 if begin_for else counted["calls"] == 0


def test_the_scoreboard_keeps_to_its_calls():
    """Requests of others are not counted; a call that never reached the server is given up."""
    board = Scoreboard(silent)
    board.begin("PutObject", "mine")
    board.begin("GetObject", "late")
    board.saw(Outcome(key="other", did="passed"))
    board.end("mine", succeeded=False)
    board.saw(Outcome(key="late", did="answered", fault="cos:SlowDown", status=503, arrived=1.0))
    assert [each.cells() for each in board.latest(9)] == [("1", "GetObject", "late", "503 SlowDown", "…")]
    assert board.summary() == [
        ("calls", "2", ""),
        ("attempts", "1", "0.50 a call"),
        ("injected faults", "1", "100 % of the attempts"),
        ("recovered", "0", "hit by a fault, hidden from the caller"),
        ("given up", "1", "1 at once, 0 after retries"),
        ("cut short", "1", "still running at the time limit"),
    ]


def test_nothing_happened():
    """No call at all is a summary of zeros."""
    assert [row[1:] for row in Scoreboard(silent).summary()][:3] == [
        ("0", ""),
        ("0", "0.00 a call"),
        ("0", "0 % of the attempts"),
    ]


def test_without_rich_there_are_plain_lines(monkeypatch):
    """The live table is an extra; a terminal alone does not make it."""
    from types import SimpleNamespace

    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setitem(sys.modules, "rich.console", None)
    module = importlib.import_module("faultinject.cli.demo")
    assert module._is_wide_terminal() is False
