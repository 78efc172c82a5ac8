"""`faultinject trial`: suites of several runners, with clients that retry and others."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

import faultinject
from faultinject.testing.trial.running import SuiteCommand, SuiteTrial, faults_of
from tests.slowly import slowly

from .programs import PLAIN_HTTP

pytestmark = pytest.mark.live

PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
CLIENT = (
    PLAIN_HTTP
    + """
def ask(method, path, tries=3):
    for _ in range(tries):
        try:
            status, _, data = exchange(method, path, b"meow" if path.count("/") > 1 and method == "PUT" else b"")
            if status < 400:
                return data
        except OSError:
            pass
    raise RuntimeError(f"gave up on {method} {path}")

def run_number():
    with open(__file__.rpartition("/")[0] + "/runs", "a") as counter:
        counter.write("x")
        return counter.tell()
"""
)
RIGHT = """
def test_right():
    ask("PUT", "/right")
    ask("PUT", "/right/cat")
    assert ask("GET", "/right/cat") == b"meow"
"""
WRONG = """
def test_wrong():
    ask("PUT", "/wrong")
    ask("PUT", "/wrong/cat")
    ask("PUT", "/wrong/dog", tries=1)
"""
JOB = """
cases = []
for name, test in [*globals().items()]:
    if name.startswith("test_"):
        try:
            test()
            said = ""
        except Exception as error:
            said = f"<failure>{error}</failure>"
        cases.append(f"<testcase name='{name}'>{said}</testcase>")
with open("out.xml", "w") as results:
    results.write(f"<testsuite>{''.join(cases)}</testsuite>")
"""
"""A runner that starts in a tenth of pytest's time, for what is the same with each."""
LISTENED = ("--results", "out.xml")
BY_JOB = (sys.executable, "-S", "job.py")


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """Write a file, and return its name; commands run in its folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv(
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1"
    )  # the plugins take longer than all the rest of a run

    def write(*parts, name="test_it.py"):
        (tmp_path / name).write_text(CLIENT + "".join(parts))
        return name

    return write


@pytest.fixture
def job(suite):
    """Write a suite of functions; gives the command that runs it."""
    return lambda *parts: ("--", sys.executable, "-S", suite(*parts, JOB, name="job.py"))


def trial(run, *words):
    """Exit code and the report."""
    code, out, err = run("trial", "--json", *words)
    assert out, err
    return code, json.loads(out)


@pytest.mark.slow
def test_a_wrong_client(run, suite):
    """The report has the broken test, its smallest rule, its requests and the repeating command."""
    others = WRONG.replace("wrong", "also") + WRONG.replace("wrong", "third")
    name = suite(RIGHT, WRONG, others, "def test_before():\n    assert not 'meow'\n")
    words = ["-r", "s3:SlowDown", "-r", "reset,method=PUT", "--", *PYTEST, name]
    code, out, err = run("trial", *words)
    assert code == 1, err
    again = shlex.join(["faultinject", "trial", "--vendor", "s3", "--only", "test_it.py::test_wrong"])
    assert re.sub(r"[\d.]+ s", "~", out) == (
        "5 tests with 12 requests, 2 faults in ~ (the suite alone: ~): 3 broken by a fault, 1 "
        "failing without faults, 0 flaky\n"
        "\n"
        "✕ test_it.py::test_wrong: RuntimeError: gave up on PUT /wrong/dog\n"
        "    1 CreateBucket  503 PUT /wrong  <- s3:SlowDown\n"
        "    2 CreateBucket  200 PUT /wrong\n"
        "    3 PutObject     503 PUT /wrong/cat  <- s3:SlowDown\n"
        "    4 PutObject     200 PUT /wrong/cat\n"
        "    5 PutObject     503 PUT /wrong/dog  <- s3:SlowDown\n"
        "  smallest: s3:SlowDown,operation=PutObject,times=1,skip=1\n"
        f"  replay: {again} -r s3:SlowDown,operation=PutObject,times=1,skip=1 -- {shlex.join([*PYTEST, name])}\n"
        "  also broken by: reset,method=PUT,times=1,per=call\n"
        "  and 2 tests like it: test_it.py::test_also, test_it.py::test_third\n"
        "\n"
        "injected  breaks  fault\n"
        "12        3       s3:SlowDown,times=1,per=call\n"
        "11        3       reset,method=PUT,times=1,per=call\n"
        "fails without faults: test_it.py::test_before: AssertionError: assert not 'meow'\n"
    )
    code, found = trial(run, *shlex.split(out.partition("replay: faultinject trial ")[2].partition("\n")[0]))
    assert (code, [each["test"] for each in found["broken"]]) == (1, ["test_it.py::test_wrong"])
    assert (found["tests"], found["broken"][0]["confirmed"]) == (1, True)


MISSING = r"\nfails without faults, although no test does: the command \({}\); tests may be missing\n$"
HANGS = """
def test_first():
    ask('PUT', '/first')
    os.path.exists('there') and os.remove('there')
def test_hangs():
    try:
        ask('PUT', '/wrong', tries=1)
    except RuntimeError:
        import time
        time.sleep(600)
"""
OF_ANOTHER = """
failed = []
def test_first():
    try:
        ask('PUT', '/first', tries=1)
    except RuntimeError:
        failed.append(1)
def test_second():
    assert not failed
"""
LISTED = ", ".join(f"test_it.py::test_{number}" for number in range(10))


@pytest.mark.parametrize(
    ("parts", "words", "code", "says"),
    [
        # The suite ends early without faults: an unknown number of tests behind was not tried, though those before pass.
        *(
            make((RIGHT, f"import time\ndef test_ends():\n    {ends}\n", "def test_behind():\n    pass\n"), words, 3, MISSING.format(how))
            for make, ends, words, how in (
                (slowly, "os._exit(9)", "", "exit code 9"),
                (pytest.param, "os.kill(os.getpid(), 9)", "", "ended by SIGKILL"),
                (slowly, "time.sleep(600)", "--within 20s", "did not end within 20 s"),
            )
        ),
        # Tests that did not run are named, with how the command ended; many are counted.
        slowly((WRONG, "".join(f"def test_{number}(): pass\n" for number in range(12))), "-- -x", 1, rf"\ndid not run with s3:SlowDown,times=1,per=call \(exit code 1\): {LISTED} … and 2 more \(-v\)\n"),
        # A suite that hangs is ended. A cause for which no request got a fault has no smaller rule.
        slowly((HANGS,), "--within 20s", 1, r"\ndid not run with s3:SlowDown,times=1,per=call \(did not end within 20 s\): test_it\.py::test_hangs\n$"),
        # A test that another test's fault breaks is broken only by all faults together.
        slowly((OF_ANOTHER,), "", 1, r"✕ test_it\.py::test_second: assert not \[1\]\n  only with: s3:SlowDown,times=1,per=call \(no request of its own got the fault\)\n"),
    ],
)  # fmt: skip
def test_how_a_suite_of_pytest_ends(run, suite, parts, words, code, says):
    """The exit code, and its reason."""
    given, _, options = words.partition("-- ")
    runner = (*PYTEST, *options.split(), suite(*parts))
    found, out, _ = run("trial", *given.split(), "-r", "s3:SlowDown", "--", *runner)
    assert (found, bool(re.search(says, out))) == (code, True), out


CUT = """
import os, socket, struct
def tell(said):
    host, _, port = os.environ["TRIED_SUITE"].rpartition(":")
    with socket.create_connection((host, int(port))) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.sendall(said)
        peer.recv(1)
