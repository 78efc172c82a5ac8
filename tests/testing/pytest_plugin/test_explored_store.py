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
        requests.put(url, timeout=10)
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
    result = explored(run, 'requests.put(films + "/cat", "meow", timeout=10)')
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
            requests.put(films + "/cat", "meow", timeout=10).raise_for_status()
"""
RAISED = 'requests.put(films + "/cat", "meow", timeout=10).raise_for_status()'
APP = """
        from werkzeug.test import Client
        from faultinject import WSGIFaultMiddleware

        def app(environ, start_response):
            stored = requests.put(films + "/cat", "meow", timeout=10).status_code == 200
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
        ('requests.put(films + "/cat", "meow", timeout=10)', ", ignore='/films/cat'"),
        ('requests.put(films + "/cat", "meow", timeout=10)', ", ignore=['object lost']"),
        ("for _ in range(2): requests.put(films + '/cat', 'meow', timeout=10)", ""),
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
                requests.put(self.url, timeout=10)

            def test_it(self):
                requests.put(self.url + "/cat", "meow", timeout=10)
        """
    ).stdout.fnmatch_lines([LOST])
