"""`--faultinject-report`: what the clients of all tests did, on one page."""

import json
import sys
import tempfile

import pytest

from tests.console import command

from .conftest import WITHOUT

UPLOAD = """
    import pytest
    import faultinject

    def upload(client, path, tries=3):
        for _ in range(tries):
            try:
                if client.put(path, data=b"meow").status_code == 200:
                    return
            except OSError:
                continue
        raise OSError("gave up")
"""
SOURCE = (
    UPLOAD
    + """
    @pytest.mark.faultinject("cos:SlowDown", times=1, per="call")
    def test_slow_down(client, faults):
        for number in range(4):
            with faults.call("upload"):
                upload(client, f"/b/{number}")

    @pytest.mark.faultinject("cos:AccessDenied")
    @pytest.mark.parametrize("number", range(4))
    def test_forbidden(client, faults, number):
        with pytest.raises(OSError):
            with faults.call("secret"):  # by fingerprint alone the other tests' requests would raise doubts
                upload(client, f"/b/secret-{number}")

    def test_inject(client):
        with faultinject.inject("reset", times=1):
            upload(client, "/b/inject")

    @pytest.mark.faultinject_explore("http:503", "reset")
    def test_explored(client):
        upload(client, "/b/explored")

    def test_loop(client, faults):
        for run in faults.explore("http:503", "reset"):
            with run:
                upload(client, "/b/loop")

    def test_nothing(client):
        upload(client, "/b/nothing")
"""
)
# Calls: 4; 4 of 3 attempts; 1; four runs each of two explorations, two of which try again.
CALLS, ATTEMPTS = 4 + 4 + 1 + 4 + 4, 8 + 12 + 2 + 6 + 6


@pytest.fixture
def report(run, project):
    """Write a test file, run it, and read the report."""

    def report(source, *args, name="report.json"):
        result = run(source, f"--faultinject-report={name}", *args)
        return result, json.loads((project.path / name).read_text())

    return report


def verdicts(found):
    return {(each["check"], each["subject"]): each["verdict"] for each in found["findings"]}


def test_all_tests(report):
    """Each test's calls are its own, and end with it.

    With markers, the fixture, `inject()` and explorations.
    """
    result, found = report(SOURCE)
    result.assert_outcomes(passed=9)
    expected = {
        "calls": CALLS,
        "attempts": ATTEMPTS,
        "left_out": {},
        "skipped": {},
        "signal": {"told": 8, "fingerprint": CALLS - 8},
    }
    assert {name: found[name] for name in expected} == expected
    assert verdicts(found)["retries", "503 SlowDown"] == "PASS"
    permanent = [(each["verdict"], each["n"]) for each in found["findings"] if each["check"] == "permanent"]
    assert permanent == [("FAIL", 4)]
    result.stdout.fnmatch_lines(
        [
            "*= faultinject: report =*",
            "report.json: FAIL: permanent: 4 of 4 calls retried after 403 AccessDenied*",
        ]
    )
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*so the run fails*")


def test_a_report_that_fails_the_run(run):
    """With the option passing tests end with 1 if a check fails, and a line says so."""
    result = run(SOURCE, "--faultinject-report=report.json", "--faultinject-report-fail", "-k", "forbidden")
    result.assert_outcomes(passed=4, deselected=5)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    said = "report.json: FAIL: permanent: *; so the run fails (--faultinject-report-fail)"
    result.stdout.fnmatch_lines([said])


def test_a_report_without_a_failure_fails_nothing(run, monkeypatch, tmp_path):
    """A report that could not judge anything fails nothing either.

    It does not look like a good one. Collected files are gone after the session.
    """
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name, selected in (("report.json", "slow_down"), ("report.html", "test_forbidden and 0")):
        result = run(SOURCE, f"--faultinject-report={name}", "--faultinject-report-fail", "-k", selected)
        assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "report.html: Nothing could be judged: 1 call met a fault or retried, not enough data for any check.*"
        ]
    )
    assert [each.name for each in tmp_path.iterdir() if "report" in each.name] == []


@pytest.mark.slow
def test_a_run_that_fails_by_itself_keeps_its_status(run):
    """One status for both."""
    options = ("--faultinject-report=report.json", "--faultinject-report-fail")
    assert run(SOURCE + "\n    def test_wrong(): assert 0", *options).ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("a.txt", "PASS: "),
        ("a.md", "#"),
        ("a.XML", "<?xml"),
        ("a.html", "<!doctype html>"),
        ("report", "<!doctype html>"),
    ],
)
def test_other_formats(run, project, name, begin):
    """The file's name says which; HTML where it says none."""
    run(SOURCE, f"--faultinject-report={name}", "-k", "slow_down")
    assert (project.path / name).read_text().startswith(begin)


