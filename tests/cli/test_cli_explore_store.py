"""`faultinject explore` finds in its store that a successful command has lost something."""

import json
import re
import shlex
import sys
from xml.etree import ElementTree

import pytest

from tests.measured import without_times
from tests.slowly import others_slowly, slowly

from .programs import PLAIN_HTTP

pytestmark = pytest.mark.live

PROGRAM = (
    PLAIN_HTTP
    + """
import time

def drawn():
    "As uuid4, which takes longer to load than all the rest."
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

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
RESET = "curl -s -X PUT $ENDPOINT/films --next -s -X PUT -d old $ENDPOINT/films/old"


LOST = "object lost: /films/cat is not there; without faults it has 4 bytes"


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
    """The failures and warnings of a report, without the scenario."""
    begins = (
        "object lost: ",
        "half written: ",
        "written twice: ",
        "other content: ",
        "not removed: ",
        "warning: ",
        "  ! ",
        "  ✕ other content: ",
    )
    return [line.partition(" (reset")[0].partition(" (s3:")[0] for line in lines if line.startswith(begins)]


@pytest.mark.parametrize(
    ("source", "code", "ended", "found"),
    [
        ("if ask('PUT', '/cat', b'meow') is None:\n    sys.exit(1)", 0, "0 failed, 2 gave up cleanly", []),
        ("ask('PUT', '/cat', b'meow')", 1, "2 failed", [LOST]),
    ],
    ids=["told", "swallowed"],
)
def test_refusals_that_no_retry_helps(explored, source, code, ended, found):
    """A job may end with an error then; one that reports success has lost its object."""
    exit_code, lines = explored(source, "-r", "s3:AccessDenied", "-r", "http:403")
    assert (exit_code, lines[0], findings(lines)) == (
        code,
        f"1 request without faults, 2 faults; 2 runs ~, {ended}",
        found,
    )


@pytest.mark.slow
def test_an_sdk_without_settings_of_its_own(run, tmp_path, monkeypatch):
    """The variables of the SDKs name the store, with credentials; what the user has set stays."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    path = tmp_path / "job.py"
    path.write_text(
        "import os, boto3\n"
        "assert os.environ['AWS_REGION'] == 'eu-west-1'\n"
        "s3 = boto3.client('s3')\n"
        "s3.create_bucket(Bucket='films')\n"
        "s3.put_object(Bucket='films', Key='cat', Body=b'meow')\n"
    )
    code, output, errors = run(
        "explore", "--vendor", "s3", "-r", "s3:SlowDown,times=1", "--", sys.executable, str(path)
    )
    assert (code, errors) == (0, "")
    assert output.startswith("2 requests without faults, 1 fault; ")


def test_a_write_that_nobody_repeats(explored, tmp_path):
    """The report and the data name the lost object, not the one that is written again.

    A lock that nobody asks to be taken away is a warning.
    """
    data = tmp_path / "found.json"
    source = (
        "ask('PUT', '/cat', b'meow'); call('PUT', '/dog', b'wuff'); "
        "call('PUT', '/lock', b'x'); ask('PUT', '/lock', b'x') is None or call('DELETE', '/lock')"
    )
    code, lines = explored(source, "-r", "s3:SlowDown", "-o", str(data))
    assert (code, lines[:5]) == (
        1,
        [
            "5 requests without faults, 1 fault; 5 runs ~, 1 failed, 1 with a warning",
            "",
            LOST,
            "  when request 1 (PutObject /films/cat) gets: s3:SlowDown",
            "    1 PutObject     503 PUT /films/cat  <- s3:SlowDown",
        ],
    )
    [found] = json.loads(data.read_text())["findings"]
    assert (found["error"], found["audit"], findings(lines)[1:]) == (
        LOST,
        [LOST],
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
            (
                "if ask('PUT', '/cat', b'meow') is None:\n    ask('PUT', '/cat'); call('PUT', "
                "'/cat?x-id=PutObject', b'meow')"
            ),
            "s3:SlowDown",
        ),
        ("call('PUT', '/at', b'%f' % time.time()); call('PUT', '/' + os.urandom(16).hex(), b'x')", "s3"),
        ("call('PUT', f'/at-{int(time.time())}', b'x')", "s3"),
    ],
    ids=["cleared, written anew", "cleared, written by another call", "times and ids", "a time in a name"],
)
def test_right_programs(explored, source, rule):
    """Right programs have no findings, whatever differs in each run."""
    code, lines = explored(source, "-r", rule)
    assert (code, findings(lines)) == (0, [])


