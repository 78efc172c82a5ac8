"""A client in another process: the contract, and what becomes of commands that break it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

import faultinject
from faultinject.conformance.driving import run
from faultinject.conformance.plan import BUCKET, ETAG
from faultinject.conformance.sdks import SDKS
from faultinject.exceptions import ConfigurationError
from tests.console import command
from tests.slowly import slowly
from tests.until import until

from .conftest import short

HEAD = """
import json, os, sys, time, urllib.request
first = json.loads(sys.stdin.readline())
def say(**line):
    print(json.dumps(line), flush=True)
"""
ASKING = (
    HEAD
    + """
say(ready=True, kinds=["get"], client="asking 1.0")
for line in sys.stdin:
    call = json.loads(line)
    try:
        urllib.request.urlopen(first["endpoint"] + "/" + first["bucket"] + "/" + call["key"]).close()
    except OSError as error:
        say(key=call["key"], ok=False, error="no: " + str(error))
    else:
        say(key=call["key"], ok=True)
"""
)
READY = HEAD + 'say(ready=True)\nfor line in sys.stdin: call = json.loads(line)["key"]; break\n'


@pytest.mark.parametrize(
    ("text", "title", "not_found", "said"),
    [
        # It is told where the store is and each call in its turn, and says what its caller got.
        (ASKING, "asking 1.0", "no: HTTP Error 404: Not Found", ""),
        # JSON can spell half a character, and no file can have it.
        (
            ASKING.replace('"asking 1.0"', '"1.0 \\ud800\\n beta"').replace('"no: "', '"\\ud800 "'),
            "1.0 \\ud800 beta", "\\ud800 HTTP Error 404: Not Found", "",
        ),
        # Of a flood of standard error the end is kept.
        (
            ASKING.replace("say(ready", "sys.stderr.write('x' * 5_000_000 + 'end')\nsay(ready"),
            "asking 1.0", "no: HTTP Error 404: Not Found", f"{'x' * 1997}end",
        ),
    ],
    ids=["plain", "half a character", "loud"],
)  # fmt: skip
def test_a_command_makes_the_calls(program, monkeypatch, text, title, not_found, said):
    """A proxy of the environment is not asked for what is on loopback."""
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    done = run(program(text), name="asking", phases=short("cal", "not-found", "lost"))
    assert (done.failure, done.title, done.stderr) == ("", title, said)
    assert [(each.key, each.returned, each.error) for each in done.windows] == [
        ("cal-001", True, None),
        ("not-found-001", False, not_found),
    ]
    assert [(each.key, each.status) for each in done.outcomes] == [("cal-001", 200), ("not-found-001", 404)]


def test_the_first_line_says_what_a_client_needs(program):
    """Version, endpoint, bucket, ETag of the prepared part, and a name for each client."""
    text = HEAD + "say(ready=True, client=json.dumps(first, sort_keys=True))\nsys.stdin.read()\n"
    done = run(program(text), name="none", phases=short("cal", calls=()))
    first = json.loads(done.title)
    assert first.pop("endpoint").startswith("http://127.0.0.1:")
    assert first == {"v": 1, "bucket": BUCKET, "etag": ETAG, "clients": ["cal"]}


NODE = """
node:internal/modules/cjs/loader:1080
  throw err;
  ^

Error: Cannot find module 'acme-storage'
Require stack:
- /home/me/driver.js
    at Module._resolveFilename (node:internal/modules/cjs/loader:1077:15) {
  code: 'MODULE_NOT_FOUND',
}

Node.js v18.13.0
"""
JAVA = """
Exception in thread "main" java.lang.IllegalStateException: no client
\tat Driver.main(Driver.java:7)
Caused by: java.net.UnknownHostException: examplebucket.localhost: Name or service not known
\t... 1 more
"""
GO = """
panic: no region

