"""Tests with servers in other processes: markers reach them, and their requests come back."""

import os
import re
import subprocess
import sys

import pytest

from tests.pairs import in_turn

SERVING = '''
import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request


def ask(url):
    """The status of one request."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            answer.read()
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def listens(port):
    """Whether somebody is there; uvicorn says so before its workers are."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=60):
        return True
    return False


@contextlib.contextmanager
def serving(*command, env=None, ready=r"http://127.0.0.1:(\\d+)"):
    """A server in another process; gives its address."""
    name = f"server-{os.getpid()}.log"  # each worker of xdist starts one
    with open(name, "w+") as log:
        process = subprocess.Popen([sys.executable, *command], env=env, stdout=log, stderr=log)
        try:
            with open(name) as told:
                text = ""
                end = time.monotonic() + 100
                while not (found := re.search(ready, text)):
                    assert process.poll() is None and time.monotonic() < end, text
                    text += told.readline() or (time.sleep(0.02) or "")
            while not listens(int(found[1])):
                assert process.poll() is None and time.monotonic() < end, text
            yield f"http://127.0.0.1:{found[1]}"
        finally:
            process.terminate()
            process.wait(100)
'''
APPS = """
import os

import flask

app = flask.Flask("app")


@app.get("/<path:path>")
def get(path):
    return str(os.getpid())


async def asgi(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
    else:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
"""
INSTALLED = """
import apps
import faultinject

app = faultinject.install(apps.app)
asgi = faultinject.install(apps.asgi)
"""
GUNICORN = (
    '"-m", "gunicorn", "-w", "2", "-b", "127.0.0.1:0", "--no-control-socket", "--graceful-timeout", "2"'
)
PATIENT = f'{GUNICORN}, "--timeout", "0"'
# A busy machine may keep a worker from answering uvicorn for the five seconds that it allows, and it would be killed.
# Not imported from `tests.hooks`: to the oldest pytest, that is no package here.
HEALTHCHECK = 30
UVICORN = f'"-m", "uvicorn", "--workers", "2", "--port", "0", "--timeout-worker-healthcheck", "{HEALTHCHECK}"'
FIXTURE = """
import os
import subprocess
import sys
from pathlib import Path

import pytest
from serving import ask, serving


@pytest.fixture(scope="session")
def url():
    with serving({command}) as address:
        yield address
"""