LABELLED = """
def label(**headers):
    try:
        headers |= {"x_amz_copy_source": "/films/cat", "x_amz_metadata_directive": "REPLACE"}
        return exchange("PUT", "/films/cat", b"", **headers)[0] < 300
    except OSError:
        return False

call("PUT", "/cat", b"meow")
while not label(x_amz_meta_owner="me", x_amz_meta_at=str(time.time()), Content_Type="image/png") and AGAIN:
    pass
"""


@pytest.mark.parametrize(
    ("again", "found"),
    [
        (False, "other metadata: /films/cat has Content-Type: binary/octet-stream; without faults it has Content-Type: image/png"),
        slowly(True, None),
    ],
    ids=["swallowed", "sent again"],
)  # fmt: skip
def test_metadata_that_was_not_written(explored, again, found):
    """Nobody hears that it was refused; what differs in each run is not compared."""
    code, lines = explored(LABELLED.replace("AGAIN", str(again)), "-r", "s3:SlowDown,operation=CopyObject")
    assert (code, lines[2] if found else None) == (bool(found), found)


TIMED = """
began, body, sent = time.monotonic(), b"meow", 1
while ask("PUT", "/cat", body) is None:
    time.sleep(0.6)
    body, sent = body[:LEFT], sent + TWICE
halves = 2 * (time.monotonic() - began)
call("PUT", "/time", b"%d halves" % halves)
call("PUT", "/stats", b'{"halves": %d, "cats": %d}' % (halves, sent))
print("%d halves of a second" % halves)
print("%d cats" % sent)
"""
RIGHT_TIMED = TIMED.replace("LEFT", "4").replace("TWICE", "0")


def test_a_job_that_writes_how_long_it_took(explored):
    """A fault makes it longer, as a slow store does; what else differs is a failure."""
    source = TIMED.replace("LEFT", "2").replace("TWICE", "1")
    code, lines = explored(source, "-r", "s3:SlowDown,path=/films/cat")
    assert (code, [lines[2], *lines[8:11]]) == (
        1,
        [
            "half written: /films/cat has 2 bytes; without faults it has 4 bytes",
            "  ✕ other content: /films/stats differs from what it is without faults, from byte 11 on",
            "  ✕ same bytes: request 1 sent 4 bytes, request 2, which retries it, 2 bytes",
            '  ! other output: it prints "2 cats"; without faults it prints "1 cats"',
        ],
    )


@pytest.mark.parametrize(
    ("asked", "what"), [("'PUT', '/none/cat', b'meow'", "writes"), ("'GET', '/films/none'", "reads")]
)
def test_a_store_that_refuses_all_requests_without_faults(explored, asked, what):
    """It is said of a program that exits with 0: nothing shows its reaction to faults."""
    code, lines = explored(f"ask({asked})", "-r", "s3:SlowDown")
    method, path = asked.split("'")[1:4:2]
    why = f"without faults the store refuses all {what}, such as {method} {path}: 404"
    assert (code, lines[2:]) == (0, [f"not judged: what the code {what} ({why})"])


RACE = """
import threading
first = threading.Thread(target=call, args=("PUT", "/cat", b"version 1"))
first.start()
time.sleep(0.3)
call("PUT", "/cat", b"version 2")
first.join()
"""
IN_ANY_ORDER = """
from concurrent.futures import ThreadPoolExecutor
rows = []
def read(number):
    time.sleep(number / 5)
    call("PUT", f"/cat{number}")
    rows.append(b"row %d" % number)
with ThreadPoolExecutor(3) as pool:
    list(pool.map(read, range(3)))
call("PUT", "/table", b"; ".join(rows))
"""


@pytest.mark.parametrize(
    ("source", "fault", "found"),
    [
        (RIGHT_TIMED, "latency,delay=1s", []),
        slowly(RIGHT_TIMED, "hang,duration=1s", []),
        (
            RACE,
            "latency,delay=600ms",
            ["other content: /films/cat differs from what it is without faults, from byte 8 on"],
        ),
        slowly(IN_ANY_ORDER, "latency,delay=1s", []),
    ],
    ids=["late", "never", "overtaken", "in any order"],
)
def test_a_duration_when_an_answer_is_late(explored, source, fault, found):
    """Another delay changes a duration, and not what a late request overwrites."""
    code, lines = explored(source, "-r", f"{fault},path=/films/cat*")
    assert (code, [line.partition(" (latency")[0] for line in findings(lines)]) == (bool(found), found)