goroutine 1 [running]:
main.main()
\t/home/me/driver.go:8 +0x2c
exit status 2
"""


ENDED = "ended with exit code 1 before it was ready: {}; `faultinject "


def test_a_command_says_why_it_makes_no_client(program):
    """Its reason is the whole message."""
    text = HEAD + "say(ready=False, error='no region')\nsys.stdin.read()"
    with pytest.raises(ConfigurationError) as caught:
        run(program(text), name="broken", phases=short("cal"))
    assert str(caught.value) == "no region"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # Each language has its own order of what a program says before it ends.
        ("import no_such_sdk", ENDED.format("ModuleNotFoundError: No module named 'no_such_sdk'")),
        (f"raise SystemExit({NODE!r})", ENDED.format("Error: Cannot find module 'acme-storage'")),
        (f"raise SystemExit({JAVA!r})", ENDED.format("Caused by: java.net.UnknownHostException: examplebucket.localhost: Name or service not known")),
        (f"raise SystemExit({GO!r})", ENDED.format("panic: no region")),
        slowly(
            "raise SystemExit('no such region')",
            "ended with exit code 1 before it was ready: no such region; `faultinject conformance --contract` says what a"
            " command has to do\nno such region",
        ),
        slowly(HEAD + "os.kill(os.getpid(), 9)", "ended with signal 9 before it was ready; `faultinject conformance --contract`"),
        slowly(
            HEAD + "print('hello', flush=True)\nsys.stdin.read()",
            "wrote 'hello', which is no line of the contract; `faultinject conformance --contract` says what a command has",
        ),
        slowly(HEAD + "say(ready=True, kinds=5)\nsys.stdin.read()", "wrote '{\"ready\": true, \"kinds\": 5}', which is no line of the contract"),
        slowly(HEAD + "say(ready=True, client=5)\nsys.stdin.read()", "wrote '{\"ready\": true, \"client\": 5}', which is no line of the contract"),
        slowly(HEAD + "say(ready=True, kinds=['get', 'fly'])\nsys.stdin.read()", "can do 'fly', which is not one of get, put, post, complete;"),
        slowly(HEAD + "say(ready=False)\nsys.stdin.read()", "wrote '{\"ready\": false}', which is no line of the contract"),
        slowly(HEAD + "say(ready=True, kinds=[])\nsys.stdin.read()", "can do none of get, put, post, complete; `faultinject conformance"),
        slowly(HEAD + "print('[' * 60000, flush=True)\nsys.stdin.read()", "wrote '[[["),
        slowly(HEAD + "say(key='cal-001', ok=True)\nsys.stdin.read()", "answered 'cal-001', a call that was not running"),
    ],
)  # fmt: skip
def test_a_command_that_is_never_ready_is_an_error(program, text, message):
    """Its first line is the reason, and its standard error follows."""
    with pytest.raises(ConfigurationError) as caught:
        run(program(text), name="broken", phases=short("cal", "denied"))
    assert str(caught.value).startswith(f"{sys.executable} {message}")


DRIVERS = Path(faultinject.__file__).with_name("conformance") / "drivers"
LONG = f"{'a' * 600}.localhost: Name or service not known"
LOST_JS = f"""
const {{ serve }} = require("{DRIVERS}/javascript/contract.js");
serve(() => ({{ get: async () => {{ throw new Error("{LONG}"); }} }}));
"""
LOST_JAVA = f"""
public class Lost {{
    public Lost(String endpoint, String bucket, String etag) {{}}