def test_cut():
    tell(b'{"started": "cut"}\\n' * 2)
    tell(b'{"started": "cut"}\\n{"test')
    tell(b"GET / HTTP/1.1\\r\\n\\r\\n")
"""


OF_TWO_OPERATIONS = """
def test_it():
    ask("PUT", "/photos", tries=1)
    ask("PUT", "/photos/cat")
    assert ask("GET", "/photos/cat", tries=1) == b"meow"
"""
FAIL = "".join(f"def test_{n}():\n    ask('PUT', '/before')\n    assert 0\n" for n in range(11))
NOTHING = r"\nno fault was tried: none of the tests passes in both runs without faults\n$"


@pytest.mark.parametrize(
    ("parts", "words", "code", "says"),
    [
        # Every test of a right client ends as without faults.
        ((RIGHT,), "-r s3:SlowDown", 0, [
            r"^1 test with 3 requests, 1 fault in [\d.]+ s \(the suite alone: [\d.]+ s\): 0 broken by a fault, 0 failing"
            r" without faults, 0 flaky\n\ninjected  breaks  fault\n3         0       s3:SlowDown,times=1,per=call\n$",
        ]),
        # A test is shown for each operation where a fault breaks it.
        ((OF_TWO_OPERATIONS,), "-r s3:SlowDown,operation=CreateBucket -r reset,operation=GetObject", 1, [
            ": 1 broken by a fault, ",
            r"smallest: s3:SlowDown,operation=CreateBucket,(.|\n)*smallest: reset,operation=GetObject,",
        ]),
        # A runner killed while it reports, or a stranger at the port, is no error of the trial.
        ((CUT, RIGHT), "-r s3:SlowDown", 0, []),
        # One test alone may end its command with an error, as it covers less than a limit: once its client is
        # repaired, the line that replays it ends with 0.
        ((RIGHT, "import atexit\natexit.register(os._exit, 1)\n"), "--only test_right -r s3:SlowDown", 0, []),
        # A rule that was never injected may be misspelled: nothing is broken, and nothing is proven.
        (("def test_it():\n    ask('PUT', '/photos')\n",), "-r s3:SlowDown -r reset,path=nowhere/", 3, [r"\nincomplete: reset,path=nowhere/ was injected in no run\n$"]),
        # What stays needs the bodies of tests, and only pytest says when one begins: nothing would get through a
        # fixture.
        ((RIGHT,), "-r s3:SlowDown -r s3:ExpiredToken,from=1", 3, [r"\n3 +0 +s3:SlowDown,times=1,per=call\n(?!.*\n?\d+ +\d+ +s3:ExpiredToken)"]),
        # No test passes twice; with -v each of many is listed.
        ([f"def test_{n}():\n    ask('PUT', '/flaky')\n    assert run_number() < 12\n" for n in range(11)], "-v", 3, [r"\nflaky:\n    test_0\n    test_1\n", NOTHING]),
        # Of the tests that fail without faults ten are listed; with -v all.
        ((FAIL,), "-r s3:SlowDown", 3, [rf"^[^\n]*\n+(fails without faults: [^\n]*\n){{10}}  … and 1 more \(-v\){NOTHING}"]),
        ((FAIL,), "-v", 3, [r"^[^\n]*\n+(fails without faults: [^\n]*\n){11}no fault was tried"]),
        # A wrong import or a failing set-up fails before the first request, which is not missing.
        *(
            (("def test_it():\n    raise ValueError('no such table')\n", others), "", 3, [r"\nfails without faults: test_it: no such table\n", r"\nno fault was tried: no request was seen\n$"])
            for others in ("", "def test_of_no_request(): pass\n")
        ),
    ],
    ids=["right", "two operations", "cut off", "one alone", "nowhere", "stays", "flaky", "many fail", "all that fail", "before a request", "before a request, beside another"],
)  # fmt: skip
def test_how_it_ends(run, job, parts, words, code, says):
    """The exit code, and its reason."""
    found, out, err = run("trial", *LISTENED, *words.split(), *job(*parts))
    assert (found, [each for each in says if not re.search(each, out)], "Traceback" in err) == (
        code,
        [],
        False,
    ), out


def test_the_command_fails_without_faults(run, job):
    """A command that fails behind passing tests fails without faults, as at a coverage limit."""
    words = [*LISTENED, "-r", "s3:SlowDown", *job(RIGHT, "import atexit\natexit.register(os._exit, 2)\n")]
    code, out, _ = run("trial", "--format", "github", "-o", "x.json", *words)
    assert (code, out) == (3, "::notice::fails without faults: the command (exit code 2)\n")
    found = json.loads(Path("x.json").read_text())
    assert (found["ended"], found["broken"]) == ("exit code 2", [])


def test_a_fault_keeps_tests_from_running(run, job):
    """They are named in every format, beside a fault that broke none."""
    forgets = """
def test_sends():
    try:
        ask("PUT", "/sends", tries=1)
    except RuntimeError:
        cases.clear()
"""
    outputs = ["-o", "x.xml", "-o", "x.txt", "--format", "github"]
    rules = ["-r", "s3:SlowDown,path=/sends", "-r", "s3:SlowDown,path=/right"]
    code, out, err = run("trial", *outputs, *LISTENED, *rules, *job(RIGHT, forgets))
    assert code == 1, err
    ended = "did not run with s3:SlowDown,path=/sends,times=1,per=call (exit code 0)"
    told = f"\n{ended}: test_right\n" in Path("x.txt").read_text()
    assert (f"::error::test_right {ended}" in out, told) == (True, True)
    failures = {
        case.get("name").partition(",times")[0]: "did not run: test_right" in case.findtext("failure", "")
        for case in ElementTree.parse("x.xml").iter("testcase")
    }
    assert failures == {"s3:SlowDown,path=/right": False, "s3:SlowDown,path=/sends": True}


LARGE = """
def send(path, *body, **headers):
    assert exchange("PUT", path, *body, **headers)[0] == 200

def test_large():
    send("/large")
    send("/large/0", bytes(2**25))
    for number in range(1, 10):
        send(f"/large/{number}", x_amz_copy_source="/large/0")
"""


CONFLICTS = [f"operation={each}" for each in ("PutObject", "CopyObject", "CompleteMultipartUpload")]
SETS = {
    "azure-blob": [
        "azure-blob:InternalError",
        "azure-blob:ServerBusy",
        "azure-blob:CannotVerifyCopySource,operation=*_from_url,operation=page_blob.copy_incremental,unless.operation=blob.abort_copy_from_url",
        "azure-blob:ContainerBeingDeleted,operation=container.create",
        "reset,vendor=azure-blob",
        "reset,vendor=azure-blob,when=after",
        "reset,vendor=azure-blob,after_bytes=2",
        "gateway:BadGateway,vendor=azure-blob",
        "truncate,method=GET,vendor=azure-blob",
    ],
    "s3,bucket=photos": [
        "s3:InternalError,bucket=photos",
        "s3:RequestTimeout,method=PUT,method=POST,bucket=photos,unless.size=0",
        "s3:ServiceUnavailable,bucket=photos",
        "s3:SlowDown,bucket=photos",
        *[
            f"s3:ConditionalRequestConflict,header.{each}=,operation=PutObject,operation=CopyObject,operation=CompleteMultipartUpload,bucket=photos"
            for each in ("if-none-match", "if-match")
        ],
        "reset,bucket=photos",
        "reset,bucket=photos,when=after",
        "reset,bucket=photos,after_bytes=2",
        "gateway:BadGateway,bucket=photos",
        "s3:InternalError,operation=CopyObject,operation=UploadPartCopy,operation=CompleteMultipartUpload,operation=DeleteObjects,bucket=photos,status=200",
        "truncate,method=GET,bucket=photos",
    ],
}
"""The standard sets, without what stays, what another writer does, corrupt bytes and hangs."""
STAYING = {
    "azure-blob": (",vendor=azure-blob", "azure-blob:AuthorizationFailure"),
    "s3": ("", "s3:ExpiredToken"),
}
"""The reading of requests in the outage of writes, and the error of expired credentials."""


@pytest.mark.parametrize("given", SETS)
def test_the_standard_set(given):
    """Each passing fault comes once a call, and two stay, in the vendor's reading of requests."""
    rules = [str(each) for found in faults_of([given], given.partition(",")[0]) for each in found]
    vendor, comma, where = given.partition(",")
    outage, expired = STAYING[vendor]
    assert rules == [
        *[f"{each},times=1,per=call" for each in SETS[given]],
        f"http:503,method=PUT,method=POST,method=PATCH,method=DELETE{comma}{where}{outage},from=1",
        f"{expired}{comma}{where},from=1",
    ]


