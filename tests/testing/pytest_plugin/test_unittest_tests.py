"""The marker on unittest's test cases, whose call phase holds setUp and tearDown as well."""


def test_marked_method(shows):
    """Faults act in the method alone: setUp, tearDown and clean-ups are left alone.

    An IsolatedAsyncioTestCase's method gets faults, its asyncSetUp none; rules must be met.
    """
    shows(
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

        class Awaiting(unittest.IsolatedAsyncioTestCase):
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
        ["*Awaiting.test_unmatched*", "    nearest: GET /a (method=PUT did not hold)"],
        passed=5,
        failed=1,
    )


def test_failing_method_shows_the_record_and_its_own_lines(shows):
    """A failed method shows what was injected, and no line of ours in its traceback.

    Unmatched rules fail one that passed; skipped methods and expected failures are left as they are.
    """
    result = shows(
        """
        import unittest
        import pytest
        from conftest import app

        class Uploads(unittest.TestCase):
            @pytest.mark.faultinject("http:503")
            def test_marked(self):
                self.assertEqual(app.test_client().get("/a").status_code, 200)

        @pytest.mark.faultinject("http:503")
        class Unmatched(unittest.TestCase):
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
        [
            *("E*AssertionError: 503 != 200", "*- faultinject -*", "1*GET /a*503*rule-1: http:503"),
            "FAILED *::test_passes*",
        ],
        failed=2,
        skipped=2,
        xfailed=1,
    )
    result.stdout.no_fnmatch_line("*marked.py*")