    public void get(String key) {{ throw new IllegalStateException("{LONG}"); }}
}}
"""


@pytest.mark.parametrize(
    ("needed", "name", "text", "words"),
    [
        pytest.param("node", "lost.js", LOST_JS, ["node"], id="JavaScript"),
        pytest.param(
            "javac", "Lost.java", LOST_JAVA, ["java", f"{DRIVERS}/java/Contract.java"],
            id="Java", marks=pytest.mark.slow,
        ),
    ],
)  # fmt: skip
def test_drivers_tell_the_whole_error(tmp_path, needed, name, text, words):
    """The cause of a long one stands at its end."""
    if shutil.which(needed) is None:
        pytest.skip(f"{needed} is not here")
    (tmp_path / name).write_text(text)
    done = run([*words, str(tmp_path / name)], name="lost", phases=short("cal", calls=(("get", 1),)))
    [window] = done.windows
    assert window.error.endswith(LONG)


CONNECTING = f"connecting to {'a' * 300}.localhost: Name or service not known"
"""A line whose end is its cause."""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sys.stderr.write('no more\\n'); sys.stderr.flush(); sys.exit(3)", "ended with exit code 3"),
        ("os.kill(os.getpid(), 9)", "ended with signal 9"),
        pytest.param("os.close(1)\ntime.sleep(60)", "closed its standard output", marks=pytest.mark.slow),
        ("print('retrying …')\nsys.stdout.flush()\nsys.stdin.read()", "wrote 'retrying …', which is no line of"),
        ("print('[' * 60000, flush=True)\nsys.stdin.read()", "which is no line of the contract"),
        ("print('[1]', flush=True)\nsys.stdin.read()", "wrote '[1]', which is no line of the contract"),
        (f"print({CONNECTING!r}, flush=True)\nsys.stdin.read()", f"wrote {CONNECTING!r}, which is no line of the contract"),
        ("say(key=call)\nsys.stdin.read()", "which is no line of the contract"),
        ("say(key=call, ok='yes')\nsys.stdin.read()", "which is no line of the contract"),
        ("while True: print('x' * 1000000, end='', flush=True)", "which is no line of the contract"),
        ("say(key='x', ok=True)\nsys.stdin.read()", "answered 'x', a call that was not running"),
        ("while True: say(key='x', ok=True)", "answered 'x', a call that was not running"),
    ],
)  # fmt: skip
def test_a_command_that_breaks_the_contract_fails(program, text, message):
    """A breach of the contract ends the run, and the first finding names it and the open call.

    The rest is judged.
    """
    done = run(program(READY + text), name="broken", phases=short("cal", "denied"))
    told = (
        "; `faultinject conformance --contract` says what a command has to do;"
        " 1 call had not ended: cal-001 of phase cal"
    )
    assert (done.failure.startswith(sys.executable), message in done.failure) == (True, True)
    assert done.failure.endswith(told)
    finding = done.judgement.findings[0]
    action = "Answer every call by its result, as the contract says."
    assert (finding.name, finding.verdict, finding.message, finding.action) == (
        "answers",
        "FAIL",
        done.failure,
        action,
    )
    assert done.judgement.conclusion.sentence.startswith(f"FAIL: answers: {done.failure}")
    assert done.stderr == ("no more" if "no more" in text else "")


@pytest.mark.parametrize(
    ("text", "wrong", "returned"),
    [
        # It answers all, ends badly, and no call has to be named.
        (READY + 'print(json.dumps({"key": call, "ok": True}) + "\\nbye", flush=True)\nsys.stdin.read()\n', "wrote 'bye', which is no line of the contract", True),
        # Its first answer counts, and the second fails.
        (READY + "say(key=call, ok=False)\nsay(key=call, ok=True)\nsys.stdin.read()\n", "answered 'cal-001', a call that was not running", False),
        # It is ready, and breaks the contract at once: it is not refused, as one is that never was.
        *(
            (HEAD + f'print(json.dumps({{"ready": True}}) + "\\n" + json.dumps({line!r}), flush=True)\nsys.stdin.read()\n', wrong, None)
            for line, wrong in (
                ("bye", "wrote '\"bye\"', which is no line of the contract"),
                ({"key": "x", "ok": True}, "answered 'x', a call that was not running"),
            )
        ),
    ],
    ids=["at its end", "twice", "a line at once", "an answer at once"],
)  # fmt: skip
def test_a_command_that_is_ready_and_breaks_the_contract(program, text, wrong, returned):
    """Its calls are judged, and the first finding names the breach."""
    done = run(program(text), name="broken", phases=short("cal", calls=(("get", 1),)))
    assert done.failure.startswith(f"{sys.executable} {wrong}; `faultinject conformance --contract` says")
    assert done.judgement.findings[0].name == "answers"
    assert [(each.returned, each.error) for each in done.windows] == [(returned, None)]


@pytest.mark.slow
@pytest.mark.parametrize("environment", ["None", "{}"])
def test_a_process_that_is_let_go_of_does_not_hold_up_the_end(program, environment):
    """A descendant that keeps the pipe open does not delay the end.

    One in a session of its own is ended; one that has lost its environment too is not waited for.
    """
    text = READY + (
        "import subprocess\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True, "
        f"env={environment})\n"
        "sys.stderr.write(str(child.pid)); sys.stderr.flush()\n"
        "time.sleep(600)\n"
    )
    done = run(program(text), name="broken", phases=short("cal"), deadline=5.0)
    try:
        assert "stopped answering" in done.failure
        assert alive(int(done.stderr)) == (environment == "{}")
    finally:
        with suppress(ProcessLookupError):
            os.kill(int(done.stderr), signal.SIGKILL)


@pytest.mark.slow
def test_a_command_that_stops_answering(program):
    """It is alive and silent: a failure, with the call that it is about."""
    text = READY + "sys.stderr.write('stuck\\n'); sys.stderr.flush(); time.sleep(600)"
    done = run(program(text), name="silent", phases=short("cal", "denied"), deadline=5.0)
    assert done.failure.startswith("it stopped answering: no answer for ")
    assert done.failure.endswith(" s; 1 call had not ended: cal-001 of phase cal")
    assert (done.judgement.conclusion.exit_code, done.stderr) == (1, "stuck")


def test_a_command_that_says_nothing_is_not_waited_for_for_ever(program):
    """It has a minute to be ready, or what its caller gives it."""
    with pytest.raises(ConfigurationError, match=r"did not report within 0\.2 s that it is ready"):
        run(program("import sys\nsys.stdin.read()"), name="silent", phases=short("cal"), ready=0.2)


def test_a_command_that_is_not_there():
    """The error names it."""
    with pytest.raises(ConfigurationError, match="/nowhere/client cannot be run: No such file or directory"):
        run(["/nowhere/client"], name="none", phases=short("cal"))


@pytest.mark.parametrize(
    "where", ["behind the process", "before it is read", "before its standard error is read"]
)
def test_an_interrupt_while_it_is_started(program, monkeypatch, where):
    """Ctrl-C during the start of a command ends it, and leaves no pipe open."""
    begun = []
    make, start = subprocess.Popen.__init__, threading.Thread.start

    def made(child, *given, **more):
        make(child, *given, **more)
        begun.append(child)
        if where == "behind the process":
            raise KeyboardInterrupt

    def started(thread):
        if begun and thread.name.endswith("(_read_errors)" if "error" in where else "(_read)"):
            raise KeyboardInterrupt
        start(thread)

    monkeypatch.setattr(subprocess.Popen, "__init__", made)
    monkeypatch.setattr(threading.Thread, "start", started)
    with pytest.raises(KeyboardInterrupt):
        run(program(READY), name="stuck", phases=short("cal"))
    [child] = begun
    assert child.returncode is not None
    assert [each.closed for each in (child.stdin, child.stdout, child.stderr)] == [True] * 3


@pytest.mark.slow
def test_a_command_is_ended_at_the_deadline(program, tmp_path):
    """A command that ignores the end of input is ended with its children; its calls stay open."""
    left = tmp_path / "left"
    text = READY + (
        "import subprocess\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(left)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    done = run(program(text), name="stuck", phases=short("cal", calls=(("get", 1),)), deadline=6.0)
    assert [(each.key, each.ended, each.returned) for each in done.windows] == [("cal-001", None, None)]
    until(lambda: not alive(int(left.read_text())))


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are counted by /proc")
@pytest.mark.parametrize(
    ("number", "words", "session"),
    [(1, "a process", False), (2, "2 processes", False), (1, "a process", True)],
)
def test_a_command_that_leaves_processes_behind(program, number, words, session):
    """Processes left behind are ended, in other sessions too, and the client fails.

    A process that ends by itself in time is none.
    """
    text = ASKING + (
        "import subprocess\n"
        f"quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session={session})\n"
        f"for seconds in (0.01, *[600] * {number}):\n"
        "    child = subprocess.Popen(['sleep', str(seconds)], **quiet)\n"
        "sys.stderr.write(str(child.pid) + '\\n'); sys.stderr.flush()\n"
    )
    done = run(program(text), name="untidy", phases=short("cal"))
    assert (
        done.failure
        == f"{sys.executable} ended and left {words} behind; `faultinject conformance --contract` "
        "says what a command has to do"
    )
    until(lambda: not alive(int(done.stderr)))


def test_a_factory_is_named_by_module_and_name(tmp_path, monkeypatch):
    """`MODULE:FACTORY` is found in the current directory, and its prints are no answers.

    `python -m faultinject.conformance MODULE:FACTORY`
    """
    text = (
        "import json\nprint('loud')\nclass Client:\n    def __init__(self, endpoint, bucket): pass\n "
        "   def get(self, key): print(key)\n"
    )
    (tmp_path / "own_storage.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    words = [sys.executable, "-m", "faultinject.conformance", "own_storage:Client"]
    done = run(words, name="own", phases=short("cal", "not-found"))
    assert [(each.key, each.returned) for each in done.windows] == [
        ("cal-001", True),
        ("not-found-001", True),
    ]


def test_a_factory_of_python_keeps_the_contract(tmp_path):
    """`python -m faultinject.conformance` keeps the contract for a factory.

    An address that is none is reported.
    """
    (tmp_path / "own_storage.py").write_text(REFUSING)
    questions = (
        {"v": 1, "endpoint": "http://127.0.0.1:9", "bucket": "b", "etag": "", "clients": ["denied"]},
        {"key": "denied-001", "do": "get", "client": "denied"},
    )
    words = [sys.executable, "-m", "faultinject.conformance", "own_storage:Client"]
    with subprocess.Popen(
        words, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        said = []
        for each in questions:
            process.stdin.write(json.dumps(each) + "\n")
            process.stdin.flush()
            said.append(json.loads(process.stdout.readline()))
    assert said == [
        {"ready": True, "kinds": ["get"], "client": "refusing 2.0"},
        {"key": "denied-001", "ok": False, "error": "ValueError: no"},
    ]


REFUSING = """
class Client:
    title = "refusing 2.0"
    def __init__(self, endpoint, bucket): pass
    def get(self, key): raise ValueError("no")
"""


def test_modules_of_the_users_folder_are_no_sdks(tmp_path, monkeypatch):
    """Modules in the user's folder do not shadow an SDK, its imports or the standard library."""
    for name in ("requests", "urllib3", "json", "secrets", "click"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} of the user')\n")
    monkeypatch.chdir(tmp_path)
    done = run(SDKS["requests"].command, name="own", phases=short("cal"))
    assert [(each.key, each.returned) for each in done.windows] == [("cal-001", True)]


def test_the_contract_has_every_kind_of_call():
    """The printed contract names every kind of call."""
    contract = command("conformance", "--contract").stdout
    assert all(f"`{kind}`" in contract for kind in ("get", "put", "post", "complete"))
