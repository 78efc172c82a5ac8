"""The markers under pytest-django, which calls the tests of Django's cases its own way."""

import sys
from textwrap import dedent

import pytest

from .conftest import WITHOUT

pytestmark = pytest.mark.live  # Django's settings hold for a whole process, so each run has one of its own

SETTINGS = """
    SECRET_KEY = "not secret"
    ALLOWED_HOSTS = ["*"]
    ROOT_URLCONF = "urls"
    STATIC_URL = "/static/"
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
"""
URLS = """
    from django.http import HttpResponse
    from django.urls import path

    urlpatterns = [path("photos/<name>", lambda request, name: HttpResponse(name))]
"""
IMPORTS = """
    import unittest
    import pytest
    from django.test import Client, LiveServerTestCase, SimpleTestCase, TestCase, TransactionTestCase
    from urllib.error import HTTPError
    from urllib.request import urlopen
"""


@pytest.fixture
def under_django(project):
    """Run a test file in a project of pytest-django."""

    def run(source, *args):
        project.makeini(
            "[pytest]\nDJANGO_SETTINGS_MODULE = settings\npythonpath = .\nasyncio_default_fixture_loop_scope = function"
        )
        project.makepyfile(settings=SETTINGS, urls=URLS, test_photos=dedent(IMPORTS) + dedent(source))
        given = *WITHOUT, "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "error", *args
        return project.run(sys.executable, "-m", "pytest", *given)

    return run


@pytest.mark.slow
def test_requests_to_the_app_under_test_are_no_clients(under_django):
    """The app answers 503 as its storage fails: Django's own client need not retry."""
    result = under_django(
        """
        import urls

        def read(request, name):
            for _ in range(2):
                try:
                    return urls.HttpResponse(urlopen(f"{urls.store}/photos/{name}").read())
                except HTTPError as error:
                    error.close()
            return urls.HttpResponse("storage is down", status=503)

        @pytest.mark.faultinject("s3:SlowDown", bucket="photos")
        def test_outage(faults, faultinject_store):
            urls.store = faultinject_store("s3").url.rstrip("/")
            urls.urlpatterns += [urls.path("documents/<name>", read)]
            assert [Client().get(f"/documents/{name}").status_code for name in "abc"] == [503] * 3
            assert not {each.check for each in faults.findings() if each.wrong} - {"backoff"}
        """,
        "--faultinject-report=report.txt",
        "--faultinject-report-fail",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["report.txt: *"])


def test_every_kind_of_test_gets_its_faults(under_django):
    """Methods and classes, sync or async, with or without database, get faults; fixtures none.

    Unmet rules, and the findings of an exploration, fail a test; skipped and expected failures stay.
    """
    result = under_django("""
        class Fine:
            def setUp(self):
                self.addCleanup(self.fine)
                self.fine()

            tearDown = lambda self: self.fine()

            def fine(self):
                self.assertEqual(self.client.get("/photos/seed").status_code, 200)

        class ByMethod:
            @pytest.mark.faultinject("http:503", times=1, path="/photos/")
            def test_method(self):
                self.assertEqual([self.client.get("/photos/cat").status_code for _ in range(2)], [503, 200])

            def test_not_marked(self):
                self.fine()

        @pytest.mark.faultinject("http:503", times=1, path="/photos/")
        class ByClass:
            def test_class(self):
                self.test_subtests()

            def test_subtests(self):
                for status in 503, 200:
                    with self.subTest(status=status):
                        self.assertEqual(self.client.get("/photos/cat").status_code, status)

            async def test_async(self):
                statuses = [(await self.async_client.get("/photos/cat")).status_code for _ in range(2)]
                self.assertEqual(statuses, [503, 200])

        class TestSimple(Fine, ByMethod, SimpleTestCase): pass
        class TestSimpleClass(Fine, ByClass, SimpleTestCase): pass
        class TestDatabase(Fine, ByMethod, TestCase): pass
        class TestDatabaseClass(Fine, ByClass, TestCase): pass
        class TestTransactions(Fine, ByMethod, TransactionTestCase): pass

        class TestServer(LiveServerTestCase):
            @pytest.mark.faultinject("http:503", times=1)
            def test_over_a_socket(self):
                with self.assertRaises(HTTPError):
                    urlopen(f"{self.live_server_url}/photos/cat")
                assert urlopen(f"{self.live_server_url}/photos/cat").status == 200

        @pytest.mark.faultinject("http:503", times=1)
        def test_function(client, faults):
            assert [client.get("/photos/cat").status_code for _ in range(2)] == [503, 200]
            assert faults.injected == 1

        @pytest.mark.faultinject("http:503", times=1)
        def test_live_server(live_server):
            with pytest.raises(HTTPError):
                urlopen(f"{live_server}/photos/cat")
            assert urlopen(f"{live_server}/photos/cat").status == 200

        @pytest.mark.faultinject("http:503", path="/never")
        class TestPhotos(SimpleTestCase):
            def test_unmatched(self):
                self.client.get("/photos/cat")

            def test_skips(self):
                self.skipTest("not today")

            @unittest.skip("never")
            def test_never(self):
                raise AssertionError

            @unittest.expectedFailure
            def test_fails_as_expected(self):
                self.fail()

        class TestExplored(TestCase):
            @pytest.mark.faultinject_explore("http:503")
            def test_explored(self):
                assert self.client.get("/photos/cat").status_code == 200
    """)
    result.assert_outcomes(passed=15, failed=2, skipped=2, xfailed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ TestExplored.test_explored _*",
            '  replay: @pytest.mark.faultinject("http:503,*',
            "*_ TestPhotos.test_unmatched _*",
            "    nearest: GET /photos/cat (path=/never did not hold)",
        ]
    )