SNAPSHOT = """
name = f"part-{drawn()}"
assert ask("PUT", f"/{name}", b"meow") is not None
if ask("PUT", "/snapshot", name.encode()) is None:
    if KNOWS:
        sys.exit(call("GET", "/snapshot") != name.encode())
    call("DELETE", f"/{name}")
    sys.exit(1)
"""


ORDER = """
assert ask("PUT", "/films/pending/order-1001", b"meow") is not None
if ask("PUT", "/films/orders/order-1001", b"order-1001 is placed") is None:
    call("DELETE", "/films/pending/order-1001")
    sys.exit(1)
"""
ANEW = """
for _ in range(2):
    name = f"{drawn()}/part-00000"
    assert ask("PUT", f"/films/{name}", b"meow") is not None
    if ask("PUT", "/snapshot", name.encode()) is not None:
        sys.exit(0)
    call("DELETE", f"/films/{name}")
"""


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


MADE_IN_GCS = """curl -s --json '{"name": "films"}' $ENDPOINT/storage/v1/b?project=p"""
GCS = f"--vendor gcs --reset {shlex.quote(MADE_IN_GCS)}"
SESSION = """
try:
    _, headers, _ = exchange("POST", "/upload/storage/v1/b/films/o?uploadType=resumable&name=cat", b"")
    place = headers["location"].partition("films/o")[2]
    for part in ("bytes 0-262143/262148", "bytes 262144-262147/262148"):
        size = 262144 if part.startswith("bytes 0") else 4
        exchange("PUT", "/upload/storage/v1/b/films/o" + place, b"m" * size, Content_Range=part)
except OSError:
    sys.exit(3)
"""


def test_a_new_name_for_each_attempt(explored):
    """A file under a new name per attempt does no harm if a commit names the right one."""
    code, lines = explored(
        "name = next(name for name in iter(lambda: '/data-' + os.urandom(16).hex(), None) if "
        "ask('PUT', name, b'rows') is not None)\n"
        "call('PUT', '/commit', name.encode())",
        *("-r", "reset,when=after,path=/films/data-*"),
    )
    [warning] = [
        re.sub("data-[0-9a-f]+", "data-7", each.partition(" (reset")[0]) for each in lines if "data-" in each
    ]
    assert (code, len(lines), warning) == (
        0,
        4,
        "warning: perhaps written twice: equal to /films/data-7: there are 2 objects /films/data-*, without faults 1",
    )
    assert "ignore" not in lines[3]


KEYS = b"<Delete><Object><Key>two</Key></Object></Delete>"


def test_removals_that_were_refused(explored):
    """Nobody hears of it: what the run made itself, and was to remove, is still there.

    Of several in one request, as a whole or of each key.
    """
    source = (
        "for key in 'one', 'two', 'cat':\n    call('PUT', f'/{key}', b'x')\n"
        f"ask('DELETE', '/one'); ask('POST', '/films/?delete', {KEYS})"
    )
    several = "s3:InternalError,operation=DeleteObjects"
    faults = ("-r", "s3:SlowDown,method=DELETE", "-r", several, "-r", f"{several},status=200")
    code, lines = explored(source, *faults)
    assert (code, lines[0].startswith("5 requests without faults, 3 faults; 3 runs ~, 3 failed")) == (1, True)
    assert {each for each in findings(lines) if not each.startswith("warning: ")} == {
        f"not removed: /films/{key} is still there; without faults it is removed" for key in ("one", "two")
    }


@pytest.mark.parametrize("name", [pytest.param("'part'", marks=pytest.mark.slow), "f'part-{drawn()}'"])
def test_a_cut_read_that_is_written_under_a_drawn_name(explored, name):
    """It is half written, whatever it is called."""
    source = f"""
import socket
try:
    rows = exchange("GET", "/films/old")[2]
except OSError:
    rows = b"ol"
call("PUT", "/" + {name}, rows)
"""
    code, lines = explored(source, "-r", "truncate,method=GET")
    told = re.fullmatch("half written: .* has 2 bytes; without faults it has 3 bytes", lines[2])
    assert (code, bool(told)) == (1, True)


READ = """
try:
    text = exchange("GET", "/films/old")[2].decode()
except OSError:
    print("cut", file=sys.LOG)
    text = "ol"
"""
CUT = 'warning: other output: it prints "2"; without faults it prints "3" (truncate,'