@pytest.mark.parametrize(
    ("given", "timeouts", "conflicts", "others"),
    [
        (
            "s3,method=put",
            ["method=PUT,unless.size=0"],
            [*CONFLICTS, "method=put"],
            ["reset,method=put,when=after"],
        ),
        (
            "s3,operation=C*Object,unless.method=POST",
            ["method=PUT,method=POST,operation=C*Object,unless.size=0,unless.method=POST"],
            ["operation=CopyObject", "unless.method=POST"],
            ["truncate,method=GET,operation=C*Object,unless.method=POST"],
        ),
    ],
)
def test_a_set_where_the_user_wants_it(given, timeouts, conflicts, others):
    """A set is limited by the user's conditions; a fault without possible requests is left out.

    It applies where the document has the fault.
    """
    found = [
        str(each).removesuffix(",times=1,per=call") for rules in faults_of([given], "s3") for each in rules
    ]
    assert [each for each in found if "RequestTimeout" in each] == [
        f"s3:RequestTimeout,{each}" for each in timeouts
    ]
    [conflict] = [each for each in found if "if-match" in each]
    assert conflict == ",".join(["s3:ConditionalRequestConflict,header.if-match=", *conflicts])
    assert [each for each in found if "truncate" in each or "when=after" in each][-1:] == others


@pytest.mark.slow
def test_a_set_of_which_some_come(run, job):
    """It is a rule that comes: what no request of the suite can get is no failure."""
    code, found = trial(run, *LISTENED, "-r", "s3,operation=PutObject", *job(RIGHT))
    numbers = {each["rule"].partition(",")[0]: each["injected"] for each in found["faults"]}
    assert (code, numbers["s3:SlowDown"] > 0, numbers["truncate"]) == (0, True, 0)


def test_rules_of_the_user():
    """User rules come once a call unless they say otherwise; hidden errors spare HEAD.

    An error that HEAD cannot show.
    """
    assert [[*map(str, rules)] for rules in faults_of(["s3:SlowDown,skip=1", "http:500 reset"], "s3")] == [
        ["s3:SlowDown,skip=1"],
        ["http:500,times=1,per=call", "reset,times=1,per=call"],
    ]
    assert "unless.method=HEAD" not in str(faults_of(["cos"], "cos"))


@pytest.mark.slow
def test_a_lasting_fault_comes_first(run, suite):
    """Then each operation follows where a fault breaks the test."""
    name = suite(
        """
def test_it():
    ask('PUT', '/photos', tries=1)
    try:
        ask('PUT', '/photos/cat', tries=1)
    except RuntimeError:
        pass
    assert exchange('GET', '/photos/cat')[0] != 404, 'it is lost'
"""
    )
    words = ["-r", "s3:SlowDown,operation=CreateBucket", "-r", "http:503,operation=PutObject,from=1"]
    code, out, _ = run("trial", *words, "--", *PYTEST, name)
    found = re.findall(r": 1 broken by a fault|fault lasts|smallest: [^,]+,operation=\w+", out)
    assert (code, found) == (
        1,
        [": 1 broken by a fault", "fault lasts", "smallest: s3:SlowDown,operation=CreateBucket"],
    )


@pytest.mark.slow
def test_without_a_rule_the_vendor_is_that_of_the_suite(run, job):
    """Without a rule a vendor's whole set is tried; faults without requests are no failure.

    A rule of -r that is injected nowhere is one.
    """
    command = job("def test_it():\n    ask('PUT', '/account/photos?restype=container')\n")
    code, found = trial(run, *LISTENED, "--vendor", "azure-blob", *command)
    numbers = [each["injected"] for each in found["faults"]]
    assert (code, numbers) == (1, [1, 1, 0, 1, 1, 1, 1, 1, 0])
    # Its client asks again for what was done, and takes the conflict for a failure.
    assert [each["rules"] for each in found["broken"]] == [
        ["reset,vendor=azure-blob,when=after,times=1,per=call"]
    ]
    code, found = trial(run, *LISTENED, "-r", "azure-blob:ServerBusy,method=DELETE", *command)
    assert (code, found["faults"][0]["injected"]) == (3, 0)


NODE = """
const test = require('node:test');
const { Agent, request } = require('node:http');
const endpoint = new URL(process.env.ENDPOINT);
function once(method, path) {
  return new Promise((done, failed) => {
    const place = { host: endpoint.hostname, port: endpoint.port };
    const sent = request({ ...place, method, path, agent: new Agent() }, (answer) => {
      answer.resume();
      answer.on('end', () => answer.statusCode < 400 ? done() : failed(new Error(`${answer.statusCode} for ${path}`)));
    });
    sent.on('error', failed);
    sent.end();
  });
}
const ask = (method, path) => once(method, path).catch(() => once(method, path));
test.describe(`photos ${Date.now()}`, () => {
  test.it('right', () => ask('PUT', '/right'));
  test.it('wrong', () => once('PUT', '/wrong'));
  test.it.skip('skipped', () => once('PUT', '/wrong'));
});
test('whole', async (t) => {
  await t.test('part', () => once('PUT', '/part'));
});
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_node(run, suite, tmp_path):
    """Node's test runner is read by itself: nested names, and each test's requests.

    A name that differs in each run is that of one test.
    """
    (tmp_path / "photos.test.js").write_text(NODE)
    code, found = trial(run, "-r", "s3:SlowDown", "--", "node", "--test")
    assert (code, found["tests"]) == (1, 5)
    wrong, part = found["broken"]
    assert [wrong[name] for name in ("test", "error", "smallest", "confirmed")] == [
        "photos.test.js > photos ~ > wrong",
        "503 for /wrong",
        "s3:SlowDown,operation=CreateBucket,times=1,skip=1",
        True,
    ]
    assert [each for each in wrong["requests"] if each.endswith("PUT /wrong  <- s3:SlowDown")]
    assert part["test"] == "photos.test.js > whole > part"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_node_of_a_package_in_a_folder_with_a_blank(suite, tmp_path):
    """NODE_OPTIONS is parted at blanks, and a module is named by a URL: so is the reporter."""
    suite()
    (tmp_path / "photos.test.js").write_text(NODE)
    folder = tmp_path / "my 50%41 #1"
    folder.mkdir()
    (folder / "faultinject").symlink_to(Path(faultinject.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-m", "faultinject", "trial", "-r", "s3:SlowDown", "--", "node", "--test"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, "photos ~ > wrong: 503 for /wrong" in done.stdout) == (1, True), done


GO = """
import sys, time
ask("PUT", "/right")
try:
    ask("PUT", "/wrong", tries=1)
    wrong = "pass"
