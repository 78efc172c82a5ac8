"""The marker on a test of Hypothesis: each example has the faults from zero."""

import pytest

IMPORTS = """
    import unittest
    import faultinject
    import pytest
    from hypothesis import HealthCheck, assume, example, given, seed, settings
    from hypothesis import strategies as st
    from conftest import app

    settings.register_profile("few", max_examples=5, database=None, deadline=None, derandomize=True)
    settings.load_profile("few")

    def get(path="/a"):
        return app.test_client().get(path).status_code
"""


def test_each_example_has_its_own_counts(passes):
    """Each example counts for itself, in functions, methods, parameters, unittest and blocks.

    Examples that are given or assumed away are no others.
    """
    passes(
        IMPORTS
        + """
    once = pytest.mark.faultinject("http:503", times=1)

    @once
    @example(n=1)
    @given(n=st.integers())
    def test_function(n):
        assert [get(), get()] == [503, 200]

    @once
    @seed(1)
    @settings(derandomize=False)
    @given(n=st.integers())
    def test_assumed(n):
        first = get()
        assume(n % 2)
        assert [first, get()] == [503, 200]

    @pytest.mark.parametrize("m", [1, 2])
    @once
    @given(n=st.integers())
    def test_parameter(m, n):
        assert [get(), get()] == [503, 200]

    class TestOf:
        @once
        @given(n=st.integers())
        def test_method(self, n):
            assert [get(), get()] == [503, 200]

    class TestCase(unittest.TestCase):
        def setUp(self):
            self.assertEqual(get(), 200)

        tearDown = setUp

        @once
        @given(n=st.integers())
        def test_method(self, n):
            self.assertEqual([get(), get()], [503, 200])

    @given(n=st.integers())
    def test_not_marked(n):
        assert get() == 200

    # A block around each example: above `@given`, below it, and on a class.

    @faultinject.inject("http:503", times=1)
    @given(n=st.integers())
    def test_above(n):
        assert [get(), get()] == [503, 200]

    @given(n=st.integers())
    @faultinject.inject("http:503", times=1)
    def test_below(n):
        assert [get(), get()] == [503, 200]

    @faultinject.inject("http:503", times=1)
    class TestDecorated:
        @given(n=st.integers())
        def test_method(self, n):
            assert [get(), get()] == [503, 200]
        """,
        10,
    )


def test_a_failure_is_that_of_an_example_and_unmatched_rules_those_of_all(shows):
    """A failing example fails again, so nothing is called flaky; it shows its own requests.

    One example that matches a rule is enough; the nearest request is a late one. It is one of the last example with
    requests.
    """
    result = shows(
        IMPORTS
        + """
    @pytest.mark.faultinject("http:503", times=1)
    @given(n=st.integers(0, 9))
    def test_red(n):
        assert get() == 200

    @pytest.mark.faultinject("http:503", path="/b")
    @example(n=1)
    @example(n=2)
    @given(n=st.just(2))
    def test_met_once(n):
        get("/b" if n == 1 else "/a")

    @pytest.mark.faultinject("http:503", path="/never")
    @example(n=1)
    @given(n=st.just(2))
    def test_never_met(n):
        if n == 1:
            get("/b")
        """,
        [
            *("*_ test_red _*", "E*assert 503 == 200", "*n=0,*"),
            *("1 of 1 requests got a fault", "1 *GET /a *503 *rule-1: http:503"),
            *("*_ test_never_met _*", "    nearest: GET /b (path=/never did not hold)"),
        ],
        passed=1,
        failed=2,
    )
    result.stdout.no_fnmatch_line("*Flaky*")


def test_the_fixture(shows):
    """Hypothesis refuses it until it is told that it is well; then it is of each example."""
    shows(
        IMPORTS
        + """
    @pytest.mark.faultinject("http:503", times=1)
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(n=st.integers())
    def test_suppressed(faults, n):
        assert [get(), get()] == [503, 200]
        faults.add("http:500")
        assert (get(), faults.injected, faults.attempts) == (500, 2, 3)

    @given(n=st.integers())
    def test_refused(faults, n):
        faults.add("http:500")
        """,
        ["*FailedHealthCheck: *test_refused*function-scoped fixture 'faults'*"],
        "-p",
        "hypothesispytest",
        passed=1,
        failed=1,
    )


@pytest.mark.parametrize("plugin", ["asyncio", "anyio"])
def test_coroutines(passes, plugin):
    """Each example of a coroutine, too."""
    passes(
        IMPORTS
        + f"""
    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    @pytest.mark.{plugin}
    @pytest.mark.parametrize("m", [1, 2])
    @pytest.mark.faultinject("http:503", times=1)
    @given(n=st.integers())
    async def test_one(m, n):
        assert [get(), get()] == [503, 200]

    @pytest.mark.{plugin}
    @given(n=st.integers())
    async def test_not_marked(n):
        assert get() == 200
        """,
        3,
    )


def test_what_is_not_supported_says_what_to_do(shows):
    """State machines and explorations are refused with advice; unmarked machines are untouched.

    Nobody can reach an example of a state machine.
    """
    result = shows(
        IMPORTS
        + """
    from hypothesis.stateful import RuleBasedStateMachine, rule

    class Machine(RuleBasedStateMachine):
        @rule()
        def go(self):
            get()

    @pytest.mark.faultinject("http:503")
    class TestMarked(Machine.TestCase):
        pass

    class TestWithFixture(Machine.TestCase):
        @pytest.fixture(autouse=True)
        def take(self, faults):
            pass

    class Blocks(Machine):
        def __init__(self):
            super().__init__()
            self.block = faultinject.inject("http:503", times=1)
            self.block.__enter__()
            assert [get(), get()] == [503, 200]

        def teardown(self):
            self.block.__exit__(None, None, None)

    TestBlocks = Blocks.TestCase

    @pytest.mark.faultinject_explore("http:503")
    @given(n=st.integers())
    def test_explored(n):
        get()

    @given(n=st.integers())
    def test_loop(n):
        for run in faultinject.explore("http:503"):
            with run:
                get()
        """,
        passed=3,
        failed=2,
    )
    result.stdout.fnmatch_lines_random(
        [
            "faultinject: a marker on a state machine of Hypothesis is not supported: *__init__*teardown()*",
            "faultinject_explore: a test with @given draws other examples in each run*explore(...)*",
        ]
    )
