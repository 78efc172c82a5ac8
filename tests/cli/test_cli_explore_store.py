"""`faultinject explore` looks into its store: a command that says that all is well, and has lost something."""

from __future__ import annotations

import json
import re
import shlex
import sys

import pytest

from tests.measured import without_times
from tests.slowly import others_slowly

from .programs import PLAIN_HTTP

pytestmark = pytest.mark.live

PROGRAM = (
    PLAIN_HTTP
    + """
import time, uuid

def ask(method, path, body=b""):
    "One attempt: the body of the answer, None where there is none."
    try:
        status, _, content = exchange(method, "/films" * (path.count("/") == 1) + path, body)
        return content if status < 300 else None
    except OSError:
        return None

def call(*request):
    "Three attempts."
    for _ in range(3):
        found = ask(*request)
        if found is not None:
            return found
    sys.exit(3)

"""
)
RESET = "curl -s -X PUT $ENDPOINT/films; curl -s -X PUT -d old $ENDPOINT/films/old"


@pytest.fixture
def explored(run, tmp_path):
    """Explore a program: the exit code and the lines of the report."""

    def explore(source, *options):
        path = tmp_path / "job.py"
        path.write_text(PROGRAM + source)
        words = [sys.executable, "-S", str(path)]
        options = ("--vendor", "s3", "--reset", RESET, *options)
        code, output, errors = run("explore", *options, "--", *words)
        assert errors == ""
        return code, without_times(output).splitlines()

    return explore


def findings(lines):
    """What is said of each kind of failure, and of each warning, without the scenario."""
    begins = (
        "object lost: ",
        "half written: ",
        "written twice: ",
        "other content: ",
        "not removed: ",
        "warning: ",
    )
    return [line.partition(" (reset")[0].partition(" (s3:")[0] for line in lines if line.startswith(begins)]


def test_a_write_that_nobody_repeats(explored):
    """The whole report. Nothing is said of the second object, which is written three times if need be."""
    code, lines = explored("ask('PUT', '/cat', b'meow'); call('PUT', '/dog', b'wuff')", "-r", "s3:SlowDown")
    assert code == 1
    assert lines[:5] == [
        "2 requests without faults, 1 fault; 2 runs ~, 1 failed, 0 gave up cleanly, 0 not reached, 0 pruned",
        "",
        "object lost: /films/cat is not there; without faults it has 4 bytes",
        "  when request 1 (PutObject /films/cat) gets: s3:SlowDown",
        "    1 PutObject  503 PUT /films/cat  <- s3:SlowDown",
    ]


def test_as_data(explored):
    """A finding of the store is one as any other."""
    code, lines = explored("ask('PUT', '/cat', b'meow')", "-r", "s3:SlowDown", "--json")
    [found] = json.loads("\n".join(lines))["findings"]
    said = "object lost: /films/cat is not there; without faults it has 4 bytes"
    assert (code, found["error"], found["audit"]) == (1, said, [said])


def test_what_is_left_behind(explored):
    """A lock that nobody takes away is a warning."""
    source = "call('PUT', '/lock', b'x'); call('PUT', '/cat', b'meow'); ask('DELETE', '/lock')"
    code, lines = explored(source, "-r", "s3:SlowDown")
    assert (code, findings(lines)) == (
        0,
        ["warning: left behind: /films/lock (1 byte) is there, and not without faults"],
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "rule"),
    [
        (
            "if ask('PUT', '/cat', b'meow') is None:\n    ask('PUT', '/cat'); call('PUT', '/cat', b'meow')",
            "s3:SlowDown",
        ),
        (
            "if ask('PUT', '/cat', b'meow') is None:\n    ask('PUT', '/cat'); call('PUT', '/cat?x-id=PutObject', b'meow')",
            "s3:SlowDown",
        ),
        ("call('PUT', '/at', b'%f' % time.time()); call('PUT', '/' + uuid.uuid4().hex, b'x')", "s3"),
        ("call('PUT', f'/at-{int(time.time())}', b'x')", "s3"),
    ],
    ids=["cleared, written anew", "cleared, written by another call", "times and ids", "a time in a name"],
)
def test_right_programs(explored, source, rule):
    """What is the same in the end, and what is another in each run, is no finding."""
    code, lines = explored(source, "-r", rule)
    assert (code, findings(lines)) == (0, [])


def test_a_post_with_one_effect(explored):
    """Whoever uploads by POST, and sends that again when its answer was lost, has stored one object."""
    reset = "curl -s -H 'Content-Type: application/json' -d '{\"name\":\"films\"}' $ENDPOINT/storage/v1/b?project=p"
    source = "call('POST', '/upload/storage/v1/b/films/o?uploadType=media&name=cat', b'meow')"
    code, lines = explored(source, "-r", "reset,when=after", "--vendor", "gcs", "--reset", reset)
    assert (code, findings(lines)) == (0, []), lines