except RuntimeError:
    wrong = "fail"
print("{ no line of a test")
print('["neither"]')
lines = open("go.jsonl").read().replace("1795000000000", str(time.time_ns()))
print(lines.replace('"Action":"WRONG"', f'"Action":"{wrong}"'))
"""
RECORDED = r"""{"Time":"2026-11-01T10:00:00.1Z","Action":"start","Package":"example.com/photos"}
{"Time":"2026-11-01T10:00:00.2Z","Action":"run","Package":"example.com/photos","Test":"TestPut"}
{"Time":"2026-11-01T10:00:00.2Z","Action":"output","Package":"example.com/photos","Test":"TestPut","Output":"=== RUN   TestPut\n"}
{"Time":"2026-11-01T10:00:00.2Z","Action":"run","Package":"example.com/photos","Test":"TestPut/dog-1795000000000"}
{"Time":"2026-11-01T10:00:00.3Z","Action":"output","Package":"example.com/photos","Test":"TestPut/dog-1795000000000","Output":"    put_test.go:9: 503 Slow Down\n"}
{"Time":"2026-11-01T10:00:00.3Z","Action":"output","Package":"example.com/photos","Test":"TestPut/dog-1795000000000","Output":"--- FAIL: TestPut/dog-1795000000000 (0.10s)\n"}
{"Time":"2026-11-01T10:00:00.3Z","Action":"WRONG","Package":"example.com/photos","Test":"TestPut/dog-1795000000000","Elapsed":0.1}
{"Time":"2026-11-01T10:00:00.3Z","Action":"WRONG","Package":"example.com/photos","Test":"TestPut","Elapsed":0.1}
{"Time":"2026-11-01T10:00:00.4Z","Action":"skip","Package":"example.com/photos","Test":"TestLong","Elapsed":0}
{"Time":"2026-11-01T10:00:00.4Z","Action":"WRONG","Package":"example.com/photos","Elapsed":0.3}
{"Action":"output","Package":"example.com/broken","Output":"photos.go:3: undefined: x\n"}
{"Action":"fail","Package":"example.com/broken","Elapsed":0}
"""  # fmt: skip


JUNIT = r"""
import time
now = time.time_ns()
ask("PUT", "/right")
try:
    ask("PUT", "/wrong", tries=1)
    wrong = ""
except RuntimeError as error:
    wrong = f"<failure>\n{error}\nmore</failure>"
open("out.xml", "w").write(
    "<testsuites><testsuite><testcase classname='Photos' name='right'/><testcase name='no'><skipped/></testcase>"
    f"<testcase classname='Photos' name='wrong {now}'/>"
    f"<testcase classname='Photos' name='wrong {now}'>{wrong}</testcase>"
    f"<testcase classname='Photos' name='wrong {now}'/>"
    "<testcase classname='Photos' name='before'><error message='it is broken'/></testcase></testsuite></testsuites>"
)
"""


def test_junit(run, refused, suite, tmp_path):
    """Other runners are read by JUnit files after each run, without times with all requests."""
    words = ["-r", "s3:SlowDown", "--", sys.executable, "-S", suite(JUNIT, name="job.py")]
    for left in ("", "<testsuites><testsuite tests='0'/></testsuites>"):
        (tmp_path / "out.xml").write_text(left)
        code, out, _ = run("trial", *LISTENED, *words)
        assert code == 1, left
    for says in (
        "✕ Photos.wrong ~: gave up on PUT /wrong\n    1 CreateBucket  503 PUT /right  <- s3:SlowDown\n",
        "  smallest: s3:SlowDown,operation=CreateBucket,times=1,skip=1\n"
        "  replay: faultinject trial --vendor s3 --results out.xml --only",
        "\nfails without faults: Photos.before: it is broken\n",
    ):
        assert says in out
    # Where a run writes none, that of the run before is gone; another text is none.
    once = "if run_number() == 1:\n    open('out.xml', 'w').write('<testsuite><testcase/></testsuite>')\n"
    for source in ("", once, "open('out.xml', 'w').write('<testsuite>')"):
        command = [sys.executable, "-S", suite(f"ask('PUT', '/cats')\n{source}", name="job.py")]
        err = refused("trial", *LISTENED, "-r", "s3:SlowDown", "--", *command)
        assert err.startswith("faultinject: --results: out.xml: the command wrote no JUnit XML there: ")


def test_what_others_read(run, job, tmp_path, monkeypatch):
    """Every format names the broken test, its fault, and tests without a verdict.

    Files by their ending, and standard output.
    """
    monkeypatch.setenv("COLUMNS", "80")
    before = "def test_before():\n    assert 0, '&lt;b&gt; | ```'\n"
    endings = ("xml", "md", "sarif", "html", "json", "github", "txt")
    outputs = [word for ending in endings for word in ("-o", f"out/x.{ending}")]
    (tmp_path / "out").mkdir()
    words = [*LISTENED, "-r", "s3:SlowDown", "-r", "reset,operation=CopyObject", *job(WRONG, before)]
    code, out, err = run("trial", "--format", "github", *outputs, *words)
    assert code == 1, err
    made = {ending: (tmp_path / "out" / f"x.{ending}").read_text() for ending in endings}
    summary = "2 tests with 3 requests, 2 faults in "
    for ending, says in (
        ("github", r"::notice::fails without faults: test_before: <b> \| ```; incomplete: reset,operation=CopyObject.*\n"
         r"::error::✕ test_wrong: gave up on PUT /wrong/dog%0A.*\n$"),
        ("txt", summary),
        ("md", rf"# faultinject trial\n\n{summary}(.|\n)*\n    ✕ test_wrong: gave up on PUT /wrong/dog\n(.|\n)*"
         r"\n    incomplete: reset,operation=CopyObject was injected in no run\n$"),
        ("html", r"(.|\n)*&lt;b&gt; \| ```"),
    ):  # fmt: skip
        assert re.match(says, made[ending]), ending
    assert (out, json.loads(made["json"])["broken"][0]["test"]) == (made["github"], "test_wrong")
    [found] = json.loads(made["sarif"])["runs"]
    assert [each["level"] for each in found["results"]] == ["error"]
    assert found["invocations"][0]["executionSuccessful"] is False
    cases = ElementTree.fromstring(made["xml"]).iter("testcase")
    assert [(each.get("name"), *(part.tag for part in each)) for each in cases] == [
        ("result", "error"),
        ("result", "error"),
        ("s3:SlowDown,times=1,per=call", "failure"),
        ("reset,operation=CopyObject,times=1,per=call", "skipped"),
    ]


@pytest.mark.parametrize(
    "kind", ["a pipe", "def test_it(): pass\n", "<project><name>photos</name></project>\n"]
)
def test_junit_to_what_is_not_of_the_command(refused, tmp_path, kind):
    """`--results` refuses a file that holds no results, as it is removed before each run.

    It is no device such as /dev/null, and no file of the user.
    """
    named = tmp_path / "named"
    if kind == "a pipe":
        os.mkfifo(named)
    else:
        named.write_text(kind)
    assert refused("trial", "--results", str(named), "--", "true") == (
        f"faultinject: --results: {named} holds no results of tests, and each run begins without "
        "it; name the file that COMMAND"
        " writes\n"
    )
    assert named.is_fifo() or named.read_text() == kind


PROMISES = """
import contextlib