SAME_BYTES = f"""
place = "/upload/storage/v1/b/films/o"
for name in "uploadType=media&name=tmp", "name=other&uploadType=media", "uploadType=media&name=keep":
    call("POST", f"{{place}}?{{name}}", b"meow")
for name in "tmp", "other":
    ask("DELETE", f"/storage/v1/b/films/o/{{name}}")
{UPLOAD}"""
TO_STDERR, TO_STDOUT = (READ.replace("LOG", each) for each in ("stderr", "stdout"))
TO_SNAPSHOT, TO_ORDERS = (
    f"-r reset,when=after,path=films/{each},method=PUT" for each in ("snapshot", "orders/")
)
CUT_READ = "-r truncate,method=GET"


@pytest.mark.parametrize(
    ("source", "options", "code", "word", "told"),
    [
        # It exits with 3: that is the failure, and what the store lacks is no other.
        ("call('PUT', '/cat', b'meow')", "-r s3:SlowDown,times=9", 1, "exit code|lost", ["exit code 3"]),
        # A client that removes a file after a lost answer has broken the snapshot, whatever it reports; no precondition
        # guards the write.
        slowly(SNAPSHOT.replace("KNOWS", "True"), TO_SNAPSHOT, 0, "undid", []),
        (SNAPSHOT.replace("KNOWS", "False"), TO_SNAPSHOT, 1, "undid", [
            "  ✕ lost answer: undid its own write: request 2 (PUT) was carried out and its answer lost; request 3 (DELETE"
            " /films/part-",
        ]),
        # A file that a lost write does not name is not blamed on it: its own number is not that of an object beside it,
        # and a file that is there by another key is not the one that went.
        slowly(ORDER, TO_ORDERS, 1, "undid", []),
        slowly(ANEW, TO_SNAPSHOT, 0, "undid", []),
        # Neither a session's begin nor a piece with 308 is a write, but only the last piece.
        (SESSION, f"-r reset,when=after {GCS}", 1, "told an error", [
            "warning: lost answer: told an error: request 3 (PUT) was carried out and its answer lost; an error was"
            " reported (reset",
        ]),
        # The same bytes under the same name have no second effect, wherever the name stands; the store shows nothing of
        # the objects that go later.
        slowly(SAME_BYTES, f"-r reset,when=after,method=POST {GCS}", 0, "", ["6 requests without faults, "]),
        # A run that removed the old object and reports a failed write has not ended cleanly.
        ("call('DELETE', '/old'); call('PUT', '/old', b'meow')", "-r s3:AccessDenied,from=1", 0, "warning", [
            "2 requests without faults, 1 fault; 2 runs ~, 0 failed, 1 gave up cleanly, 1 with a warning",
            "warning: object lost: it was there before the run, and is gone: /films/old (s3",
        ]),
        # The lines of standard output on which runs without faults agree are compared if no error is told.
        slowly(f"{TO_STDERR}print(len(text))", CUT_READ, 0, "warning: ", [CUT]),
        (f"{TO_STDERR}text == 'old' and print(len(text))", CUT_READ, 0, "warning: ", ['warning: other output: it does not print "3" (truncate,']),
        (f"{TO_STDOUT}print('read')", CUT_READ, 0, "warning: ", []),
        slowly(f"{TO_STDERR}print(len(text), time.time())", CUT_READ, 0, "warning: ", []),
        (f"{TO_STDERR}print(len(text)); print(time.time())", CUT_READ, 0, "warning: ", [CUT]),
        slowly(f"{TO_STDERR}print(len(text)); sys.exit(text != 'old')", CUT_READ, 1, "warning: ", []),
        # An object, a pattern of objects, or the check is ignored.
        *(
            slowly("ask('PUT', '/cat', b'meow')", f"-r s3:SlowDown --ignore {shlex.quote(ignored)}", len(lost), LOST, lost)
            for ignored, lost in (("/films/cat", []), ("/films/c*", []), ("/films/", []), ("object lost", []), ("/films/dog", [LOST]))
        ),
    ],
)  # fmt: skip
def test_what_the_store_shows(explored, source, options, code, word, told):
    """The exit code, and how the lines with a word begin."""
    found, lines = explored(source, *shlex.split(options))
    shown = [each for each in lines if re.search(word, each)]
    assert (found, [line[: len(begin)] for line, begin in zip(shown, told, strict=True)]) == (code, told)


PIPED = """
answer = exchange("PUT", "/films/cat", b"meow")[2].decode()
print(answer.replace("\\n", " ") + "done")
"""