@pytest.mark.slow
def test_xdist(project):
    """Workers note what they see, the controller judges all of it."""
    project.makepyfile(SOURCE)
    result = project.runpytest_subprocess(
        *WITHOUT, "-p", "xdist", "-n2", "--faultinject-report=report.json", "--faultinject-report-fail"
    )
    result.assert_outcomes(passed=9)
    found = json.loads((project.path / "report.json").read_text())
    assert (found["calls"], found["attempts"], result.ret) == (CALLS, ATTEMPTS, pytest.ExitCode.TESTS_FAILED)
    assert verdicts(found)["permanent", None] == "FAIL"
    result.stdout.fnmatch_lines(
        ["report.json: FAIL: permanent: 4 of 4 calls retried after 403 AccessDenied*"]
    )


def test_failed_tests_count(report):
    """Calls of a failed test count; the exit code stays that of the tests."""
    source = SOURCE.replace("with pytest.raises(OSError):\n            with", "if True:\n            with")
    result, found = report(source, "-k", "forbidden")
    result.assert_outcomes(failed=4, deselected=5)
    assert (result.ret, verdicts(found)["permanent", None]) == (pytest.ExitCode.TESTS_FAILED, "FAIL")


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--faultinject-off", "-k", "slow_down"), ("--collect-only",)])
def test_nothing_to_report(run, project, options):
    """Without tests with faults no report is written, and a line says so."""
    result = run(SOURCE if options else "def test_one(): pass", "--faultinject-report=report.html", *options)
    assert ((project.path / "report.html").exists(), result.ret) == (False, 0)
    said = "report.html is not written: no test with faults made a request"
    assert (said in result.outlines) is ("--collect-only" not in options)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("=nowhere/report.html", "*--faultinject-report: there is no folder *nowhere*"),
        ("=report.pdf", "*--faultinject-report: report.pdf is not one of FILE.txt, FILE.html, *"),
        ("=.", "*--faultinject-report: '.' is a folder; name a file, such as report.html"),
        # Without a report nothing would be judged, and the run be green.
        ("-fail", "*--faultinject-report-fail: there is no report; add --faultinject-report=FILE"),
    ],
)
def test_a_report_that_cannot_be(usage_error, option, message):
    """An impossible place, or none, is refused before the first test runs."""
    usage_error(SOURCE, message, f"--faultinject-report{option}")


def test_without_jinja2(usage_error, monkeypatch):
    """HTML is an extra; the message has the command that installs it, and what goes without."""
    monkeypatch.setattr("faultinject.testing.pytest_plugin.reported.find_spec", lambda name: None)
    usage_error(
        SOURCE,
        "*pip install *[[]report[]]*; or name a file .txt or .json",
        "--faultinject-report=report.html",
    )


@pytest.mark.parametrize(("failing", "ret"), [("", 3), ("assert 0", 1)])
def test_a_report_that_cannot_be_written(run, project, failing, ret):
    """The session says so, and does not end well."""
    spoil = f"""
    def test_spoilt(tmp_path):
        import pathlib
        pathlib.Path("report.json").mkdir()
        {failing}
    """
    result = run(SOURCE + spoil, "--faultinject-report=report.json", "-k", "slow_down or spoilt")
    assert result.ret == ret
    result.stdout.fnmatch_lines(["report.json is not written: *"])


ODD_NAMES = """
    import os
    import pytest

    @pytest.mark.faultinject("cos:AccessDenied")
    @pytest.mark.parametrize("number", range(4))
    def test_odd_names(client, faults, number):
        name = os.fsdecode(b"cat-\\xff.jpg")
        with pytest.raises(OSError):
            with faults.call(f"upload {name}"):
                for _ in range(2):
                    client.put(f"/b/{number}")
                raise OSError(f"cannot upload {name}")
"""


