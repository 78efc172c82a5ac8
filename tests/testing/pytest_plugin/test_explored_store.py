"""`faultinject_explore` with `faultinject_store`: what the store holds at the end of a run is compared with the runs without faults."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.live

TEST = """
    import pytest
    import requests

    @pytest.fixture
    def films(faultinject_store):
        url = faultinject_store("s3").url + "/films"
        requests.put(url, timeout=60)
        return url

    MARK
    def test_it(films, faults):
        BODY
"""
LOST = "object lost: /films/cat is not there; without faults it has 4 bytes"


def explored(run, body, mark="@pytest.mark.faultinject_explore('s3:SlowDown')"):
    """Run a test of its own."""
    return run(TEST.replace("MARK", mark).replace("BODY", body))


def test_a_write_that_nobody_repeats(run):
    """The test asserts nothing; the store is a judge of its own."""
    result = explored(run, 'requests.put(films + "/cat", "meow", timeout=60)')
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "1 request without faults, 1 fault; 1 run in *, 1 failed, 0 gave up cleanly, 0 not reached, 0 pruned",
            LOST,
            "  when request 1 (PutObject /films/cat) gets: s3:SlowDown",
        ]
    )


SUPPRESSED = """
        import contextlib
        with contextlib.suppress(requests.HTTPError), faults.call("put"):
            requests.put(films + "/cat", "meow", timeout=60).raise_for_status()
"""
RAISED = 'requests.put(films + "/cat", "meow", timeout=60).raise_for_status()'
APP = """
        from werkzeug.test import Client
        from faultinject import WSGIFaultMiddleware

        def app(environ, start_response):
            stored = requests.put(films + "/cat", "meow", timeout=60).status_code == 200
            start_response("200 OK" if stored else "503 Not Stored", [])
            return [b""]

        Client(WSGIFaultMiddleware(app, [])).post("/cats")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "more"),
    [
        (SUPPRESSED, ""),
        (RAISED, ", allow=requests.HTTPError"),
        (APP, ""),
        ('requests.put(films + "/cat", "meow", timeout=60)', ", ignore='/films/cat'"),
        ('requests.put(films + "/cat", "meow", timeout=60)', ", ignore=['object lost']"),
        ("for _ in range(2): requests.put(films + '/cat', 'meow', timeout=60)", ""),
    ],
    ids=["named call", "allowed", "the app's own answer", "an object", "a check", "tried again"],
)
def test_who_is_told(run, body, more):
    """An error that somebody is told is none that is hidden; what is ignored is not compared."""
    mark = f"@pytest.mark.faultinject_explore('s3:SlowDown,bucket=films'{more})"
    explored(run, body, mark).assert_outcomes(passed=1)


@pytest.mark.slow
def test_a_unittest(run):
    """Its fixtures are others, and its method alone is judged."""
    run(
        """
        import unittest
        import pytest
        import requests

        @pytest.mark.usefixtures("faultinject_store")
        @pytest.mark.faultinject_explore("s3:SlowDown,bucket=films")
        class TestIt(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def films(self, faultinject_store):
                self.url = faultinject_store("s3").url + "/films"
                requests.put(self.url, timeout=60)

            def test_it(self):
                requests.put(self.url + "/cat", "meow", timeout=60)
        """
    ).stdout.fnmatch_lines([LOST])