def test_a_command_that_says_so(explored):
    """It exits with 3: that is the failure, and what the store lacks is no other."""
    code, lines = explored("call('PUT', '/cat', b'meow')", "-r", "s3:SlowDown,times=9")
    assert (code, lines[2], findings(lines)) == (1, "exit code 3", [])


SNAPSHOT = """
name = f"part-{uuid.uuid4()}"
assert ask("PUT", f"/{name}", b"meow") is not None
if ask("PUT", "/snapshot", name.encode()) is None:
    if KNOWS:
        sys.exit(call("GET", "/snapshot") != name.encode())
    call("DELETE", f"/{name}")
    sys.exit(1)
"""


@pytest.mark.parametrize("knows", [True, False])
def test_a_file_that_a_lost_snapshot_names(explored, knows):
    """Who removes it after a lost answer has broken the snapshot, whatever it tells; no precondition guards the write."""
    rule = "reset,when=after,path=films/snapshot,method=PUT"
    code, lines = explored(SNAPSHOT.replace("KNOWS", str(knows)), "-r", rule)
    said = "  ✕ lost answer: undid its own write: request 2 (PUT) was carried out and its answer lost; request 3 (DELETE /films/part-"
    assert (code, [each.startswith(said) for each in lines if "undid" in each]) == (
        (0, []) if knows else (1, [True])
    )


ORDER = """
assert ask("PUT", "/films/pending/order-1001", b"meow") is not None
if ask("PUT", "/films/orders/order-1001", b"order-1001 is placed") is None:
    call("DELETE", "/films/pending/order-1001")
    sys.exit(1)
"""
ANEW = """
for _ in range(2):
    name = f"{uuid.uuid4()}/part-00000"
    assert ask("PUT", f"/films/{name}", b"meow") is not None
    if ask("PUT", "/snapshot", name.encode()) is not None:
        sys.exit(0)
    call("DELETE", f"/films/{name}")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("program", "path"), [(ORDER, "orders/"), (ANEW, "snapshot")])
def test_what_a_lost_write_does_not_name(explored, program, path):
    """Its own number is not that of what stands beside it, and a file that is there by another key is not the one that went."""
    _, lines = explored(program, "-r", f"reset,when=after,path=films/{path},method=PUT")
    assert not [each for each in lines if "undid" in each]


UPLOAD = """
part = b"--x\\r\\nContent-Type: %s\\r\\n\\r\\n%s\\r\\n"
body = part % (b"application/json", b'{"name": "cat"}') + part % (b"text/plain", b"meow") + b"--x--"
for _ in range(2):
    try:
        path = "/upload/storage/v1/b/films/o?uploadType=multipart"
        sys.exit(exchange("POST", path, body, Content_Type="multipart/related; boundary=x")[0] != 200)
    except OSError:
        pass
"""


def test_an_upload_whose_body_has_its_name(explored):
    """It is sent again, and the store holds what it holds without faults: that is one effect."""
    bucket = """curl -s --json '{"name": "films"}' $ENDPOINT/storage/v1/b?project=p"""
    code, lines = explored(UPLOAD, "-r", "reset,when=after", "--vendor", "gcs", "--reset", bucket)
    assert (code, lines[1:]) == (0, [])


def test_a_new_name_for_each_attempt(explored):
    """A commit names the file that counts, as a table's does: the first one is left behind, and does no harm."""
    code, lines = explored(
        "name = next(name for name in iter(lambda: '/data-' + uuid.uuid4().hex, None) if ask('PUT', name, b'rows') is not None)\n"
        "call('PUT', '/commit', name.encode())",
        *("-r", "reset,when=after,path=/films/data-*"),
    )
    warning = "warning: left behind: there are 2 objects /films/data-*, without faults 1"
    assert (code, [line for line in lines if line.startswith(warning)] != []) == (0, True)


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["/films/cat", "/films/c*", "/films/", "object lost"])
def test_ignored(explored, pattern):
    """An object, a pattern of objects, or the check."""
    source = "ask('PUT', '/cat', b'meow')"
    assert explored(source, "-r", "s3:SlowDown", "--ignore", pattern)[0] == 0
    assert explored(source, "-r", "s3:SlowDown", "--ignore", "/films/dog")[0] == 1


# Each adds a row of the day; the last line says how it is called.
ROW = "sys.exit(ask('PUT', {name}, b'day 7') is None)"
TWICE = (
    "lost answer: wrote twice: request 1 (PUT) was carried out and its answer lost; the job failed and was run"
    " again: there are 2 objects /films/row-*, without faults 1"
)
DAY, RANDOM = ROW.format(name="'/row-7'"), ROW.format(name="'/row-' + uuid.uuid4().hex")