@pytest.mark.parametrize("name", ["report.json", "report.txt", "report.html"])
def test_texts_that_have_no_utf8(run, project, monkeypatch, name):
    """A text that is not UTF-8, of an error or a call's name, fails no test.

    The report has the words of errors; a journal has none, as they may hold secrets.
    """
    monkeypatch.setenv("FAULTINJECT_JOURNAL", "journal.jsonl")
    result = run(ODD_NAMES, f"--faultinject-report={name}")
    result.assert_outcomes(passed=4)
    assert result.ret == 0
    texts = ("permanent", r"upload cat-\udcff.jpg", r"cannot upload cat-\udcff.jpg")
    written, journal = ((project.path / each).read_text("utf-8") for each in (name, "journal.jsonl"))
    assert [each for each in texts if each not in written] == []
    assert "cannot upload" not in journal


@pytest.mark.slow
def test_more_requests_than_are_kept(report):
    """Also what the memory of a test no longer holds is judged: it stands in the journal's file."""
    _, found = report("""
    from werkzeug.test import EnvironBuilder
    from faultinject import WSGIFaultMiddleware

    def app(environ, start_response):
        start_response("200 OK", [])
        return [b""]

    def test_many(faults):
        wrapped = WSGIFaultMiddleware(app, [])
        environ = EnvironBuilder(path="/b/k").get_environ()
        for _ in range(10_002):
            list(wrapped(dict(environ), lambda *_: None))
    """)
    assert (found["attempts"], found["skipped"]) == (10_002, {})


APPS = """
    from threading import Thread

    import httpx
    import pytest
    from fastapi import FastAPI, Response
    from flask import Flask
    from starlette.testclient import TestClient
    from werkzeug.serving import make_server

    def read(store, name):
        for _ in range(2):
            answer = httpx.get(f"{store}/photos/{name}", trust_env=False, verify=False)
            if answer.status_code == 200:
                return answer.content, 200
        return b"storage is down", 503

    @pytest.fixture
    def flask_app(faultinject_store):
        app, store = Flask(__name__), faultinject_store("s3").url.rstrip("/")
        httpx.put(f"{store}/photos")
        app.add_url_rule("/documents/<name>", view_func=lambda name: read(store, name))
        return app

    @pytest.fixture
    def fastapi_app(faultinject_store):
        app, store = FastAPI(), faultinject_store("s3").url.rstrip("/")
        httpx.put(f"{store}/photos")
        app.add_api_route("/documents/{name}", lambda name: Response(*read(store, name)))
        return app

    DOWN = pytest.mark.faultinject("s3:SlowDown", bucket="photos")

    def outage(client):
        assert [client.get(f"/documents/{name}").status_code for name in "abc"] == [503] * 3

    @DOWN
    def test_flask(flask_app):
        outage(flask_app.test_client())

    @DOWN
    def test_httpx(flask_app):
        with httpx.Client(transport=httpx.WSGITransport(flask_app), base_url="http://app") as client:
            outage(client)

    @DOWN
    def test_live_server(flask_app):
        server = make_server("127.0.0.1", 0, flask_app)
        serving = Thread(target=server.serve_forever)
        serving.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
            outage(client)
        server.shutdown()
        serving.join()
        server.server_close()

    @DOWN
    def test_starlette(fastapi_app, faults):
        outage(TestClient(fastapi_app))
        faults.assert_retries(require="retries", ignore="backoff")

    @DOWN
    @pytest.mark.asyncio
    async def test_httpx_async(fastapi_app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(fastapi_app), base_url="http://app") as client:
            assert [(await client.get(f"/documents/{name}")).status_code for name in "abc"] == [503] * 3
"""


def test_requests_to_the_app_under_test_are_no_clients(report):
    """The app answers 503 as its storage fails: no client of the test need retry."""
    result, found = report(APPS)
    result.assert_outcomes(passed=5)
    assert (found["calls"], found["attempts"], found["left_out"]) == (15, 30, {"app under test": 15})
    assert verdicts(found)["retries", "503 SlowDown"] == "PASS"
    assert found["result"] != "fail"