def test_a_warning_of_a_failure_stands_with_it_alone(explored, tmp_path):
    """Such as an error's body in the output, before what is printed without faults.

    JUnit has the warnings of a run that passes in its output.
    """
    code, lines = explored(PIPED, "-r", "s3:SlowDown,method=PUT,path=films/cat")
    shown = [line for line in lines if "other output" in line]
    assert (code, len(shown)) == (1, 1)
    assert re.fullmatch(
        r'  ! other output: it prints "<\?xml .*….*</Error>done"; without faults it prints "done"', shown[0]
    )
    path = tmp_path / "r.xml"
    code, lines = explored(
        f"{TO_STDERR}print(len(text)); ask('PUT', '/cat', b'meow')", *shlex.split(CUT_READ), "-o", str(path)
    )
    assert (code, lines[2][: len(CUT)]) == (0, CUT)
    [case] = ElementTree.parse(path).iter("testcase")
    assert case.findtext("system-out") == (
        'warning: other output: it prints "2"; without faults it prints "3"\n'
        "  → Repeat the request that was cut or refused, or report the failure."
    )


# Each adds a row of the day; the last line says how it is called.
ROW = "sys.exit(ask('PUT', {name}, b'day 7') is None)"
TWICE = (
    "lost answer: wrote twice: request 1 (PUT) was carried out and its answer lost; the job failed and was run"
    " again: there are 2 objects /films/row-*, without faults 1"
)
DAY, RANDOM = ROW.format(name="'/row-7'"), ROW.format(name="'/row-' + os.urandom(16).hex()")


@pytest.fixture
def run_again(explored, tmp_path):
    """Explore a program that a scheduler runs again when it has failed."""

    def explore(source, *options, rule="reset,when=after"):
        again = shlex.join([sys.executable, "-S", str(tmp_path / "job.py")])
        return explored(source, "-r", rule, "--again", again, *options)

    return explore


def test_a_job_that_stands_twice(run_again, tmp_path):
    """It told an error for a row that it had written, under a name that is another in each run.

    The data say which of the requests are of the first run.
    """
    data = tmp_path / "found.json"
    code, lines = run_again(RANDOM, "-o", str(data))
    [found] = json.loads(data.read_text())["findings"]
    assert (found["error"], found["audit"], found["failed_after"]) == (TWICE, [TWICE], 1)
    rows = [re.sub("[0-9a-f]{8,}…?", "~", line) for line in lines[2:7]]
    assert (code, lines[0], rows, lines[7]) == (
        1,
        "1 request without faults, 1 fault; 1 run ~, 1 failed",
        [
            TWICE,
            (
                "  when request 1 (PutObject /films/row-~) gets: the answer is lost "
                "(reset,vendor=s3) after the request was carried out"
            ),
            "    1 PutObject  PUT /films/row-~  <- reset after it was carried out",
            "    failed, and run again:",
            "    1 PutObject  200 PUT /films/row-~",
        ],
        "  → Choose the name of an object once, send a precondition, and read what is there before you write again.",
    )
    assert lines[8].startswith("  replay: faultinject explore -r reset,when=after --vendor s3 --again ")


@pytest.mark.parametrize(
    "rule",
    others_slowly(
        ["reset,when=after", "s3:SlowDown", "s3:AccessDenied,from=1"], lambda rule: rule.startswith("reset")
    ),
)
def test_a_job_that_may_run_again(run_again, rule):
    """A job that reports an error, and is right when it runs again, has given up cleanly.

    It writes the same row under the same name.
    """
    code, lines = run_again(DAY, rule=rule)
    assert (code, lines) == (0, ["1 request without faults, 1 fault; 1 run ~, 0 failed, 1 gave up cleanly"])


def test_an_object_that_is_gone_until_the_second_run(run_again):
    """The second run hides a wrong order: the report warns of what lacked between the runs."""
    code, lines = run_again(
        "call('DELETE', '/old'); call('PUT', '/old', b'meow')", rule="s3:SlowDown,times=3,method=PUT"
    )
    assert (code, findings(lines)) == (
        0,
        ["warning: object lost: it was there before the run, and is gone until the second run: /films/old"],
    )


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
            "call('PUT', '/row-' + os.urandom(16).hex(), b'day 7'); " + DAY,
            "s3:SlowDown,path=/films/row-7",
            0,
            "warning: left behind: there are 2 objects /films/row-*, without faults 1",
        ),
        (
            "name = '/lock-' + os.urandom(16).hex(); ask('PUT', name) is None and sys.exit(1); ask('DELETE', name)",
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
            "ask('PUT', '/row-' + os.urandom(16).hex(), b'day 7')",
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
    """A second run shows doubled effects of a lost answer.

    A command that ended with 0, or did not end, is not run again.
    """
    code, lines = run_again(source, rule=rule)
    assert code == failed
    assert said in [re.sub(r" \((reset|s3:).*", "", line) for line in lines], lines
