"""The marker on a function, and the fixture `faults`."""

import os

import pytest


def test_marked_functions(passes):
    """Functions, fixtures and what decorates them, each with its own faults."""
    passes(
        """
        import pytest

        # A marked test's requests get the fault `times` times, with or without the fixture; the next test gets none.

        @pytest.mark.faultinject("cos:SlowDown", times=2, path="photos/")
        def test_upload_survives_two_slowdowns(client, faults):
            assert [client.put("/photos/cat.jpg").status_code for _ in range(3)] == [503, 503, 200]
            assert client.put("/videos/cat.mp4").status_code == 200
            assert (faults.injected, faults.attempts) == (2, 4)
            assert {each.test for each in faults.outcomes} == {
                "test_marked_functions.py::test_upload_survives_two_slowdowns"
            }

        @pytest.mark.faultinject("cos:SlowDown")
        def test_without_the_fixture(client):
            answer = client.get("/a")
            assert (answer.status_code, answer.headers["x-faultinject"]) == (503, "rule-1")

        def test_not_marked(client):
            assert client.get("/a").data == b"app: a"

        # A list names the errors of `oneof`; the test sees which one came.

        @pytest.mark.faultinject("oneof", of=["cos:SlowDown", "qingstor:internal_error"], path="photos/")
        def test_one_of_several(client, faults):
            assert {client.put(f"/photos/{number}").status_code for number in range(20)} == {500, 503}
            assert {each.fault for each in faults.outcomes} == {"cos:SlowDown", "qingstor:internal_error"}

        # `faults` begins without rules; what a fixture or the test adds acts while the test runs.

        @pytest.fixture
        def slow(faults, client):
            faults.add("cos:SlowDown", times=1)
            assert client.get("/a").status_code == 200

        def test_fixture_adds(slow, client, faults):
            assert [client.get("/a").status_code for _ in range(2)] == [503, 200]
            assert faults.injected == 1

        def test_test_adds(client, faults):
            assert client.get("/a").status_code == 200
            faults.add("http:500")
            assert client.get("/a").status_code == 500
            faults.clear()
            assert client.get("/a").status_code == 200
            assert [each.did for each in faults.outcomes] == ["passed", "answered", "passed"]

        # `request.getfixturevalue("faults")` works in a fixture and in the test, though collection cannot see it.

        @pytest.fixture
        def late(request):
            request.getfixturevalue("faults").add("http:503")

        def test_asked_for_in_a_test(request, client):
            faults = request.getfixturevalue("faults")
            faults.add("http:500")
            assert (client.get("/a").status_code, faults.injected) == (500, 1)

        def test_asked_for_in_a_fixture(late, client):
            assert client.get("/a").status_code == 503

        def test_nothing_is_left(client):
            assert client.get("/a").status_code == 200

        # `pytest.param(..., marks=...)` marks one of the tests that a function makes.

        @pytest.mark.parametrize("expected", [
            200,
            pytest.param(503, marks=pytest.mark.faultinject("cos:SlowDown")),
            pytest.param(400, marks=pytest.mark.faultinject("jss:SlowDown")),
        ])
        def test_parameters(client, expected):
            assert client.get("/a").status_code == expected

        class TestFixtures:
            # Their set-up and clean-up get no faults, and are neither counted nor recorded.

            @pytest.fixture(autouse=True)
            def seeded(self, client):
                assert client.put("/photos/seed").status_code == 200
                yield
                assert client.delete("/photos/seed").status_code == 200

            @pytest.mark.faultinject("http:503", times=1)
            def test_marked(self, client, faults):
                assert [client.get("/photos/seed").status_code for _ in range(2)] == [503, 200]
                assert [each.method for each in faults.outcomes] == ["GET", "GET"]
        """,
        13,
    )


LATE = ("test_late", "test_late_beside_faults", "test_late_to_explore", "test_late_to_explore_beside_faults")


def test_markers_that_a_fixture_adds(shows):
    """A marker added by a fixture is too late, and the test says so; on its parameter it works."""
    said = "a marker faultinject or faultinject_explore was added after the markers were read*"
    shows(
        """
        import pytest

        @pytest.fixture
        def late(request):
            request.applymarker(pytest.mark.faultinject("http:503"))

        @pytest.fixture
        def explored_late(request):
            request.applymarker(pytest.mark.faultinject_explore("http:503"))

        def test_late(client, late):
            client.get("/a")

        def test_late_beside_faults(client, late, faults):
            client.get("/a")

        def test_late_to_explore(client, explored_late):
            client.get("/a")

        def test_late_to_explore_beside_faults(client, explored_late, faults):
            client.get("/a")

        @pytest.fixture(params=[pytest.param(1, marks=pytest.mark.faultinject("http:503"))])
        def in_time(request):
            pass

        def test_in_time(client, in_time):
            assert client.get("/a").status_code == 503
        """,
        [f"*::{name}: {said}" for name in LATE],
        errors=4,
        passed=1,
    )