@pytest.fixture(autouse=True)
def bucket():
    ask("PUT", "/docs")

def get_or_none(key):
    try:
        return ask("GET", key, tries=1)
    except RuntimeError:
        return None

def test_raises():
    ask("PUT", "/docs/cat")

def test_swallows():
    with contextlib.suppress(RuntimeError):
        ask("PUT", "/docs/dog")
    assert get_or_none("/docs/dog") == b"meow"

def test_answers():
    status, _, _ = exchange("PUT", "/docs/cow", b"meow")
    assert status == 200

def test_serves():
    with contextlib.suppress(RuntimeError):
        ask("PUT", "/docs/hen")
    status, _, _ = exchange("GET", "/docs/hen")
    assert (500 if status == 404 else status) == 200

def test_wraps():
    class UploadFailed(Exception): pass
    try:
        ask("PUT", "/docs/pig")
    except RuntimeError as error:
        raise UploadFailed from None

def test_looks():
    try:
        ask("PUT", "/docs/fox")
    except RuntimeError:
        if exchange("HEAD", "/docs/fox")[0] == 404:
            raise

def test_masks():
    try:
        ask("PUT", "/docs/ram")
        status = 200
    except RuntimeError:
        status = 500
    assert status == 200
"""


@pytest.mark.slow
def test_a_fault_that_stays(run, suite):
    """A lasting fault breaks the test that takes a failure for success, in its body.

    Other tests report the truth.
    """
    rules = ("http:503,method=PUT,from=1", "s3:ExpiredToken,from=1")
    words = [word for rule in rules for word in ("-r", rule)]
    code, out, err = run("trial", *words, "--", *PYTEST, suite("import pytest\n", PROMISES))
    assert code == 1, err
    assert "✕ test_it.py::test_swallows: AssertionError: assert None == b'meow'\n" in out
    says = "  breaks the app's own promise while the fault lasts: http:503,method=PUT,from=1\n"
    assert says in out
    assert re.findall(r"^(\d+) +(\d) +(\S+)$", out, re.MULTILINE) == [
        ("19", "2", rules[0]),
        ("22", "1", rules[1]),
    ]
    assert re.findall(r"✕ test_it.py::(\w+)", out) == ["test_swallows", "test_serves"]
    assert re.findall(r"^not judged with (\S+): (.*)$", out, re.MULTILINE) == [
        (
            rules[0],
            "5 tests with an error of storage or of the app: test_it.py::test_raises, test_it.py::test_answers,"
            " test_it.py::test_wraps, test_it.py::test_looks, test_it.py::test_masks",
        ),
        (
            rules[1],
            "5 tests with an error of storage or of the app: test_it.py::test_raises, test_it.py::test_answers,"
            " test_it.py::test_serves, test_it.py::test_wraps, test_it.py::test_masks",
        ),
    ]


APPS = """
import django
import flask
import starlette.testclient
from django.conf import settings
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="key")
django.setup()
from django.http import HttpResponse
from django.test import Client
from django.urls import path

films = set()

def upload(name):
    try:
        ask("PUT", f"/docs/{name}")
    except RuntimeError:
        return 503
    films.add(name)
    return 201

urlpatterns = [path("upload", lambda request: HttpResponse(status=upload("django")))]
asgi = Starlette(routes=[Route("/upload", lambda request: Response(status_code=upload("starlette")))])
wsgi = flask.Flask(__name__)
wsgi.add_url_rule("/upload", "late", lambda: ("", upload("flask")))
wsgi.add_url_rule("/early", "early", lambda: (films.add("early") or "", upload("early")))

@pytest.fixture(autouse=True)
def bucket():
    films.clear()
    ask("PUT", "/docs")

@pytest.mark.parametrize(
    ("name", "client"),
    [("flask", wsgi.test_client()), ("starlette", starlette.testclient.TestClient(asgi)), ("django", Client())],
)
def test_list(name, client):
    answer = client.get("/upload")
    assert (answer and films) == {name}  # pytest shows the answer, and with it the status

def test_promise():
    if wsgi.test_client().get("/early").status_code != 201:
        assert films == set()
"""


@pytest.mark.slow
def test_an_app_that_reports_its_error(run, suite):
    """While a fault stays, a test that does not look at an answer of 5xx is not judged."""
    name = suite("import pytest\n", APPS)
    rules = "http:503,method=PUT,from=1", "s3:SlowDown,method=PUT,from=1"
    code, out, err = run("trial", "-v", "-r", rules[0], "-r", rules[1], "--", *PYTEST, name)
    assert code == 1, err + out
    assert re.findall("^✕ (.*)$", out, re.MULTILINE) == [
        "test_it.py::test_promise: AssertionError: assert {'early'} == set()"
    ]
    assert f"\n  breaks the app's own promise while the fault lasts: {rules[0]}\n" in out
    assert f"\n  also broken by: {rules[1]}\n" in out
    [lists, again] = re.findall(
        r"^not judged with \S+: 3 tests with an error of storage or of the app: (.*)$", out, re.MULTILINE
    )
    assert (lists, lists.count("(GET /upload got 503)")) == (again, 3)
    code, out, err = run("trial", "-r", "s3:SlowDown,operation=PutObject,times=9", "--", *PYTEST, name)
    assert code == 1, err + out
    assert "\n  the app reported the error: GET /upload got 503\n" in out


@pytest.mark.slow
def test_what_is_not_judged_is_no_success(run, suite):
    """JUnit shows its fault as skipped, and -v its error."""
    rule = "http:503,method=PUT,from=1"
    name = suite("def test_raises():\n    ask('PUT', '/docs')\n")
    code, out, _ = run("trial", "-v", "-o", "result.xml", "-r", rule, "--", *PYTEST, name)
    told = "test_it.py::test_raises: RuntimeError: gave up on PUT /docs\n"
    said = (
        f"not judged with {rule}: 1 test with an error of storage or of the app: {told}"
        "  → Write a test that allows the app's error (assert status in (201, 503)), and asserts what must hold then,"
        " for example that what it lists can be read.\n"
    )
    assert (code, said in out) == (0, True)
    assert ": 0 broken by a fault, 0 failing without faults, 0 flaky, 1 not judged with a fault\n" in out
    [case] = ElementTree.parse("result.xml").getroot().iter("testcase")
    assert [(part.tag, part.get("message")) for part in case] == [
        ("skipped", "not judged: test_it.py::test_raises")
    ]


SIZES = r"""
now = time.time_ns()
try:
    ask("PUT", "/wrong", tries=1)
    wrong = ""
except RuntimeError as error:
    wrong = f"<failure>{error}</failure>"
open("out.xml", "w").write(
    "<testsuite><testcase name='size 10737418240'><failure>too large</failure></testcase>"
    f"<testcase name='size 21474836480'>{wrong}</testcase><testcase name='at {now}'>{wrong}</testcase></testsuite>"
)
"""


def test_only_a_test_that_is_not_there(refused, suite, job):
    """It is said at once, with the name that was meant; pytest runs none for it."""
    words = ["-r", "s3:SlowDown", *job(RIGHT)]
    err = refused("trial", *LISTENED, "--only", "test_rihgt", *words)
    assert err.startswith(
        "faultinject: --only test_rihgt: the suite has no such test; did you mean test_right?"
    )
    name = suite(RIGHT, "def test_counts():\n    run_number()\n")
    err = refused("trial", "--only", "test_it.py::test_rihgt", "--", *PYTEST, name)
    assert "the suite has no such test; did you mean test_it.py::test_right?" in err
    assert not Path("runs").exists()


APP = """
import threading
import pytest
from flask import Flask, request
from werkzeug.serving import make_server

