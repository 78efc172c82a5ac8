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


@pytest.fixture
def debug(project):
    """Run a test file under the debugger, which asks for two more requests at each prompt."""

    def debug(source, prompts):
        project.makepyfile(SOURCE + source)
        typed = 'print("statuses", [get(), get()])\ncontinue\n' * prompts
        result = project.run(sys.executable, "-m", "pytest", *WITHOUT, "--pdb", stdin=typed.encode())
        assert result.stdout.str().count("entering PDB") == prompts
        return result

    return debug


@pytest.mark.live
def test_faults_and_requests_at_the_prompt(debug):
    """Counts go on there; the test that comes next has none of it."""
    result = debug(
        """
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
        """,
        3,
    )
    shown = [
        "*> faultinject >*",
        "1 of 1 requests got a fault",
        "1 *GET /a *503 *rule-1: http:503*",
        "*> entering PDB >*",
    ]
    result.stdout.fnmatch_lines(
        [
            *shown,
            "*statuses [[]503, 200]",
            *shown,
            "*statuses [[]503, 200]",
            *shown,
            "*statuses [[]503, 503]",
            "*3 failed*",
        ]
    )


@pytest.mark.live
def test_at_the_prompt_of_an_exploration(debug):
    """The run that failed, with its one fault given."""
    result = debug(
        """
    @pytest.mark.faultinject_explore("http:503")
    def test_explored():
        assert get() == 200
        """,
        1,
    )
    result.stdout.fnmatch_lines(["rule-1: http:503,*times=1", "*statuses [[]200, 200]", "*1 failed*"])


@pytest.mark.live
def test_no_prompt_within_the_plugin(debug):
    """The plugin's own failures open no prompt, as there is nothing of the test to see."""
    result = debug(
        """
    @pytest.mark.faultinject("http:503", path="/never")
    def test_function():
        get()

    @pytest.mark.faultinject("http:503", path="/never")
    class TestMethod(unittest.TestCase):
        def test_method(self):
            get()

    @pytest.mark.faultinject_explore("http:500")
    @pytest.mark.faultinject("http:503", path="/never")
    def test_explored():
        get()

    @pytest.mark.faultinject("http:503", pth="/a")
    def test_wrong_marker():
        get()
        """,
        0,
    )
    result.assert_outcomes(failed=3, errors=1)


@pytest.mark.live
def test_the_prompt_stands_in_the_test_that_asserts(debug):
    """And not in the code of what it asserts with."""
    result = debug(
        """
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
        """,
        3,
    )
    result.stdout.fnmatch_lines(
        ["-> faults.assert_all_fired()", "-> faults.assert_retries(*", "-> for run in faultinject.explore(*"]
    )


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
    project.syspathinsert()
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