HOOK = """
    import pytest

    @pytest.hookimpl(KIND)
    def pytest_runtest_setup(item):
        if item.name == "test_hooked":
            item.add_marker(pytest.mark.faultinject("http:503"))
        BODY
"""
HOOKED = """
    import pytest

    def test_hooked(client):
        assert client.get("/a").status_code == STATUS

    @pytest.mark.faultinject("http:503")
    def test_other(client):
        assert client.get("/a").status_code == 503
"""


@pytest.mark.parametrize(
    ("kind", "body"),
    [("tryfirst=True", ""), ("wrapper=True", "return (yield)"), ("hookwrapper=True", "yield")],
)
def test_marker_that_a_hook_adds_in_front_of_the_set_up(project, passes, kind, body):
    """It is there when markers are read, and holds."""
    project.makepyfile(hook=HOOK.replace("KIND", kind).replace("BODY", body))
    passes(HOOKED.replace("STATUS", "503"), 2, "-p", "hook")


def test_marker_that_a_hook_adds_where_no_other_test_is_marked(project, shows):
    """Nobody reads markers there: the test says so."""
    project.makepyfile(hook=HOOK.replace("KIND", "tryfirst=True").replace("BODY", ""))
    source = HOOKED.replace("STATUS", "200").replace(
        '@pytest.mark.faultinject("http:503")', "@pytest.mark.skip"
    )
    shows(
        source,
        ["*::test_hooked: a marker * or add it in pytest_collection_modifyitems"],
        "-p",
        "hook",
        errors=1,
        skipped=1,
    )


@pytest.mark.parametrize(("variable", "options"), [("1", ["--faultinject-off"]), ("0", [])])
def test_late_marker_with_faults_off(passes, monkeypatch, variable, options):
    """Nothing fails."""
    monkeypatch.setenv("FAULTINJECT_ENABLED", variable)
    passes(
        """
        import pytest

        @pytest.fixture
        def late(request):
            request.applymarker(pytest.mark.faultinject("http:503"))

        def test_late(client, late):
            assert client.get("/a").status_code == 200
        """,
        1,
        *options,
    )


def test_error_inside_faultinject_fails_the_test(shows):
    """An error of ours, elsewhere only logged, fails a test with its cause."""
    shows(
        """
        import pytest
        from faultinject.engine.plan import CompiledRule

        @pytest.mark.faultinject("http:503")
        def test_marked(client, monkeypatch):
            monkeypatch.delattr(CompiledRule, "__init__")
            assert client.get("/a").status_code == 200
        """,
        [
            "*TypeError: CompiledRule() takes no arguments*",
            "*InjectionFailedError: an error inside faultinject let requests pass",
            "error inside faultinject: TypeError(*",
        ],
    )


def test_nothing_is_left_in_the_environment(shows, monkeypatch):
    """Afterwards; while a session lasts, it tells other processes of itself."""
    before = dict(os.environ)
    shows(
        """
        import os
        import pytest

        before = dict(os.environ)

        @pytest.mark.faultinject("http:503")
        def test_marked(client):
            client.get("/a")
            now = dict(os.environ)
            changed = {name for name in now.keys() | before.keys() if now.get(name) != before.get(name)}
            assert changed == {"FAULTINJECT_SESSION", "PYTHONPATH", "PYTEST_CURRENT_TEST"}
    """,
        passed=1,
    )
    before.pop("PYTEST_CURRENT_TEST")
    assert {name: os.environ[name] for name in os.environ if name != "PYTEST_CURRENT_TEST"} == before


def test_inject_as_a_decorator(passes):
    """It decorates tests with fixtures and parameters, coroutines, classes, yielding fixtures."""
    passes(
        """
        import unittest
        import pytest
        from conftest import app
        from faultinject import inject

        def ask():
            return [app.test_client().get("/a").status_code for _ in range(2)]

        @pytest.mark.parametrize("number", [1, 2])
        @inject("cos:SlowDown", times=1)
        def test_function(client, number):
            assert [client.get("/a").status_code for _ in range(2)] == [503, 200]

        @pytest.mark.asyncio
        @inject("cos:SlowDown", times=1)
        async def test_coroutine():
            assert ask() == [503, 200]

        @inject("cos:SlowDown", times=1)
        class TestClass:
            def test_method(self, client):
                assert client.get("/a").status_code == 503

        @inject("cos:SlowDown", times=1)
        class Case(unittest.IsolatedAsyncioTestCase):
            def test_method(self):
                self.assertEqual(ask(), [503, 200])

            async def test_coroutine(self):
                self.assertEqual(ask(), [503, 200])

        @pytest.fixture
        @inject("cos:SlowDown", times=1)
        def slow():
            yield ask()

        def test_fixture(slow):
            assert slow == [503, 200]
        """,
        7,
    )
