"""`faultinject explore` looks into its store: a command that says that all is well, and has lost something."""

from __future__ import annotations

import json
import sys

import pytest

from tests.measured import without_times

pytestmark = pytest.mark.live

PROGRAM = """
import http.client, os, sys, time, uuid
from urllib.parse import urlsplit

def ask(method, path, body=b""):
    "One attempt: the body of the answer, None where there is none."
    connection = http.client.HTTPConnection(urlsplit(os.environ["ENDPOINT"]).netloc, timeout=10)
    try:
        connection.request(method, "/films" * (path.count("/") == 1) + path, body, {"Content-Length": str(len(body))})
        answer = connection.getresponse()
        content = answer.read()
        return content if answer.status < 300 else None
    except OSError:
        return None
    finally:
        connection.close()

def call(*request):
    "Three attempts."
    for _ in range(3):
        found = ask(*request)
        if found is not None:
            return found
    sys.exit(3)

"""
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "rule", "said"),
    [
        (
            "ask('PUT', '/cat', b'meow') is None and ask('PUT', '/cat', b'me')",
            "s3:SlowDown",
            "half written: /films/cat has 2 bytes; without faults it has 4 bytes",
        ),
        (
            "for _ in range(2):\n    if ask('PUT', '/log', (ask('GET', '/log') or b'') + b'line') is not None: break",
            "reset,when=after,method=PUT",
            "written twice: /films/log has 8 bytes; without faults it has 4 bytes",
        ),
        (
            "ask('PUT', '/cat', b'meow') is None and ask('PUT', '/cat', b'purr')",
            "s3:SlowDown",
            "other content: /films/cat differs from what it is without faults, from byte 0 on",
        ),
        (
            "ask('DELETE', '/old')",
            "s3:SlowDown",
            "not removed: /films/old is still there; without faults it is removed",
        ),
        (
            "name = '/data-' + uuid.uuid4().hex[:8]; ask('PUT', name, b'meow')",
            "s3:SlowDown",
            "object lost: there are 0 objects /films/data-*, without faults 1",
        ),
    ],
    ids=["half", "twice", "other", "not removed", "names that change"],
)
def test_what_the_store_shows(explored, source, rule, said):
    """A command that exits with 0 and has left something else behind than it does without faults."""
    code, lines = explored(source, "-r", rule)
    assert (code, findings(lines)[:1]) == (1, [said])


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


@pytest.mark.slow
@pytest.mark.parametrize("pattern", ["/films/cat", "/films/c*", "/films/", "object lost"])
def test_ignored(explored, pattern):
    """An object, a pattern of objects, or the check."""
    source = "ask('PUT', '/cat', b'meow')"
    assert explored(source, "-r", "s3:SlowDown", "--ignore", pattern)[0] == 0
    assert explored(source, "-r", "s3:SlowDown", "--ignore", "/films/dog")[0] == 1


def test_a_pattern_that_is_too_long(run):
    """It is refused before anything runs."""
    code, _, errors = run("explore", "-r", "s3:SlowDown", "--ignore", "/" + "*" * 20, "--", "true")
    assert (code, errors) == (
        2,
        "faultinject: ignore: a pattern of 20 stars; at most 16 are allowed\n",
    )
