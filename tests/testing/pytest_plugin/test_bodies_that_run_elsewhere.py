"""A marked test whose body runs without its faults would prove nothing, so it fails."""

import pytest

RED = """
    import unittest
    import pytest
    from conftest import app

    def get():
        return app.test_client().get("/a").status_code

    @pytest.mark.faultinject("http:503")
    def test_function():
        assert get() == 503

    @pytest.mark.faultinject("http:503")
    class TestMethod(unittest.TestCase):
        def test_method(self):
            assert get() == 503

    def test_not_marked():
        assert get() == 200
"""
CALLED = {
    "the runtest of each item": """
        def pytest_collection_modifyitems(items):
            for item in items:
                test = getattr(item.instance, "run", None)
                if test is None:
                    item.runtest = lambda item=item: item.obj()
                else:
                    item.runtest = lambda item=item, test=test: test(item)
    """,
    "the runtest of unittest": """
        import pytest
        from _pytest.unittest import TestCaseFunction

        @pytest.fixture(autouse=True)
        def called_plainly(monkeypatch):
            monkeypatch.setattr(TestCaseFunction, "runtest", lambda item: item.instance(result=item))
    """,
    "the function of each item": """
        import functools

        def pytest_collection_modifyitems(items):
            for item in items:
                body = item.obj
                item.obj = functools.wraps(body)(lambda body=body: body())
    """,
    "pytest_pyfunc_call": """
        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(pyfuncitem):
            pyfuncitem.obj()
            return True
    """,
}


@pytest.mark.parametrize("replaced", CALLED)
def test_a_plugin_that_calls_tests_in_a_way_of_its_own(project, passes, replaced):
    """The faults are in force all the same."""
    project.makepyfile(own_way=CALLED[replaced])
    passes(RED, 3, "-p", "own_way")


PROTOCOL = """
    import pytest
    from _pytest.runner import call_and_report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(item, nextitem):
        call_and_report(item, "setup")
        call = pytest.CallInfo.from_call(item.runtest, "call")
        item.ihook.pytest_runtest_logreport(report=item.ihook.pytest_runtest_makereport(item=item, call=call))
        call_and_report(item, "teardown", nextitem=nextitem)
        return True
"""


def test_a_plugin_that_goes_round_the_call_phase(project, shows):
    """Nothing could be put around such a test, and it says so."""
    project.makepyfile(own_way=PROTOCOL)
    shows(
        RED.replace("== 503", "== 200"),
        [
            "*_ test_function _*",
            "faultinject: the test passed, but its faults were never in force: *inject(...)`*",
            "*- faultinject -*",
            "no request was seen",
            "*_ TestMethod.test_method _*",
            "faultinject: the test passed, but its faults were never in force: *",
        ],
        "-p",
        "own_way",
        failed=2,
        passed=1,
    )


def test_a_class_that_does_not_call_its_method(shows):
    """It fails also with a rule that need not be met, or an exploration without requests."""
    result = shows(
        """
        import unittest
        import pytest
        from conftest import app

        class OwnRun(unittest.TestCase):
            def run(self, result=None):
                result.startTest(self)
                type(self).__dict__["test_own"](self)
                result.stopTest(self)

        class TestMarked(OwnRun):
            @pytest.mark.faultinject("http:503", begin="1h")
            def test_own(self):
                app.test_client().get("/a")

        class TestExplored(OwnRun):
            @pytest.mark.faultinject_explore("http:503")
            def test_own(self):
                app.test_client().get("/a")

        class TestFixture(OwnRun):
            @pytest.fixture(autouse=True)
            def take(self, faults):
                faults.add("http:503")

            def test_own(self):
                app.test_client().get("/a")

        @pytest.mark.faultinject("http:503")
        class TestSkipsInSetUp(unittest.TestCase):
            def setUp(self):
                self.skipTest("not today")

            def test_never(self):
                raise AssertionError

        @pytest.mark.faultinject("http:503")
        class TestFailsInSetUp(unittest.TestCase):
            def setUp(self):
                self.fail("in setUp")

            def test_never(self):
                pass
    """,
        failed=4,
        skipped=1,
    )
    result.stdout.fnmatch_lines_random(
        [
            "FAILED *::TestMarked::test_own - Failed: faultinject: the test*",
            "FAILED *::TestExplored::test_own - Failed: faultinject: the test*",
            "FAILED *::TestFixture::test_own - Failed: faultinject: the test*",
            "FAILED *::TestFailsInSetUp::test_never - AssertionError: in setUp",
        ]
    )