SERVER = """
    import faultinject
    from werkzeug.serving import make_server

    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]

    server = make_server("127.0.0.1", 0, faultinject.install(app))
    print(server.port, flush=True)
    server.serve_forever()
"""
SERVED = """
    import subprocess, sys, urllib.error, urllib.request
    import pytest

    @pytest.fixture(scope="session")
    def url():
        command = [sys.executable, "served.py"]
        with subprocess.Popen(command, stdout=-1, stderr=subprocess.DEVNULL, text=True) as process:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
            process.kill()

    @pytest.mark.faultinject("cos:AccessDenied")
    @pytest.mark.parametrize("number", range(3))
    def test_forbidden(url, faults, number):
        with faults.call("get"):
            for _ in range(2):
                with pytest.raises(urllib.error.HTTPError) as error:
                    urllib.request.urlopen(f"{url}/b/k")
                error.value.close()
        assert [len(each.attempts) for each in faults.calls] == [2]
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sessions need flock")
def test_servers_in_other_processes(project, report):
    """A server's requests of a test belong to the test.

    A fixture has started the server.
    """
    project.makepyfile(served=SERVER)
    result, found = report(SERVED)
    result.assert_outcomes(passed=3)
    assert (found["calls"], found["attempts"]) == (3, 6)
    assert verdicts(found)["permanent", None] == "FAIL"


INJECTED_INTO = """
    import boto3
    from moto import mock_aws
    from faultinject.clients.botocore import inject_into

    @mock_aws
    def test_uploads():
        s3 = boto3.client("s3", region_name="us-east-1", aws_access_key_id="id", aws_secret_access_key="key")
        s3.create_bucket(Bucket="docbox")
        inject_into(s3, "s3:SlowDown,operation=PutObject,times=1,per=call")
        for n in range(3):
            s3.put_object(Bucket="docbox", Key=str(n), Body=b"meow")
"""
TRANSPORT = """
    import httpx
    from faultinject.clients.httpx import AsyncFaultTransport, FaultTransport

    def answer(request):
        return httpx.Response(200)

    def test_transport():
        with httpx.Client(transport=FaultTransport(httpx.MockTransport(answer), rules="http:503,times=1")) as client:
            assert [client.get("http://a/b").status_code for _ in range(2)] == [503, 200]

    async def asked():
        transport = AsyncFaultTransport(httpx.MockTransport(answer), rules="http:503,times=1")
        async with httpx.AsyncClient(transport=transport) as client:
            assert [(await client.get("http://a/c")).status_code for _ in range(2)] == [503, 200]

    def test_async_transport():
        import asyncio
        asyncio.run(asked())
"""


def without_words(found):
    """A report as its journal alone can say it: of an error its type."""
    for finding in found["findings"]:
        for call in finding["calls"]:
            call["error"] = call["error"] and call["error"].partition(": ")[0]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "options", "calls", "runs"),
    [
        (SOURCE, (), CALLS, 2),
        (SOURCE, ("-p", "xdist", "-n2"), CALLS, 2),
        (SERVED, (), 3, 1),
        (INJECTED_INTO, (), 3, 1),
        (TRANSPORT, (), 2, 1),
    ],
    ids=["blocks", "xdist", "other processes", "inject_into", "transports"],
)
def test_the_journal_says_the_same(project, monkeypatch, source, options, calls, runs):
    """All numbers and findings: blocks, workers, other processes, clients' own faults.

    A report is about its own run, though earlier runs stand in the same journal.
    """
    journal = project.path / "journal.jsonl"
    project.makepyfile(source, served=SERVER)
    monkeypatch.setenv("FAULTINJECT_JOURNAL", "journal.jsonl")
    for _ in range(runs):
        before = journal.stat().st_size if journal.exists() else 0
        project.runpytest_subprocess(*WITHOUT, "--faultinject-report=report.json", *options)
    journal.write_bytes(journal.read_bytes()[before:])
    monkeypatch.delenv("FAULTINJECT_JOURNAL")
    said = command("report", journal, "--finished", "--format", "json").stdout
    report = json.loads((project.path / "report.json").read_text())
    assert report["calls"] == calls
    assert without_words(json.loads(said)) == without_words(report)


def test_a_journal_that_cannot_be_read_again(usage_error, monkeypatch):
    """The report would have nothing to judge."""
    monkeypatch.setenv("FAULTINJECT_JOURNAL", "/dev/null")
    usage_error(
        SOURCE,
        "*FAULTINJECT_JOURNAL: '/dev/null' is no file that can be read",
        "--faultinject-report=report.json",
    )


@pytest.mark.slow
def test_a_journal_for_each_worker(project):
    """The report has the requests of each worker's own journal, and agrees with them."""
    named = """
    import os
    os.environ["FAULTINJECT_JOURNAL"] = f"journal-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}.jsonl"
    """
    project.makepyfile(named + SOURCE)
    project.runpytest_subprocess(*WITHOUT, "-p", "xdist", "-n2", "--faultinject-report=report.json")
    report = json.loads((project.path / "report.json").read_text())
    assert report["calls"] == CALLS
    said = command("report", *project.path.glob("journal-gw*.jsonl"), "--finished", "--format", "json").stdout
    assert without_words(json.loads(said)) == without_words(report)
