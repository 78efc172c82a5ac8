"""`faultinject demo`: the real COS SDK against the store, seen from outside."""

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import threading
import time

import pytest

from faultinject import Injector, Scenario, WSGIFaultMiddleware
from faultinject.cli.demo import DEMO_RULES, Workload, load_sdk
from faultinject.store import ObjectStore
from tests.on_loopback import on_loopback
from tests.until import until

pytestmark = pytest.mark.live

ARGUMENTS = ("demo", "--seed", "7", "--calls", "40", "--verbose")


def whole(*arguments, **env):
    """Run the program to its end: exit code, lines, standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "faultinject", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, **env},
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.fixture(scope="module")
def demo():
    """One short run without a terminal, behind a proxy that is not there."""
    return whole(*ARGUMENTS, HTTP_PROXY="http://127.0.0.1:9", http_proxy="http://127.0.0.1:9")


REPORT = "The report on the SDK; every error was injected on purpose:"


def attempts(lines):
    """The lines of attempts: number, operation, key, how long after the one before, injected."""
    return [re.split(r"  +", line) for line in lines if re.match(r"\d  ", line)]


@pytest.mark.slow
def test_it_ends_by_itself_with_a_report(demo):
    """Exit code 0, nothing on standard error, and the command that replays it.

    The audit judges the SDK under its own name, by its calls, and never fails the demo.
    """
    code, lines, err = demo
    assert re.match(
        r"cos-python-sdk-v5 [\d.]+ against the embedded object store on http://127.0.0.1:\d+$", lines[0]
    )
    asked = "40 calls, 30 % documented errors of Tencent COS, seed 7"
    heads = ["attempt", "operation", "key", "waited", "injected"]
    assert (code, err, lines[1], lines[3].split()) == (0, "", asked, heads)
    result, client, grounds, lost, *rest = lines[lines.index(REPORT) + 2 : -3]
    again = sum(number != "1" for number, *_ in attempts(lines))
    for says, text in (
        (r"(PASS|WARN|FAIL|Nothing could be judged): ", result),
        ("cos-python-sdk-v5", client),
        (rf"40 calls, {40 + again} attempts in .*, \d{{4}}-.* UTC\.$", grounds),
        (r"\d+ of 40 calls failed for good: ", lost),
        (r".* test label \(40\)\.", " ".join(rest)),
        (r".*Profile: cos \(", " ".join(rest)),
    ):
        assert re.match(says, text), text
    assert any(each.startswith("✓ passed: retries (") for each in rest)
    assert lines[-2:] == [
        "Next, every check:  faultinject conformance --client cos",
        "The same again:     faultinject demo --seed 7 --calls 40 --verbose",
    ]


def test_the_command_that_gives_the_same_again(run):
    """The seed and every option that is not its default, quoted for a shell."""
    again = "demo --seed 'b c;' --calls 1 --verbose"  # a seed by which nothing is retried
    code, out, err = run(*shlex.split(again))
    assert (code, err, out.splitlines()[-1]) == (0, "", f"The same again:     faultinject {again}")


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
    """The same seed gives every call the same faults, in parallel, in any environment.

    Whatever is set for other programs. The demo has its own rules, seed and store; also in production. Its Python
    says what is wrong with a session of nobody.
    """
    code, lines, err = whole(*ARGUMENTS, **env)
    told = ["unset it"] * ("FAULTINJECT_SESSION" in env)
    assert (code, [each.rpartition(": ")[2] for each in err.splitlines()]) == (0, told)

    def faults(lines):
        return sorted([*each[:3], each[4]] for each in attempts(lines))

    assert faults(lines) == faults(demo[1])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_nobody_reads_any_more():
    """Behind `| head -1` it ends at once: exit code 0, and not a word of its threads."""
    program = f"{shlex.quote(sys.executable)} -m faultinject demo --seed 7"
    command = f"{{ {program}; echo $? >&2; }} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300)
    assert (done.stdout[:18], done.stderr) == ("cos-python-sdk-v5 ", "0\n")


@pytest.mark.slow
def test_a_run_without_verbose_shows_some_attempts():
    """The first ten, how many more there are, the report and the next command."""
    code, lines, err = whole("demo", "--seed", "7", "--calls", "60")
    assert (code, err, len(attempts(lines))) == (0, "", 10)
    assert int(re.fullmatch(r"\((\d+) more attempts: -v shows all\)", lines[14])[1]) > 10
    assert lines[15:18] == ["", REPORT, ""]
    assert lines[-1].endswith(" demo --seed 7 --calls 60")


@pytest.mark.slow
@pytest.mark.alone
def test_the_verdict_on_a_whole_run():
    """The verdict names the known flaws of COS's SDK, as in the README.

    Fixed waits, codes it gives up on, 501 that it retries.
    """
    _, lines, _ = whole("demo", "--seed", "7")
    assert "Not enough data" not in "\n".join(lines)
    wrong = [each for each in lines if re.match(r"[✕!] (FAIL|WARN)", each)]
    assert {re.split(r"  |: ", each)[1] for each in wrong} == {"jitter", "retries"}


@pytest.mark.slow
@pytest.mark.alone
def test_each_retry_tells_how_long_it_was_waited_for(demo):
    """5xx answers are retried after 1, 2 and 3 s, and the fourth attempt is the last."""
    _, lines, _ = demo
    shown = attempts(lines)
    assert {number for number, *_ in shown} == {"1", "2", "3", "4"}
    for number, _, _, waited, _ in shown:
        if number == "1":
            assert waited == "-"
        else:
            before = int(number) - 1
            assert before <= float(waited.removesuffix(" s")) < before + 0.9


def test_ctrl_c_ends_it_with_one_line(start):
    """Ctrl-C: exit code 130 and no traceback."""
    process = start("demo", "--calls", "100")
    process.until("attempt")
    code, rest = process.interrupt()
    # Python may warn, behind it, of a socket: `create_connection` leaves one open that is interrupted as it connects.
    told = [line for line in rest if line.startswith("faultinject") or "Traceback" in line]
    assert (code, told) == (130, ["faultinject: interrupted"])


RULES = Scenario.parse(DEMO_RULES).rules


def test_the_rules_come_to_the_probability(run):
    """The rules answer 30 % of all attempts, in fixed shares of writes and reads."""
    for method, shares in (("PUT", (0.7, 0.15, 0.15)), ("GET", (0.7, 0.3))):
        found = [str(each) for each in RULES if method in each.conditions.get("method", ())]
        rates = [each["rate"] for each in json.loads(run("check", *found, "--json")[1])["rules"]]
        expected = [0.3, *(0.3 * share for share in shares)]
        assert [sum(rates), *rates] == pytest.approx(expected, abs=1e-5)


def test_an_error_comes_where_its_document_has_it():
    """COS has OperationAborted for conflicting writes."""
    limited = [(rule, row) for rule in RULES for row in rule.resolved.rows if row.where]
    assert [row.code for _, row in limited] == ["OperationAborted"]
    for rule, row in limited:
        [documented] = Scenario.parse(f"{row.address},{row.where}").rules
        assert set(rule.conditions["method"]) <= set(documented.conditions["method"])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of Unix")
def test_a_terminal_shows_how_far_it_is():
    """Progress follows the shown attempts, until the report, which is coloured on a terminal."""
    import pty

    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "faultinject", "demo", "--seed", "7", "--calls", "60"],
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "90", "LINES": "30"},
    )
    os.close(slave)
    data = b""
    try:
        with os.fdopen(master, "rb", buffering=0) as terminal, contextlib.suppress(OSError):
            while piece := terminal.read(65536):
                data += piece
        assert process.wait(timeout=300) == 0
    finally:
        process.kill()
        process.wait()
    shown, _, report = data.partition(REPORT.encode())
    assert (bool(re.search(rb"\r\d+ of 60 calls done \r", shown)), b"\x1b[" in report) == (True, True)


@pytest.mark.slow
def test_it_ends_in_time_whatever_happens():
    """After its time no call begins, and none is waited for."""
    code, lines, err = whole("demo", "--calls", "999", "--seed", "1", "-v")
    assert (code, err) == (0, "")
    assert 0 < len({key for _, _, key, *_ in attempts(lines)}) < 999


def test_an_answer_that_breaks_off_is_a_failed_call():
    """As where the server ends while calls run: no thread ends with a traceback."""
    injector = Injector(["reset,when=after,after_bytes=2,method=GET"])
    store = ObjectStore("cos")
    store.fill("demo-1250000000", objects=["001.jpg"], uploads=(), content=b"a photo")
    with on_loopback(WSGIFaultMiddleware(store, injector=injector)) as port:
        workload = Workload(load_sdk(), port, 2)
        workload.start()
        until(lambda: workload.over)
    assert sorted((each.name, each.returned) for each in workload.windows) == [
        ("GetObject", False),
        ("PutObject", True),
    ]


def test_a_call_that_never_ends_is_not_waited_for(monkeypatch):
    """Some seconds after calls were begun last it is over."""
    entered, left = threading.Event(), threading.Event()

    def app(environ, start_response):
        entered.set()
        left.wait(60)
        return ObjectStore("cos")(environ, start_response)

    monotonic = time.monotonic
    with on_loopback(app) as port:
        try:
            workload = Workload(load_sdk(), port, 1)
            workload.start()
            assert entered.wait(60)
            assert (workload.over, workload.done, len(workload.windows)) == (False, 0, 1)
            monkeypatch.setattr(time, "monotonic", lambda: monotonic() + 20)
            assert workload.over
        finally:
            left.set()