COPY = """
        import contextlib
        with faults.pause():
            requests.put(films + "/cat", "a film of a cat", timeout=60)
        for _ in range(3):
            with contextlib.suppress(requests.RequestException):
                first = requests.get(films + "/cat", headers={"Range": "bytes=0-4"}, timeout=60)
                rest = requests.get(films + "/cat", headers={"Range": "bytes=5-"}, timeout=60)
                if {first.status_code, rest.status_code} == {206} and COMPARED:
                    break
        COPIED
"""
COPIES = """
        requests.put(films + "/copy", first.content + rest.content, timeout=60)
"""
ETAGS = 'first.headers["ETag"] == rest.headers["ETag"]'
MIXED = "mixed versions: requests 1 and 2 read two versions of /films/cat, which the code took for one object"
MOVED = "@pytest.mark.faultinject_explore('s3,method=GET', without=['s3:ExpiredToken', 'hang'])"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mark", "compared", "copied", "line"),
    [
        (MOVED, ETAGS, COPIES, None),
        (MOVED, "True", COPIES, MIXED),
        (
            MOVED,
            ETAGS,
            f"if first.content != b'a fil': return{COPIES}",
            LOST.replace("cat", "copy")[:40] + "*",
        ),
    ],
    ids=["of one version", "of two versions", "not copied"],
)
def test_an_object_that_another_writer_replaced(run, mark, compared, copied, line):
    """It is another one in the store, and so is what is made of it; what is not there at all is lost all the same."""
    body = COPY.replace("COMPARED", compared).replace("COPIED", copied)
    result = explored(run, body, mark)
    result.assert_outcomes(passed=line is None, failed=line is not None)
    if line is not None:
        result.stdout.fnmatch_lines([line])


ROW = """
        import uuid
        requests.put(f"{films}/{NAME}", "day 7", timeout=60).raise_for_status()
"""
TWICE = (
    "lost answer: wrote twice: request 1 (PUT) was carried out and its answer lost; the job failed and was run again:"
    " there are 2 objects /films/*, without faults 1"
)
AGAIN = "@pytest.mark.faultinject_explore('reset,when=after', 's3:SlowDown,bucket=films', again=True)"


@pytest.mark.slow
def test_a_job_that_is_run_again(run):
    """Its name says whether it is the same row; without `again` it has told an error, and nothing is compared."""
    result = explored(run, ROW.replace("NAME", "uuid.uuid4()"), AGAIN)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "1 request without faults, 2 faults; 2 runs in *, 1 failed, 1 gave up cleanly, 0 not reached, 0 pruned",
            TWICE,
            "    1 PutObject  PUT /films/*  <- reset after the store had done it",
            "    failed, and run again:",
            "    1 PutObject  200 PUT /films/*",
        ]
    )
    right = explored(run, ROW.replace("NAME", "'day-7'"), AGAIN)
    right.assert_outcomes(passed=1)
    right.stdout.fnmatch_lines(["*2 runs in *, 0 failed, 2 gave up cleanly, *"])
    explored(run, ROW.replace("NAME", "uuid.uuid4()"), AGAIN.replace("True", "False")).assert_outcomes(
        failed=1
    )


@pytest.mark.slow
@pytest.mark.parametrize("again", ["raise OSError('again')", "assert False, 'twice'"])
def test_a_second_run_that_fails(run, again):
    """It fails the run, whatever it raises; so does an assertion of the first one, which is no error that a job tells."""
    body = f"""
        answer = requests.put(films + "/cat", "meow", timeout=60).status_code
        with faults.pause():
            seen = requests.put(films + "/seen", "x", headers={{"If-None-Match": "*"}}, timeout=60).status_code == 412
        if seen:
            {again}
        if answer != 200:
            raise OSError(answer)
    """
    mark = "@pytest.mark.faultinject_explore('s3:SlowDown,bucket=films', again=True, ignore='/films/seen')"
    result = explored(run, body, mark)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*1 run in *, 1 failed, *", "    failed, and run again:"])
    result = explored(run, body.replace("raise OSError(answer)", "assert False"), mark)
    assert "run again" not in result.stdout.str()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("again=1", "again is True or False, not 1"),
        (
            "again=True, crash=True",
            "again is for faults alone: a program that was killed is run again anyway",
        ),
    ],
)
def test_where_nothing_is_run_again(run, more, says):
    """It is a switch, and not for programs that are killed."""
    explored(run, "pass", f"@pytest.mark.faultinject_explore('s3', {more})").stdout.fnmatch_lines(
        [f"*{says}*"]
    )