app = Flask(__name__)

@app.put("/<path:path>")
def put(path):
    return ""

@pytest.fixture(scope="session", autouse=True)
def server():
    server = make_server("127.0.0.1", 0, app)
    os.environ["ENDPOINT"] = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield
    server.shutdown()
    thread.join()
"""


@pytest.mark.slow
def test_an_app_of_the_suite(run, suite):
    """Faults come in the app that the suite starts, anew in each test."""
    command = [*PYTEST, suite(APP, WRONG, WRONG.replace("test_wrong", "test_again"))]
    code, found = trial(run, "--app", "-r", "s3:SlowDown", "--", *command)
    wrong, again = found["broken"]
    assert (code, again["test"]) == (1, "test_it.py::test_again")
    assert (wrong["test"], wrong["requests"][-1], wrong["smallest"], wrong["confirmed"]) == (
        "test_it.py::test_wrong",
        "5 PutObject     503 PUT /wrong/dog  <- s3:SlowDown",
        "s3:SlowDown,operation=PutObject,times=1,skip=1",
        True,
    )
    assert "--app --only" in wrong["replay"]


MOCKED = """
import os
import boto3
import pytest
from moto import mock_aws

AT = {"region_name": "us-east-1", "aws_access_key_id": "key", "aws_secret_access_key": "secret"}
early = boto3.client("s3", **AT)

@pytest.fixture
def s3():
    with mock_aws(), mock_aws():
        assert "AWS_ENDPOINT_URL" not in os.environ
        client = boto3.client("s3", **AT)
        client.create_bucket(Bucket="docbox")
        yield client
    assert os.environ["AWS_ENDPOINT_URL"] == os.environ["ENDPOINT"]

@pytest.mark.parametrize("name", ["a", "b"])
def test_one_object(s3, name):
    s3.put_object(Bucket="docbox", Key=name, Body=b"meow")
    assert early.list_objects_v2(Bucket="docbox")["KeyCount"] == 1

def test_two_tables(s3):
    tables = boto3.client("dynamodb", **AT).list_tables()
    assert (tables["TableNames"], tables["ResponseMetadata"]["RetryAttempts"]) == ([], 0)

def test_outside():
    boto3.client("s3", **AT).create_bucket(Bucket="of-the-store")
"""


READ = '    return s3.get_object(Bucket="docbox", Key="cat")["Body"].read()'
OWN = f"""
import boto3
import flask
import pytest
from moto import mock_aws

app = flask.Flask(__name__)
app.testing = True

@pytest.fixture
def s3():
    with mock_aws():
        client = boto3.client("s3", "us-east-1", aws_access_key_id="key", aws_secret_access_key="secret")
        client.create_bucket(Bucket="docbox")
        client.put_object(Bucket="docbox", Key="cat", Body=b"meow")
        app.config["s3"] = client
        yield client

def read(s3):
{READ}

@app.get("/cat")
def cat():
    return read(app.config["s3"])

def test_own_request(s3):
    assert app.test_client().get("/dog").status_code == 404
    assert read(s3) == b"meow"

def test_request_of_app(s3):
    assert app.test_client().get("/cat").data == b"meow"

def test_without_app(s3):
    assert read(s3) == b"meow"
"""


@pytest.mark.slow
def test_a_request_of_the_test_itself(run, suite):
    """It shows no bug of the app beside it, and has a cause of its own.

    Without an app the request may be the one to test.
    """
    command = [*PYTEST, suite(OWN)]
    code, out, err = run("trial", "-r", "s3:AccessDenied,method=GET", "--", *command)
    assert code == 1, err
    line = 1 + Path("test_it.py").read_text().splitlines().index(READ)
    assert re.findall("^(✕ test_it.py::[a-z_]+|  not the app.*|  and 1 .*)", out, re.MULTILINE) == [
        "✕ test_it.py::test_own_request",
        f"  not the app's request, but the test's own: test_it.py:{line}",
        "✕ test_it.py::test_request_of_app",
        "  and 1 test like it: test_it.py::test_without_app",
    ]


SWALLOWED = """
@app.get("/swallowed")
def swallowed():
    try:
        return read(app.config["s3"])
    except Exception:
        return b""

@app.get("/reported")
def reported():
    try:
        return read(app.config["s3"])
    except Exception:
        return b"", 503

def test_swallows(s3):
    assert app.test_client().get("/swallowed").data == b"meow"

def test_looks(s3):
    assert app.test_client().get("/reported").status_code == 200

def test_does_not_look(s3):
    assert app.test_client().get("/reported").data == b"meow"
"""


@pytest.mark.slow
def test_a_download_that_is_cut(run, suite):
    """boto3 does not repeat it, so an app may report the error, but not pass on other bytes."""
    code, out, err = run("trial", "-r", "truncate,method=GET", "--", *PYTEST, suite(OWN, SWALLOWED))
    assert code == 1, err + out
    assert re.findall("^✕ (.*)$", out, re.MULTILINE) == [
        "test_it.py::test_swallows: AssertionError: assert b'' == b'meow'"
    ]
    [not_judged] = re.findall(
        "^not judged with truncate,.*: 5 tests with an error of storage.*", out, re.MULTILINE
    )
    assert "test_it.py::test_looks, test_it.py::test_does_not_look" in not_judged


@pytest.mark.slow
def test_moto_where_faultinject_is_not(run, refused, suite, tmp_path):
    """A suite with moto needs faultinject in its environment, and the message says so.

    Otherwise its requests would go elsewhere, and its tests would be blamed for the result. One that only loads moto
    needs nothing.
    """
    (tmp_path / "faultinject").mkdir()
    (tmp_path / "faultinject" / "__init__.py").write_text("raise ImportError")
    said = refused("trial", "--", *PYTEST, suite("import moto\ndef test_one(): pass\n"))
    assert "install faultinject in the environment of the suite, so that faults come inside mock_aws" in said
    assert run("trial", "-r", "s3:SlowDown", "--", *PYTEST, suite("import moto\n", RIGHT))[0] == 0


@pytest.mark.slow
def test_tests_side_by_side(run, suite):
    """With pytest-xdist a test has the requests of its time, and faults come once a run."""
    words = ["-r", "s3:SlowDown", "--", *PYTEST, "-p", "xdist", "-n", "2", suite(RIGHT, WRONG)]
    code, found = trial(run, *words)
    assert (code, [each["test"] for each in found["broken"]]) == (1, ["test_it.py::test_wrong"])
    assert [each for each in found["broken"][0]["requests"] if each.endswith("/dog  <- s3:SlowDown")]


FORKED = """
import os, pickle, pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    if item.get_closest_marker("here"):
        return None
    hook, config = item.config.hook, item.config
    reading, writing = os.pipe()
    if not os.fork():
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        data = [hook.pytest_report_to_serializable(config=config, report=each) for each in reports]
        os.write(writing, pickle.dumps(data))
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        for each in pickle.load(pipe):
            hook.pytest_runtest_logreport(report=hook.pytest_report_from_serializable(config=config, data=each))
    return True
"""
"""A plugin that forks for each test, as pytest-forked does, unless it is marked."""


STRICT = """
import pytest