@pytest.fixture
def run_again(explored, tmp_path):
    """Explore a program that a scheduler runs again when it has failed."""

    def explore(source, *options, rule="reset,when=after"):
        again = shlex.join([sys.executable, "-S", str(tmp_path / "job.py")])
        return explored(source, "-r", rule, "--again", again, *options)

    return explore


def test_a_job_that_stands_twice(run_again):
    """It told an error for a row that it had written, under a name that is another in each run."""
    code, lines = run_again(RANDOM)
    rows = [re.sub("[0-9a-f]{8,}…?", "~", line) for line in lines[2:7]]
    assert (code, lines[0], rows) == (
        1,
        "1 request without faults, 1 fault; 1 run ~, 1 failed, 0 gave up cleanly, 0 not reached, 0 pruned",
        [
            TWICE,
            "  when request 1 (PutObject /films/row-~) gets: the answer is lost (reset,vendor=s3) after the store had done it",
            "    1 PutObject  PUT /films/row-~  <- reset after the store had done it",
            "    failed, and run again:",
            "    1 PutObject  200 PUT /films/row-~",
        ],
    )
    assert (
        lines[7]
        == "  → Choose the name of an object once, send an Idempotency-Key or a precondition, and read what is there before you write again."
    )
    assert lines[8].startswith("  replay: faultinject explore -r reset,when=after --vendor s3 --again ")


def test_a_job_that_stands_twice_as_data(run_again):
    """The finding, and which of the requests are of the first run."""
    code, lines = run_again(RANDOM, "--json")
    [found] = json.loads("\n".join(lines))["findings"]
    assert (code, found["error"], found["audit"], found["failed_after"]) == (1, TWICE, [TWICE], 1)


@pytest.mark.parametrize(
    "rule",
    others_slowly(
        ["reset,when=after", "s3:SlowDown", "s3:AccessDenied,from=1"], lambda rule: rule.startswith("reset")
    ),
)
def test_a_job_that_may_run_again(run_again, rule):
    """The same row under the same name: it told an error, and all is right when it has run again."""
    code, lines = run_again(DAY, rule=rule)
    said = "1 request without faults, 1 fault; 1 run ~, 0 failed, 1 gave up cleanly, 0 not reached, 0 pruned"
    assert (code, lines) == (0, [said])


@pytest.mark.slow
def test_a_second_fault_and_a_second_run(run_again):
    """It comes in the first run: what is requested by the second is no place for it."""
    code, lines = run_again(DAY, "--depth", "2")
    assert (code, lines[0].partition(";")[2].partition(",")[0]) == (0, " 1 run ~")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "rule", "failed", "said"),
    [
        (
            "log = ask('GET', '/log') or b''; sys.exit(ask('PUT', '/log', log + b'day 7 ') is None)",
            "reset,when=after,method=PUT",
            1,
            "lost answer: wrote twice: request 2 (PUT) was carried out and its answer lost; the job failed and was run"
            " again: /films/log has 12 bytes; without faults it has 6 bytes",
        ),
        (
            "call('PUT', '/row-' + uuid.uuid4().hex, b'day 7'); " + DAY,
            "s3:SlowDown,path=/films/row-7",
            0,
            "warning: left behind: there are 2 objects /films/row-*, without faults 1",
        ),
        (
            "name = '/lock-' + uuid.uuid4().hex; ask('PUT', name) is None and sys.exit(1); ask('DELETE', name)",
            "reset,when=after,method=PUT",
            0,
            "warning: left behind: there is 1 object /films/lock-*, without faults 0",
        ),
        (
            "ask('GET', '/row') and sys.exit(5); sys.exit(ask('PUT', '/row', b'day 7') is None)",
            "reset,when=after,method=PUT",
            1,
            "the second run: exit code 5",
        ),
        (
            "ask('PUT', '/row-' + uuid.uuid4().hex, b'day 7')",
            "s3:SlowDown",
            1,
            "object lost: there are 0 objects /films/row-*, without faults 1",
        ),
        (
            "while ask('PUT', '/row', b'day 7') is None: pass",
            "s3:SlowDown,times=200",
            1,
            "more than 120 requests in one run",
        ),
    ],
    ids=["a piece more", "nothing lost", "left by the first", "fails again", "exits with 0", "without end"],
)
def test_what_a_second_run_shows(run_again, source, rule, failed, said):
    """What stands twice is a failure where an answer was lost. What ended with 0, or did not end, is not run again."""
    code, lines = run_again(source, rule=rule)
    assert code == failed
    assert said in [re.sub(r" \((reset|s3:).*", "", line) for line in lines], lines
