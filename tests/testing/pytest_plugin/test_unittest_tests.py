"""The marker on unittest's test cases, whose call phase holds setUp and tearDown as well."""


def test_marked_method(passes):
    """Faults act in the method alone: setUp, tearDown and clean-ups are left alone."""
    passes(
        """
        import unittest
        import pytest
        from conftest import app

        class Uploads(unittest.TestCase):
            def fine(self):
                self.assertEqual(app.test_client().put("/photos/seed").status_code, 200)

            setUp = tearDown = fine

            @pytest.mark.faultinject("cos:SlowDown", times=1)
            def test_marked(self):
                self.addCleanup(self.fine)
                client = app.test_client()
                self.assertEqual([client.get("/a").status_code for _ in range(2)], [503, 200])

            def test_not_marked(self):
                self.fine()

        # The marker on the class, and `faults` by way of an autouse fixture.

        @pytest.mark.faultinject("http:503", times=1)
        class Marked(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def take(self, faults):
                self.faults = faults

            def test_marked(self):
                client = app.test_client()
                self.assertEqual([client.get("/a").status_code for _ in range(2)], [503, 200])
                self.assertEqual((self.faults.injected, self.faults.attempts), (1, 2))
        """,
        3,
    )


def test_marked_coroutine_method(shows):
    """An IsolatedAsyncioTestCase's method gets faults, its asyncSetUp none; rules must be met."""
    shows(
        """
        import unittest
        import pytest
        from conftest import app

        class Uploads(unittest.IsolatedAsyncioTestCase):
            async def asyncSetUp(self):
                self.assertEqual(app.test_client().get("/a").status_code, 200)

            @pytest.mark.faultinject("http:503")
            async def test_marked(self):
                self.assertEqual(app.test_client().get("/a").status_code, 503)

            @pytest.mark.faultinject("http:503", method="PUT")
            async def test_unmatched(self):
                self.assertEqual(app.test_client().get("/a").status_code, 200)

            async def test_not_marked(self):
                self.assertEqual(app.test_client().get("/a").status_code, 200)
        """,
        ["*Uploads.test_unmatched*", "    nearest: GET /a (method=PUT did not hold)"],
        passed=2,
        failed=1,
    )


def test_failing_method_shows_the_record_and_its_own_lines(shows):
    """A failed method shows what was injected, and no line of ours in its traceback."""
    result = shows(
        """
        import unittest
        import pytest
        from conftest import app

        class Uploads(unittest.TestCase):
            @pytest.mark.faultinject("http:503")
            def test_marked(self):
                self.assertEqual(app.test_client().get("/a").status_code, 200)
        """,
        ["E*AssertionError: 503 != 200", "*- faultinject -*", "1*GET /a*503*rule-1: http:503"],
    )
    result.stdout.no_fnmatch_line("*marked.py*")


def test_unmatched_rule_fails_only_a_method_that_passed(shows):
    """Skipped methods and expected failures are left as they are."""
    shows(
        """
        import unittest
        import pytest

        @pytest.mark.faultinject("http:503")
        class Uploads(unittest.TestCase):
            def test_passes(self):
                pass

            def test_skips(self):
                self.skipTest("not today")

            @unittest.skip("never")
            def test_never(self):
                raise AssertionError

            @unittest.expectedFailure
            def test_fails_as_expected(self):
                self.fail()
        """,
        ["FAILED *::test_passes*"],
        failed=1,
        skipped=2,
        xfailed=1,
    )