@pytest.mark.here
def test_strict(request):
    ask("PUT", "/strict")
    try:
        ask("PUT", "/strict/dog", tries=1)
    except RuntimeError:
        request.applymarker(pytest.mark.xfail(strict=True))

@pytest.mark.here
def test_nothing_else_is_loaded():
    assert not [name for name in sys.modules if name.startswith(("faultinject.", "wrapt"))]

@pytest.mark.here
def test_promise():
    ask("PUT", "/promise")
    try:
        ask("PUT", "/promise/hen", tries=1)
    except RuntimeError:
        pass
    assert exchange("GET", "/promise/hen")[0] == 200

@pytest.mark.here
def test_skips():
    ask("PUT", "/skips")
    try:
        ask("PUT", "/skips/dog", tries=1)
    except RuntimeError:
        pytest.skip("no store")

@pytest.mark.skip
def test_skipped(): pass
"""


BEFORE = "def test_before():\n    ask('PUT', '/before')\n    assert 0, 'broken'\n"
TWICE = "def test_twice():\n    if run_number() < 3:\n        ask('PUT', '/twice')\n"
UNLOADED = {
    "test_it.py": f"{RIGHT}def test_flaky():\n    assert run_number() != 2\n",
    "test_not_loaded.py": "assert 0\n",
}
SLOW_DOWN = ("-r", "s3:SlowDown")


@pytest.mark.parametrize(
    ("files", "words", "runner", "code", "expected"),
    [
        # Exit code 3 where tests fail without faults: at once if no test passes, else after all.
        ({"job.py": BEFORE + JOB}, (*LISTENED, *SLOW_DOWN), BY_JOB, 3, {"faults": 0, "broken_before": {"test_before": "broken"}}),
        ({"job.py": RIGHT + BEFORE + JOB}, (*LISTENED, *SLOW_DOWN), BY_JOB, 3, {"faults": 1, "broken_before": {"test_before": "broken"}}),
        # Flaky tests, and files that cannot be loaded, are named, and not judged.
        slowly(UNLOADED, SLOW_DOWN, (*PYTEST, "--continue-on-collection-errors"), 3, {
            "flaky": ["test_it.py::test_flaky"], "broken_before": {"test_not_loaded.py": "E   assert 0"},
        }),
        # A suite may store more than a store of the fixture or of `serve` holds.
        slowly({"test_it.py": LARGE}, ("-r", "s3:SlowDown,operation=GetObject"), PYTEST, 3, {"broken_before": {}, "requests": 11}),
        # A set that is never injected is no success: the suite makes its request only in the runs without faults.
        ({"job.py": TWICE + JOB}, LISTENED, BY_JOB, 3, {"injected": {0}, "broken": []}),
        slowly({"job.py": TWICE + JOB}, (*LISTENED, "-r", "s3"), BY_JOB, 3, {"injected": {0}, "broken": []}),
        # Tests keep their moto, with faults inside, each a new one; requests outside go to the store.
        slowly({"test_it.py": MOCKED}, SLOW_DOWN, PYTEST, 0, {"broken": [], "broken_before": {}, "flaky": [], "requests": 8, "injected": {8}}),
        # `go test -json` is read by its output: tests have full names, also of an unbuilt package, and no name of those
        # that they are a part of.
        ({"job.py": GO, "go.jsonl": RECORDED}, SLOW_DOWN, BY_JOB, 1, {
            "broken": ["example.com/photos.TestPut/dog-~"], "errors": ["put_test.go:9: 503 Slow Down"],
            "broken_before": {"example.com/broken": "photos.go:3: undefined: x"}, "missing": [],
        }),
        # A test that fails in a child of pytest is broken, with what its error says; so is one that is to fail, and
        # passes because of a fault, with pytest's words for that, and one that a fault lets skip itself.
        # What breaks a promise of the app itself, while a fault lasts, stands first. A suite without moto loads nothing
        # of the package.
        ({"test_it.py": WRONG + STRICT, "conftest.py": FORKED}, ("-r", "s3:SlowDown,key=dog", "-r", "http:503,method=PUT,key=hen,from=1"), PYTEST, 1, {
            "tests": 6, "broken_before": {}, "broken": [f"test_it.py::test_{each}" for each in ("promise", "wrong", "strict", "skips")],
            "errors": ["assert 404 == 200", "RuntimeError: gave up on PUT /wrong/dog", "[XPASS(strict)]", "Skipped: no store"],
        }),
        # Tests that are named alike in each run stay apart, however long their numbers are.
        *(
            make({"test_it.py": f"import time\n{SIZES}"}, (*LISTENED, *only, *SLOW_DOWN), (sys.executable, "-S", "test_it.py"), 1, {"broken": broken, "broken_before": before, "flaky": []})
            for make, only, broken, before in (
                (pytest.param, (), ["size 21474836480", "at ~"], {"size 10737418240": "too large"}),
                (slowly, ("--only", "size 21474836480"), ["size 21474836480"], {}),
                (pytest.param, ("--only", "at 1700000000000000000"), ["at ~"], {}),  # as the runner has shown it
                (slowly, ("--only", "at ~"), ["at ~"], {}),
            )
        ),
    ],
)  # fmt: skip
def test_what_is_found(run, suite, files, words, runner, code, expected):
    """The exit code, and what the report has of each of these."""
    for name, text in files.items():
        if name in ("conftest.py", "go.jsonl"):
            Path(name).write_text(text)
        else:
            suite(text, name=name)
    ended, report = trial(run, *words, "--", *runner)
    found = {
        **report,
        "faults": len(report["faults"]),
        "injected": {each["injected"] for each in report["faults"]},
        "missing": [name for each in report["faults"] for name in each["missing"]],
        "broken": [each["test"] for each in report["broken"]],
        "errors": [each["error"] for each in report["broken"]],
    }
    assert (ended, {name: found[name] for name in expected}) == (code, expected)


def of_two(number):
    """A test that bears one lost answer, and makes that many requests."""
    return (
        "def test_of_two():\n    lost = 0\n"
        f"    for number in range({number}):\n"
        "        try:\n            ask('PUT', f'/photos{number}', tries=1)\n"
        "        except RuntimeError:\n            lost += 1\n"
        "    assert lost < 2, 'lost too many'\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "confirmed", "tried", "says"),
    [
        (2, False, 2, "no request of its own alone broke it"),
        (6, None, 4, "4 requests alone did not break it; not all were tried"),
    ],
)
def test_a_test_that_no_request_alone_breaks(run, job, number, confirmed, tried, says):
    """The rule of the whole run stays; where not all requests were tried, that is said."""
    words = [*LISTENED, "-r", "s3:SlowDown", *job(of_two(number))]
    code, out, _ = run("trial", *words)
    assert (code, f"  only with: s3:SlowDown,times=1,per=call ({says})\n" in out) == (1, True)
    [test] = trial(run, *words)[1]["broken"]
    assert (test["smallest"], test["confirmed"], test["tried"]) == (
        "s3:SlowDown,times=1,per=call",
        confirmed,
        tried,
    )


STOPS = "import signal\n{}:\n    os.kill(os.getppid(), signal.SIGINT)\n    signal.pause()\n"
NOT_TRIED = r"\n  smallest: s3:SlowDown,operation={},times=1,skip={} \(not tried\)\n"


@pytest.mark.parametrize(
    ("parts", "words", "says", "written"),
    [
        # The runs so far are judged: the first of two faults.
        (
            (WRONG, STOPS.format("def test_stops():\n  if run_number() == 4")), "-r s3:SlowDown -r reset",
            [
                NOT_TRIED.format("PutObject", 1),
                r"\n3 +1 +s3:SlowDown,times=1,per=call\n"
                r"incomplete: interrupted in fault 2 of 2 \(reset,times=1,per=call\)\n\nfaultinject: interrupted$",
            ],
            "::notice::incomplete: interrupted in fault 2 of 2 (reset,",
        ),
        # Nothing is said of requests that were not tried.
        *(
            slowly((STOPS.format(f"if run_number() == {number}"), of_two(3)), "-r s3:SlowDown", [says], "::")
            for number, says in (
                (4, NOT_TRIED.format("CreateBucket", 2)),
                (5, r"\n  only with: s3:SlowDown,times=1,per=call \(1 request alone did not break it; not all were tried\)\n"),
            )
        ),
        # At the beginning there is nothing to judge.
        ((STOPS.format("def test_stops()"),), "", [r"^\nfaultinject: interrupted$"], None),
    ],
    ids=["in a fault", "before the smallest rule", "in the smallest rule", "at the beginning"],
)  # fmt: skip
def test_interrupted(start, job, parts, words, says, written):
    """The runs so far are judged."""
    process = start("trial", "-o", "x.github", *LISTENED, *words.split(), *job(*parts))
    code, lines = process.ended()
    told, result = "\n".join(lines), Path("x.github")
    assert (code, [each for each in says if not re.search(each, told)]) == (130, []), told
    assert result.read_text().startswith(written) if written else not result.exists()


def test_progress(run, job, terminal):
    """On a terminal standard error says what is done now, and how long all of it takes."""
    # A line is drawn anew after 0.2 s at the soonest.
    longer = "import time\ntime.sleep(0.3)\n"
    _, _, errors = run("trial", *LISTENED, "-r", "s3:SlowDown", *job(RIGHT, longer))
    assert re.fullmatch(
        r"\rrun without faults \rrun without faults, about \d+ s left \rfault 1 of 1 \(\S+\), about \d+ s left \r +\r",
        errors.partition("\n")[0],
    )


def told(job, seconds, *parts):
    """The lines of a trial's progress, where each run says that it took so many seconds."""

    class Timed(SuiteCommand):
        def run(self, *given, **options):
            return replace(super().run(*given, **options), seconds=seconds)

    _, *command = job(*parts)
    said = []
    with Timed(command, "s3", (), sock=socket.create_server(("127.0.0.1", 0)), junit="out.xml") as suite:
        trying = SuiteTrial(
            suite, faults_of(["s3:SlowDown"], "s3"), watch=lambda: said.append(trying.how_far())
        )
        trying.carry_out()
    return said


