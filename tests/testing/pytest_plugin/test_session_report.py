"""`--faultinject-report`: what the clients of all tests did, on one page."""

from __future__ import annotations

import json
import sys
import tempfile

import pytest

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
    """Markers, the fixture, `inject()` and explorations: each test's calls are its own, and over when it is."""
    result, found = report(SOURCE)
    result.assert_outcomes(passed=9)
    assert (found["calls"], found["attempts"], found["left_out"], found["skipped"]) == (
        CALLS,
        ATTEMPTS,
        {},
        {},
    )
    assert found["signal"] == {"told": 8, "fingerprint": CALLS - 8}
    said = verdicts(found)
    assert (said["permanent", None], said["retries", "503 SlowDown"]) == ("FAIL", "PASS")
    [permanent] = [each for each in found["findings"] if each["check"] == "permanent"]
    assert permanent["n"] == 4
    result.stdout.fnmatch_lines(
        [
            "*= faultinject: report =*",
            "report.json: FAIL: permanent: 4 of 4 calls retried after 403 AccessDenied*",
        ]
    )


@pytest.mark.parametrize("option", [(), ("--faultinject-report-fail",)])
def test_a_report_that_fails_the_run(run, option):
    """Only where that is asked for: tests that pass end with 1 where a check says FAIL, and that is said."""
    result = run(SOURCE, "--faultinject-report=report.json", *option)
    result.assert_outcomes(passed=9)
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if option else pytest.ExitCode.OK)
    said = "report.json: FAIL: permanent: *; so the run fails (--faultinject-report-fail)"
    (result.stdout.fnmatch_lines if option else result.stdout.no_fnmatch_line)(said)


def test_a_report_without_a_failure_fails_nothing(run):
    """Nor does one that could not judge anything."""
    options = ("--faultinject-report=report.json", "--faultinject-report-fail")
    for selected in ("slow_down", "test_forbidden and 0"):
        assert run(SOURCE, *options, "-k", selected).ret == 0


@pytest.mark.slow
def test_a_run_that_fails_by_itself_keeps_its_status(run):
    """One status for both."""
    options = ("--faultinject-report=report.json", "--faultinject-report-fail")
    assert run(SOURCE + "\n    def test_wrong(): assert 0", *options).ret == pytest.ExitCode.TESTS_FAILED


def test_a_report_that_is_to_fail_the_run_must_be_asked_for(run):
    """Else nothing would be judged, and the run be green."""
    result = run(SOURCE, "--faultinject-report-fail")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*--faultinject-report-fail: there is no report; add --faultinject-report=FILE"]
    )


def test_nothing_to_judge(run, project):
    """A report that says nothing does not look like a good one."""
    result = run(SOURCE, "--faultinject-report=report.html", "-k", "test_forbidden and 0")
    result.stdout.fnmatch_lines(
        [
            "report.html: Nothing could be judged: 1 call met a fault or retried, not enough data for any check.*"
        ]
    )


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
        "-p", "xdist", "-n2", "--faultinject-report=report.json", "--faultinject-report-fail"
    )
    result.assert_outcomes(passed=9)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    found = json.loads((project.path / "report.json").read_text())
    assert (found["calls"], found["attempts"]) == (CALLS, ATTEMPTS)
    assert verdicts(found)["permanent", None] == "FAIL"
    result.stdout.fnmatch_lines(
        ["report.json: FAIL: permanent: 4 of 4 calls retried after 403 AccessDenied*"]
    )


def test_failed_tests_count(report):
    """What a client did in a test that failed belongs to it most of all; the exit code stays that of the tests."""
    result, found = report(SOURCE.replace("with pytest.raises(OSError):\n            with", "if True:\n            with"))  # fmt: skip
    result.assert_outcomes(passed=5, failed=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert verdicts(found)["permanent", None] == "FAIL"


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--faultinject-off", "-k", "slow_down"), ("--collect-only",)])
def test_nothing_to_report(run, project, options):
    """Where no test had faults no report is written, and that is said."""
    source = SOURCE if options else "def test_one(): pass"
    result = run(source, "--faultinject-report=report.html", *options)
    assert not (project.path / "report.html").exists()
    if "--collect-only" not in options:
        result.stdout.fnmatch_lines(["report.html is not written: no test with faults made a request"])
    assert result.ret == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere/report.html", "*--faultinject-report: there is no folder *nowhere*"),
        ("report.pdf", "*--faultinject-report: report.pdf is not one of FILE.txt, FILE.html, *"),
        (".", "*--faultinject-report: '.' is a folder; name a file, such as report.html"),
    ],
)
def test_a_place_that_cannot_be(run, name, message):
    """That is said before the first test runs."""
    result = run(SOURCE, f"--faultinject-report={name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_without_jinja2(run, monkeypatch):
    """HTML is an extra; the message has the command that installs it, and what goes without."""
    monkeypatch.setattr("faultinject.testing.pytest_plugin.reported.find_spec", lambda name: None)
    result = run(SOURCE, "--faultinject-report=report.html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*pip install *[[]report[]]*; or name a file .txt or .json"])


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


@pytest.mark.parametrize("name", ["report.json", "report.txt", "report.html"])
def test_texts_that_have_no_utf8(run, project, name):
    """A name of a file that is no UTF-8, in an error's text or in a call's name, makes no test fail."""
    source = """
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
    result = run(source, f"--faultinject-report={name}")
    result.assert_outcomes(passed=4)
    assert result.ret == 0
    written = (project.path / name).read_text("utf-8")
    assert "permanent" in written
    assert r"upload cat-\udcff.jpg" in written
    assert r"cannot upload cat-\udcff.jpg" in written


@pytest.mark.slow
def test_more_requests_than_are_kept(report):
    """What the journal of a test no longer holds is counted and said."""
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
    assert (found["attempts"], found["skipped"]) == (10_000, {"no longer in memory": 2})


def test_nothing_is_left_behind(report, monkeypatch, tmp_path):
    """What was collected is gone when the session is over."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    report(SOURCE, "-k", "slow_down")
    assert [each.name for each in tmp_path.iterdir() if "report" in each.name] == []


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
    """What a server that a fixture has started saw of a test is the test's."""
    project.makepyfile(served=SERVER)
    result, found = report(SERVED)
    result.assert_outcomes(passed=3)
    assert (found["calls"], found["attempts"]) == (3, 6)
    assert verdicts(found)["permanent", None] == "FAIL"
