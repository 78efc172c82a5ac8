"""`pytest --pdb`: the prompt shows the requests, and has the faults of the test."""

import sys

import pytest

from .conftest import WITHOUT

SOURCE = """
    import unittest
    import faultinject
    import pytest
    from conftest import app

    def get():
        return app.test_client().get("/a").status_code
"""


AT_THE_PROMPT = """
    @pytest.mark.faultinject("http:503", times=2)
    def test_function():
        assert get() == 200

    class TestMethod(unittest.TestCase):
        def tearDown(self):
            assert get() == 200

        @pytest.mark.faultinject("http:503", times=2)
        def test_method(self):
            assert get() == 200

        @pytest.mark.faultinject("http:503")
        def test_subtest(self):
            with self.subTest():
                assert get() == 200
            assert get() == 503

    def test_next():
        assert get() == 200

    @pytest.mark.faultinject_explore("http:503")
    def test_explored():
        assert get() == 200

    def test_fired(faults):
        faults.add("http:503")
        faults.assert_all_fired()

    def test_retries(faults):
        faults.add("http:503")
        get()
        faults.assert_retries(require="all")

    def test_loop():
        for run in faultinject.explore("http:503"):
            with run:
                assert get() == 200
"""
WITHOUT_A_PROMPT = """
    @pytest.mark.faultinject("http:503", path="/never")
    def test_never():
        get()

    @pytest.mark.faultinject("http:503", path="/never")
    class TestNever(unittest.TestCase):
        def test_method(self):
            get()

    @pytest.mark.faultinject_explore("http:500")
    @pytest.mark.faultinject("http:503", path="/never")
    def test_never_explored():
        get()

    @pytest.mark.faultinject("http:503", pth="/a")
    def test_wrong_marker():
        get()
"""


@pytest.mark.live
def test_at_the_prompt(project):
    """Faults and counts go on there, also an exploration's; the next test has none of it.

    It stands in the test that asserts, not in the code of what it asserts with. The plugin's own failures open none,
    as there is nothing of the test to see.
    """
    project.makepyfile(SOURCE + AT_THE_PROMPT + WITHOUT_A_PROMPT)
    typed = 'print("statuses", [get(), get()])\ncontinue\n' * 7
    result = project.run(sys.executable, "-m", "pytest", *WITHOUT, "--pdb", stdin=typed.encode())
    assert result.stdout.str().count("entering PDB") == 7
    shown = ["*> faultinject >*", "1 of 1 requests got a fault", "1 *GET /a *503 *rule-1: http:503*"]
    ends = "*> entering PDB >*"
    result.stdout.fnmatch_lines(
        [
            *(*shown, ends, "*statuses [[]503, 200]") * 2,
            *(*shown, ends, "*statuses [[]503, 503]"),
            *("rule-1: http:503,*times=1", "*statuses [[]200, 200]"),
            *("-> faults.assert_all_fired()", "-> faults.assert_retries(*"),
            "-> for run in faultinject.explore(*",
        ]
    )
    result.assert_outcomes(passed=2, failed=10, errors=1)


DEBUGGER = """
    from conftest import app

    class Asking:
        quitting = False

        def __init__(self, **_):
            pass

        def reset(self):
            pass

        def interaction(self, frame, trace):
            print("statuses", [app.test_client().get("/a").status_code for _ in range(2)])
"""


def test_another_debugger(run, project):
    """A debugger of `--pdbcls` works behind the block and in it.

    pytest keeps it by its name as long as this process runs.
    """
    project.makepyfile(asking_debugger=DEBUGGER)
    result = run(
        SOURCE
        + """
    class TestMethod(unittest.TestCase):
        @pytest.mark.faultinject("http:503", times=2)
        def test_method(self):
            with self.subTest():
                assert get() == 200

        @pytest.mark.faultinject("http:503", times=2)
        def test_behind(self):
            assert get() == 200

        def test_next(self):
            assert get() == 200
        """,
        "--pdb",
        "--pdbcls=asking_debugger:Asking",
        "-s",
    )
    assert result.stdout.str().count("statuses [503, 200]") == 2
    result.stdout.fnmatch_lines(["*2 failed*"])