def test_the_time_that_is_left(job):
    """The time left is that of the current run and later ones, by the time of a run so far.

    Also for the smallest rules; none is told of a run that takes longer than those before: it is not about 0 s.
    """
    assert told(job, 200.0, of_two(3)) == [
        "run without faults",
        "run without faults, about 7 min left",
        "fault 1 of 1 (s3:SlowDown,times=1,per=call), about 3 min left",
        "smallest rule 1 of 1",
        *["smallest rule 1 of 1, about 3 min left"] * 2,
    ]
    assert told(job, 0.0, RIGHT) == ["run without faults"] * 2 + [
        "fault 1 of 1 (s3:SlowDown,times=1,per=call)"
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--", sys.executable, "-c", "print('hello')"), "its output:\nhello"),
        (("--", "true"), "the command reported no test. pytest and"),
        (
            ("--", *PYTEST, "nowhere.py"),
            "faultinject: the command reported no test: ERROR: file or directory not found: nowhere.py\n",
        ),
        (
            (*LISTENED, "--", sys.executable, "-S", "test_it.py"),
            "no test sent a request to the embedded store,",
        ),
        (
            ("--app", *LISTENED, "--", sys.executable, "-S", "test_it.py"),
            "no app that the suite starts saw a request,",
        ),
    ],
)
def test_a_suite_without_a_request(refused, suite, words, says):
    """Exit code 2, and what to do."""
    suite("def test_it(): pass\n", JOB)
    assert says in refused("trial", *words)


# --speed: faster clocks, and failures that come only from the speed


NOTED = """
with open(__file__.rpartition("/")[0] + "/runs", "a") as runs:
    runs.write(str(int("FAKETIME" in os.environ)))
"""
ONLY_WHEN_FAST = """
def test_only_when_fast():
    ask("PUT", "/films")
    ask("PUT", "/films/cat", tries=1 if "FAKETIME" in os.environ else 3)
"""
NEVER_FAST = """
def test_never_fast():
    ask("PUT", "/never")
    assert "FAKETIME" not in os.environ
"""


@pytest.mark.parametrize(
    ("tests", "code", "broken", "fast"),
    [
        # In real time, then faster; that differs, so in real time again.
        pytest.param((RIGHT, NEVER_FAST), 0, [], "01010", marks=pytest.mark.slow),
        pytest.param(
            (RIGHT, NEVER_FAST.replace('"/never"', '"/never", tries=1')),
            1,
            ["test_never_fast"],
            "010100",
            marks=pytest.mark.slow,
        ),
        ((RIGHT, ONLY_WHEN_FAST), 0, [], "0110"),
        # The last is the run with the smallest rule.
        pytest.param((RIGHT, WRONG), 1, ["test_wrong"], "01100", marks=pytest.mark.slow),
    ],
)
def test_what_fails_only_because_of_the_speed_is_not_broken(
    run, job, tmp_path, libfaketime, tests, code, broken, fast
):
    """A run with a broken test is repeated in real time; too fast tests are named.

    Tests that end in another way without faults.
    """
    found, report = trial(run, *LISTENED, "-r", "s3:SlowDown", "--speed", "20", *job(NOTED, *tests))
    never = ["test_never_fast"] if "test_never_fast" in tests[1] else []
    assert (found, [each["test"] for each in report["broken"]]) == (code, broken)
    assert (report["too_fast"], report["flaky"], (tmp_path / "runs").read_text()) == (never, [], fast)


@pytest.mark.slow
def test_what_fails_at_the_speed_is_said(run, suite, libfaketime):
    """A test that ends in two ways in real time, too, is flaky."""
    words = ["-r", "s3:SlowDown", "--speed", "20", "--", *PYTEST]
    _, out, _ = run("trial", *words, suite(NEVER_FAST))
    assert out.endswith("\nflaky, or too fast (give a smaller --speed): test_it.py::test_never_fast\n")
    flaky = "def test_flaky():\n    ask('PUT', '/flaky')\n    assert run_number() < 2\n"
    code, out, _ = run("trial", *words, suite(flaky))
    assert (code, out.splitlines()[1:]) == (
        3,
        [
            "flaky: test_it.py::test_flaky",
            "no fault was tried: none of the tests passes in both runs without faults",
        ],
    )


WAITING = """
import time

def test_waiting():
    ask("PUT", "/films")
    try:
        ask("PUT", "/films/cat", tries=1)
    except RuntimeError:
        time.sleep(600)
        ask("PUT", "/films/cat", tries=1)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not any(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")),
    reason="libfaketime is not installed: apt-get install faketime",
)
def test_libfaketime(run, suite):
    """pytest is heard under it, and its client does not keep anybody waiting."""
    rule = "s3:SlowDown,operation=PutObject"
    code, report = trial(run, "-r", rule, "--speed", "50", "--", *PYTEST, suite(RIGHT, WAITING))
    assert (code, report["broken"], report["flaky"]) == (0, [], [])
    assert report["seconds"] < 600