@pytest.fixture
def tests(project, monkeypatch):
    """Write tests with a fixture `url` for a server, run them: the result."""
    project.makepyfile(serving=SERVING, apps=APPS, installed=INSTALLED)
    monkeypatch.setenv("TMPDIR", str(project.path))
    monkeypatch.setattr("tempfile.tempdir", str(project.path))
    monkeypatch.syspath_prepend(str(project.path))

    def tests(source, *args, command=f'{GUNICORN}, "apps:app"', env=None):
        for name in ("serving", "apps", "installed"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        head = FIXTURE.format(command=command if env is None else f"{command}, env={env}")
        project.makepyfile(head + "\n".join(line[8:] for line in source.splitlines()))
        return project.runpytest_inprocess(*args)

    yield tests
    # A session removes its directory; private ones of servers are removed by a later start.
    assert [*(project.path / f"faultinject-{os.geteuid()}").glob("*/attached")] == []


FIVE = """
        @pytest.mark.faultinject("cos:SlowDown,times=5,path=photos/")
        def test_five(url, faults):
            assert [ask(url + "/photos/1") for _ in range(9)] == [503] * 5 + [200] * 4
            assert (faults.injected, faults.attempts) == (5, 9)
            assert [each.did for each in faults.outcomes] == ["answered"] * 5 + ["passed"] * 4
            assert {each.path for each in faults.outcomes} == {"/photos/1"}
            assert {each.test.partition("::")[2] for each in faults.outcomes} == {"test_five"}
            assert os.getpid() not in {each.pid for each in faults.outcomes}
            # Once `times` are used up nothing depends on a number, and nobody counts.
            assert [each.n for each in faults.outcomes] == [*range(5), *[None] * 4]
            faults.assert_all_fired()

        def test_none(url):
            assert [ask(url + "/photos/1") for _ in range(4)] == [200] * 4

        @pytest.fixture
        def around(url):
            assert ask(url + "/before") == 200
            yield
            assert ask(url + "/after") == 200

        @pytest.mark.faultinject("http:500", times=1)
        def test_one(url, around, faults):
            assert faults.outcomes == []
            assert [ask(url + "/photos/1") for _ in range(3)] == [500, 200, 200]
            assert [each.status for each in faults.outcomes] == [500, 200, 200]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        f'{GUNICORN}, "apps:app"',
        f'{GUNICORN}, "--preload", "apps:app"',
        f'{GUNICORN}, "installed:app"',
        f'{GUNICORN}, "-k", "asgi", "apps:asgi"',
        f'{UVICORN}, "apps:asgi"',
        f'{UVICORN}, "installed:asgi"',
    ],
)
def test_servers_of_several_processes(tests, command):
    """Counts are exact over workers, test by test, whether or not the app uses faultinject."""
    tests(FIVE, "-p", "no:randomly", command=command).assert_outcomes(passed=3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "rule"),
    in_turn(
        [
            f'{PATIENT}, "apps:app"',
            f'{PATIENT}, "-k", "gthread", "--threads", "3", "apps:app"',
            f'{PATIENT}, "-k", "gevent", "apps:app"',
            f'{PATIENT}, "-k", "asgi", "installed:asgi"',
            f'{UVICORN}, "apps:asgi"',
        ],
        ["latency,delay=1h", "hang,duration=1h"],
    ),
)
def test_waits_end_with_their_test(tests, command, rule):
    """Also where each process waits, so that none hears of the end by a request."""
    if "gevent" in command:
        pytest.importorskip("gevent")
    tests(
        f"""
        import time
        from threading import Thread

        back = []

        def until(true):
            end = time.monotonic() + 60
            while not true():
                assert time.monotonic() < end
                time.sleep(0.01)

        def get(url):
            try:
                back.append(ask(url + "/photos/1"))
            except TimeoutError:
                back.append("late")
            except OSError:
                back.append("cut")

        @pytest.mark.faultinject("{rule}")
        def test_waits(url, faults):
            for _ in range(6):
                Thread(target=get, args=(url,)).start()
            until(lambda: faults.outcomes)

        def test_none(url):
            assert ask(url + "/photos/1") == 200
            until(lambda: len(back) == 6)
            assert "late" not in back
        """,
        "-p",
        "no:randomly",
        command=command,
    ).assert_outcomes(passed=2)


@pytest.mark.slow
def test_greenlets_under_load(tests):
    """Counts are exact over gevent's workers, and none hangs on locks older than its patch."""
    pytest.importorskip("gevent")
    tests(
        """
        from collections import Counter
        from concurrent.futures import ThreadPoolExecutor

        @pytest.mark.faultinject("http:503,times=300,probability=0.5")
        def test_load(url, faults):
            with ThreadPoolExecutor(12) as threads:
                found = Counter(threads.map(ask, [url + "/photos/1"] * 2000))
            assert found == {503: 300, 200: 1700}
        """,
        command=f'{GUNICORN}, "-k", "gevent", "apps:app"',
    ).assert_outcomes(passed=1)


@pytest.mark.slow
def test_changes_reach_the_server(tests):
    """`add`, `clear` and `pause`."""
    tests("""
        @pytest.mark.faultinject("cos:SlowDown", times=2)
        def test_changed(url, faults):
            url += "/photos/1"
            assert ask(url) == 503
            faults.add("http:500", times=1)
            assert [ask(url) for _ in range(4)] == [503, 500, 200, 200]
            with faults.pause():
                assert ask(url) == 200
            assert (faults.injected, faults.attempts) == (3, 5)
            faults.add("http:502")
            assert ask(url) == 502
            with faults.pause():
                assert ask(url) == 200
            assert ask(url) == 502
            faults.clear()
            assert ask(url) == 200
            assert (faults.injected, faults.attempts) == (5, 8)
            assert [each.status for each in faults.outcomes] == [503, 503, 500, 200, 200, 502, 502, 200]

        def test_begins_with_none(url, faults):
            assert ask(url + "/photos/1") == 200
            faults.add("http:500")
            assert ask(url + "/photos/1") == 500
            assert faults.attempts == 2
    """).assert_outcomes(passed=2)


@pytest.mark.slow
def test_rules_that_no_request_met(tests):
    """All processes' requests are judged together, and the nearest of them is shown."""
    result = tests("""
        @pytest.mark.faultinject("http:500", path="fotos/")
        def test_unmatched(url):
            assert ask(url + "/photos/1") == 200

        @pytest.mark.faultinject("http:500,times=0")
        def test_matched(url, faults):
            assert ask(url + "/photos/1") == 200
            with pytest.raises(AssertionError, match="1 request met its conditions"):
                faults.assert_all_fired()
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*no request met the conditions of*", "*nearest*GET /photos/1*"])


@pytest.mark.slow
def test_a_server_that_the_test_itself_starts(tests):
    """Also with an environment of its own, to which `faults.env` was added."""
    tests("""
        @pytest.mark.faultinject("http:500", times=2)
        def test_inside(faults):
            own = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
            own.pop("PYTHONPATH")
            with serving("-m", "flask", "--app", "apps", "run", "-p", "0", env={**own, **faults.env}) as url:
                assert [ask(url + "/photos/1") for _ in range(3)] == [500, 500, 200]
            assert (faults.injected, faults.attempts) == (2, 3)
    """).assert_outcomes(passed=1)


def test_an_explored_test(tests):
    """Its first run starts the server, and each run's requests are those of that run."""
    result = tests(
        """
        @pytest.mark.faultinject_explore("http:503", "http:500,when=after")
        def test_retries(url):
            assert any(ask(url + "/photos/1") == 200 for attempt in range(2))
            assert any(ask(url + "/photos/2") == 200 for attempt in range(2))

        @pytest.mark.faultinject_explore("http:503", "http:500,path=never/")
        def test_tries_once(url):
            assert ask(url + "/photos/1") == 200
        """,
        "-p",
        "no:randomly",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "1 request without faults, 2 faults; 1 run in *, 1 failed",
            '  replay: @pytest.mark.faultinject("http:503,method=GET,path=/photos/1,times=1")',
            "*::test_retries: 2 requests without faults, 2 faults; 4 runs in *, 0 failed",
        ]
    )


@pytest.mark.slow
def test_requests_here_before_there(tests):
    """Counts in memory stay there when a server joins in a test, and its matches count as well."""
    tests("""
        import flask

        @pytest.mark.faultinject("http:500,when=after,times=1,path=photos/")
        def test_here_first(faults):
            here = flask.Flask("here")

            @here.get("/photos/<name>")
            def get(name):
                return "the app's own", 502

            assert here.test_client().get("/photos/1").status_code == 502
            assert (faults.injected, faults.attempts) == (0, 1)
            with serving("-m", "flask", "--app", "apps", "run", "-p", "0") as url:
                faults.add("http:501", path="/photos/2", times=0)
                assert [ask(url + f"/photos/{n}") for n in (1, 1, 2)] == [500, 200, 200]
            assert (faults.injected, faults.attempts) == (1, 4)
            with pytest.raises(AssertionError, match="1 request met its conditions"):
                faults.assert_all_fired()
    """).assert_outcomes(passed=1)


@pytest.mark.slow
def test_an_environment_without_us(tests):
    """A server without our variables gets no faults, and the test says that no request was seen."""
    result = tests(
        """
        @pytest.mark.faultinject("http:500")
        def test_alone(url):
            assert ask(url + "/photos/1") == 200
    """,
        env="{'PATH': os.environ['PATH']}",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no request met the conditions of*"])


FORKED = """
        import multiprocessing
        import socket

        from werkzeug.serving import make_server

        import apps

        pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")

        @pytest.fixture(scope="session")
        def live_server():
            # As pytest-flask has it.
            with socket.create_server(("127.0.0.1", 0)) as listening:
                port = listening.getsockname()[1]
                def serve():
                    make_server("127.0.0.1", port, apps.app, threaded=True, fd=listening.fileno()).serve_forever()
                process = multiprocessing.get_context("fork").Process(target=serve, daemon=True)
                process.start()
            yield f"http://127.0.0.1:{port}"
            process.terminate()
            process.join()

        @pytest.mark.faultinject("http:500", times=2)
        def test_forked(live_server, faults):
            assert [ask(live_server + "/photos/1") for _ in range(3)] == [500, 500, 200]
            assert {each.pid for each in faults.outcomes}.isdisjoint({os.getpid()})
            assert (faults.injected, faults.attempts) == (2, 3)

        @pytest.mark.faultinject("http:501", times=1)
        def test_here_and_there(live_server, faults):
            here = apps.app.test_client()
            statuses = [here.get("/photos/2").status_code, ask(live_server + "/photos/1")]
            assert sorted(statuses) == [200, 501]
            assert (faults.injected, faults.attempts) == (1, 2)
            assert len({each.pid for each in faults.outcomes}) == 2

        def test_none(live_server):
            assert ask(live_server + "/photos/1") == 200
"""


FAILS = """
        @pytest.mark.faultinject("http:500", times=1)
        def test_fails(live_server):
            assert [ask(live_server + "/photos/1") for _ in range(2)] == [200, 200]
"""


def test_a_forked_server(tests):
    """A child of the test run itself; the failing test has its requests."""
    result = tests(FORKED + FAILS)
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["1 of 2 requests got a fault", "*GET /photos/1*500*rule-1: http:500*"])


def test_a_server_forked_within_a_test(tests):
    """A block in the parent's place is not there twice in a forked server."""
    tests(FORKED.replace('scope="session"', 'scope="function"')).assert_outcomes(passed=3)


@pytest.mark.slow
def test_workers_of_xdist(tests, monkeypatch, project):
    """Each has a session of its own."""
    pytest.importorskip("xdist")
    result = tests(
        """
        @pytest.mark.parametrize("number", range(6))
        @pytest.mark.faultinject("http:500", times=3)
        def test_three(url, faults, number):
            assert [ask(url + "/photos/1") for _ in range(6)] == [500] * 3 + [200] * 3
            assert faults.attempts == 6
    """,
        "-p",
        "xdist",
        "-n",
        "2",
    )
    result.assert_outcomes(passed=6)


@pytest.mark.slow
def test_a_test_run_within_a_test(tests, project):
    """An inner run has a session of its own, and leaves the outer one as it was."""
    project.makepyfile(
        inner="""
        import pytest
        from serving import ask, serving

        @pytest.mark.faultinject("http:502", times=1)
        def test_inner(faults):
            with serving("-m", "flask", "--app", "apps", "run", "-p", "0") as url:
                assert [ask(url + "/photos/1") for _ in range(2)] == [502, 200]
            assert faults.attempts == 2
    """
    )
    tests("""
        from pathlib import Path

        @pytest.mark.faultinject("http:500", times=4)
        def test_outer(url, faults, pytestconfig):
            assert ask(url + "/photos/1") == 500
            before = dict(os.environ)
            assert pytest.main(["-q", "-p", "no:cacheprovider", str(Path(__file__).with_name("inner.py"))]) == 0
            changed = {name for name in before if os.environ.get(name) != before[name]}
            assert changed <= {"PYTEST_CURRENT_TEST"}
            assert [ask(url + "/photos/1") for _ in range(4)] == [500] * 3 + [200]
            assert faults.attempts == 5
            import apps, faultinject
            client = faultinject.install(apps.app).test_client()
            assert client.get("/photos/1").status_code == 200
            assert faults.attempts == 6
    """).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("mark", "arguments", "variable"),
    [
        ("@pytest.mark.faultinject('http:500')", ["--faultinject-off"], "1"),
        pytest.param("@pytest.mark.faultinject('http:500')", [], "0", marks=pytest.mark.slow),
        pytest.param("@pytest.mark.skip", ["-p", "no:faultinject"], "1", marks=pytest.mark.slow),
        pytest.param("@pytest.mark.skip", [], "1", marks=pytest.mark.slow),
    ],
    ids=["off", "off by the environment", "without the plugin", "no test is marked"],
)
def test_nothing_is_exported_without_need(tests, monkeypatch, mark, arguments, variable):
    """If faults are off, marked tests are skipped, and servers start as usual."""
    monkeypatch.setenv("FAULTINJECT_ENABLED", variable)
    result = tests(
        f"""
        {mark}
        def test_skipped(url): ...

        def test_runs(url):
            assert "FAULTINJECT_SESSION" not in os.environ
            assert "faultinject/hooks" not in os.environ.get("PYTHONPATH", "")
            assert ask(url + "/photos/1") == 200
    """,
        *arguments,
    )
    result.assert_outcomes(passed=1, skipped=1)


def test_a_session_that_is_none(tmp_path):
    """`install()` stops the start, and names the variable."""
    found = subprocess.run(
        [sys.executable, "-c", "import faultinject; faultinject.install(lambda environ, start_response: [])"],
        env={**os.environ, "FAULTINJECT_SESSION": str(tmp_path / "session")},
        capture_output=True,
        text=True,
    )
    error = "faultinject.exceptions.ConfigurationError: FAULTINJECT_SESSION: the store .* is not there"
    assert (found.returncode, bool(re.match(error, found.stderr.splitlines()[-1]))) == (1, True)
