"""The marker `faultinject_explore` runs a test again for each request and fault."""

import re
import textwrap
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from .conftest import CONFTEST, INI, WITHOUT

UPLOAD = """
    import pytest

    def upload(client, tries=3, path="/b/k"):
        for _ in range(tries):
            try:
                if client.put(path).status_code == 200:
                    return True
            except OSError:
                continue
        return False
"""
RIGHT = (
    UPLOAD
    + """
    @pytest.mark.faultinject_explore("cos")
    def test_right(client):
        assert upload(client)
"""
)
WRONG = (
    UPLOAD
    + """
    @pytest.mark.faultinject_explore("cos")
    def test_wrong(client):
        assert upload(client, path="/b/a")
        assert upload(client, tries=1), "gave up"
"""
)
LINE = (
    "1 request without faults, 13 faults; 8 runs in * s (backoff *%), 0 failed; "
    "not judged: failed assertions (AssertionError: assert False; *)"
)
PLUGIN = "faultinject_explore"


def test_a_test_that_passes(passes):
    """One test, one result, and a line that says what was done."""
    passes(RIGHT).stdout.fnmatch_lines(["*= faultinject: explored =*", f"*::test_right: {LINE}"])


def test_a_test_that_fails(shows, project):
    """The traceback is the failing run's, with the report below; its marker repeats the failure."""
    result = shows(
        WRONG,
        [
            '>       assert upload(client, tries=1), "gave up"',
            "E       AssertionError: gave up",
            "*- faultinject: what was injected -*",
            "2 requests without faults, 13 faults; 15 runs in *, 6 failed, *",
            "AssertionError: gave up",
            "  when request 2 (PutObject /b/k) gets: reset",
            "    1 PutObject  200 PUT /b/a",
            "    2 PutObject  PUT /b/k  <- reset",
            '  replay: @pytest.mark.faultinject("reset,method=PUT,path=/b/k,times=1")',
            "  and 5 similar: *",
            "*::test_wrong: 2 requests without faults, *",
            "FAILED *::test_wrong - AssertionError: gave up*",
        ],
    )
    result.stdout.no_fnmatch_line("*seed 0/*")
    [marker] = re.findall(r"^  replay: (@.+)$", result.stdout.str(), re.MULTILINE)
    shows(
        WRONG.replace('@pytest.mark.faultinject_explore("cos")', marker),
        ["E       AssertionError: gave up", "1 of 2 requests got a fault"],
    )


def test_fixtures(run):
    """Function fixtures are new for each run, tmp_path too; wider ones stay for the next test."""
    run(
        UPLOAD
        + """
    seen, made = [], []

    @pytest.fixture(scope="module")
    def wide():
        made.append("wide")
        yield made
        made.append("gone")

    @pytest.fixture
    def narrow(wide):
        assert "gone" not in made
        made.append("narrow")
        yield
        made.append("narrow gone")

    @pytest.mark.faultinject_explore("http:500", "http:503")
    def test_explored(client, narrow, tmp_path, request):
        assert not list(tmp_path.iterdir())
        (tmp_path / "file").touch()
        seen.append(tmp_path)
        assert upload(client)

    def test_next(wide):
        assert made == ["wide", *["narrow", "narrow gone"] * 4]
        assert len(set(seen)) == 4
    """
    ).assert_outcomes(passed=2)


def test_parameters_and_classes(passes):
    """Each parameter is explored by itself; marks of classes and modules hold too."""
    passes(
        UPLOAD
        + """
    pytestmark = pytest.mark.faultinject_explore("http:500")

    class TestAll:
        @pytest.mark.parametrize("path", ["/b/k", "/b/l"])
        def test_each(self, client, path):
            assert upload(client, path=path)

        @pytest.mark.faultinject_explore("http:500", "http:503")
        def test_own(self, client):
            assert upload(client)

    class TestInstances:
        # Each run has its own instance, as each test has.

        @pytest.mark.faultinject_explore("http:503")
        def test_it(self, client):
            assert not vars(self)
            self.tries = 0
            while client.get("/a").status_code != 200:
                self.tries += 1

        @pytest.mark.asyncio
        @pytest.mark.faultinject_explore("http:503")
        async def test_that_awaits(self, client):
            self.test_it(client)
    """,
        5,
    ).stdout.fnmatch_lines(["*[[]/b/k]: *; 1 run in*", "*[[]/b/l]: *; 1 run in*", "*test_own: *; 2 runs in*"])


def test_asyncio(passes):
    """Coroutines are run again like functions, with requests at the same time."""
    passes(
        """
    import asyncio, httpx, pytest
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    async def put(request):
        return Response("ok")

    app = Starlette(routes=[Route("/b/{key}", put, methods=["PUT"])])

    async def upload(web, key):
        for _ in range(3):
            try:
                if (await web.put(f"/b/{key}")).status_code == 200:
                    return
            except httpx.TransportError:
                continue
        assert False

    @pytest.mark.asyncio
    @pytest.mark.faultinject_explore("cos")
    async def test_it():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s3") as web:
            await asyncio.gather(upload(web, "k"), upload(web, "l"))
    """
    ).stdout.fnmatch_lines(
        [
            "*::test_it: 2 requests without faults, 13 faults; 15 runs in *, 0 failed; not judged: failed assertions *"
        ]
    )


UNITTEST = """
    import unittest, pytest
    from conftest import app

    class TestIt(unittest.TestCase):
        made = []

        def setUp(self):
            self.client = app.test_client()
            self.client.get("/of/setUp")

        @pytest.mark.faultinject_explore("http:500", "http:503", shards=2)
        def test_it(self):
            statuses = [self.client.put("/b/k").status_code for _ in range(TRIES)]
            self.assertIn(200, statuses)
"""


@pytest.mark.parametrize("tries", [2, 1])
def test_unittest(shows, tries):
    """unittest's hidden results are seen; its tests are explored, and not collected twice."""
    failure = ["AssertionError: 200 not found in [[]50?]", "  when request 1 (PutObject /b/k)*"]
    summary = f"*::TestIt::test_it: {tries} request* without faults, 2 faults; {2 * tries} runs in *"
    lines = [*failure, summary] if tries == 1 else [summary]
    shows(UNITTEST.replace("TRIES", str(tries)), lines, passed=tries - 1, failed=2 - tries)


SUBTESTS = """
    import unittest
    import pytest
    from conftest import app

    @pytest.mark.faultinject_explore("http:503,path=photos/", "reset,path=photos/"MORE)
    def test_it(client, subtests):
        with subtests.test("skipped"):
            pytest.skip("not today")
        for name in ("cat", "dog"):
            with subtests.test(name=name):
                assert client.put(f"/photos/{name}").status_code == 200

    class TestOfUnittest(unittest.TestCase):
        @pytest.mark.faultinject_explore("http:503,path=photos/", "reset,path=photos/"MORE)
        def test_it(self):
            for name in ("cat", "dog"):
                with self.subTest(name=name):
                    self.assertEqual(app.test_client().put(f"/photos/{name}").status_code, 200)
"""


@pytest.mark.skipif(not hasattr(pytest, "Subtests"), reason="pytest 9 has them")
def test_subtests(shows, passes):
    """A failing part fails its run, shown with the smallest scenario; it may be allowed to."""
    result = shows(
        SUBTESTS.replace("MORE", ""),
        [
            "AssertionError: *503*200*",
            "  when request 1 (PutObject /photos/cat) gets: http:503",
            "*::test_it: 2 requests without faults, 2 faults; 4 runs in *, 4 failed",
        ],
        failed=2,
    )
    result.stdout.no_fnmatch_line("*SUBFAILED*")
    passes(SUBTESTS.replace("MORE", ", allow=Exception"), 2)


def test_subtests_that_fail_without_faults(shows):
    """They are reported as without the plugin."""
    shows(
        """
        import pytest

        @pytest.mark.faultinject_explore("http:503")
        def test_it(client, subtests):
            for path in ("/a", "/b"):
                with subtests.test(path=path):
                    assert client.get(path).text == "app: a"
        """,
        ["SUBFAILED(path='/b')*", "FAILED*contains 1 failed subtest"],
        failed=2,
    )


REPLACES = """
    import functools
    import pytest

    calls = []

    def pytest_collection_modifyitems(items):
        for item in items:
            if item.name == "test_it":
                item.obj = counted(item.obj)

    def counted(function):
        @functools.wraps(function)
        def counts(*args, **keys):
            calls.append(function)
            return function(*args, **keys)
        return counts

    def asks():
        from conftest import app

        app.test_client().get("/a")

    def pytest_pycollect_makeitem(collector, name, obj):
        if name.startswith("made_"):
            item = pytest.Function.from_parent(collector, name=f"item {name}", callobj=counted(asks))
            item.add_marker(pytest.mark.faultinject_explore("http:503"))
            return [item]
"""


def test_a_function_that_a_plugin_puts_in_the_place_of_a_method(project, passes):
    """It is run each time."""
    project.makepyfile(replaces=REPLACES)
    passes(
        """
        import unittest
        import pytest
        from conftest import app
        from replaces import calls

        class TestIt:
            @pytest.fixture(autouse=True)
            def prepare(self):
                self.path = "/a"

            @pytest.mark.faultinject_explore("http:503")
            def test_it(self, client):
                client.get(self.path)

            def test_calls(self):
                assert len(calls) == 3
                calls.clear()

            def made_by_a_plugin(self):
                pass

        def test_calls_of_what_a_plugin_makes():
            assert len(calls) == 3
            calls.clear()

        class TestOfUnittest(unittest.TestCase):
            def setUp(self):
                self.path = "/a"

            @pytest.mark.faultinject_explore("http:503")
            def test_it(self):
                app.test_client().get(self.path)

            def test_that_follows(self):
                assert len(calls) == 3
        """,
        6,
        "-p",
        "replaces",
    )


def test_again_of_unittest(shows):
    """Nothing would be run again: it says so, and what to do."""
    shows(
        """
        import unittest
        import pytest

        class TestIt(unittest.TestCase):
            @pytest.mark.faultinject_explore("http:503", again=True)
            def test_it(self):
                pass
        """,
        ["again: a method of unittest.TestCase is not run again; make it a function"],
    )


TIMEOUT = """
    import time, types
    import pytest

    timers = []

    class Hooks:
        @pytest.hookspec(firstresult=True)
        def pytest_timeout_set_timer(item, settings): ...

        @pytest.hookspec(firstresult=True)
        def pytest_timeout_cancel_timer(item): ...

    def pytest_addhooks(pluginmanager):
        pluginmanager.add_hookspecs(Hooks)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(item):
        settings = types.SimpleNamespace(timeout=60, func_only=ONLY)
        item.ihook.pytest_timeout_set_timer(item=item, settings=settings)
        done = yield
        print("set", len(timers), "times")
        return done

    @pytest.hookimpl(trylast=True)
    def pytest_timeout_set_timer(item, settings):
        timers.append(settings.timeout)
        return True

    def pytest_timeout_cancel_timer(item):
        return True
"""
"""The two hooks of pytest-timeout."""


@pytest.mark.parametrize(("only", "times"), [(False, 5), (True, 1)])
def test_pytest_timeout(project, shows, only, times):
    """Each run has a test's time limit; pytest-timeout handles a limit of the function alone."""
    project.makeconftest(textwrap.dedent(TIMEOUT.replace("ONLY", str(only))) + CONFTEST)
    program = RIGHT.replace('"cos"', '"http:503", "reset"')
    shows(program, [f"*set {times} times*"], "-s", "-p", "no:timeout", passed=1)


def test_it_fails_or_is_skipped_without_faults(shows):
    """It does as it would without the marker, and nothing is explored.

    A test may be skipped by mark, condition, fixture or in its body.
    """
    result = shows(
        UPLOAD
        + """
    pytestmark = pytest.mark.faultinject_explore("cos")

    @pytest.fixture
    def absent():
        pytest.skip("absent")

    @pytest.mark.skip
    def test_mark():
        assert False

    @pytest.mark.skipif(True, reason="so")
    def test_condition():
        assert False

    def test_fixture(absent):
        assert False

    def test_body():
        pytest.skip("body")

    def test_fails(client):
        upload(client); assert 1 == 2
    """,
        ["E       assert 1 == 2"],
        skipped=4,
        failed=1,
    )
    result.stdout.no_fnmatch_line("*explored*")


def test_it_skips_itself_because_of_a_fault(shows):
    """A skip in a run with a fault would hide that the code gave up."""
    shows(
        RIGHT.replace("assert upload(client)", "upload(client, 1) or pytest.skip('no service')"),
        ["1 request without faults, *, 8 failed, 1 with a warning", "Skipped: no service"],
    )


def test_set_up_only(run):
    """Options that stop short of the call are heeded."""
    result = run(RIGHT, "--setup-only")
    assert (result.parseoutcomes(), result.ret) == ({}, 0)


def test_a_fixture_that_fails(run):
    """It fails once, at once."""
    result = run(RIGHT.replace("assert upload", "assert broken; upload").replace("(client):", "(client, broken):")
                 + """
    @pytest.fixture
    def broken():
        print("once")
        raise KeyError("broken")
    """)  # fmt: skip
    result.assert_outcomes(errors=1)
    assert result.stdout.str().count("\nonce\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "outcomes"), [("before", {"errors": 1}), ("after", {"passed": 1, "errors": 1})]
)
def test_a_fixture_that_a_fault_breaks(shows, where, outcomes):
    """A check in a fixture that a fault makes fail says in which run."""
    shows(
        RIGHT.replace("(client):", "(client, checked):")
        + f"""
    seen = []

    @pytest.fixture
    def checked(faults):
        if "{where}" == "before":
            assert len(seen) < 4
            seen.append(1)
        yield
        assert faults.injected == 0 or "{where}" == "before", "a leak"
        """,
        ["*- faultinject: what was injected -*", 'ended in the run with @pytest.mark.faultinject("*"*)'],
        **outcomes,
    )


@pytest.mark.parametrize(
    ("body", "outcome"), [("assert upload(client)", "passed"), ("pytest.skip('no')", "skipped")]
)
def test_a_wider_fixture_that_fails_at_its_end(shows, body, outcome):
    """Its error is reported once, and the exploration counts; also where nothing was explored."""
    shows(
        RIGHT.replace("(client):", "(client, wide):").replace("assert upload(client)", body)
        + """
    @pytest.fixture(scope="module")
    def wide():
        yield
        raise KeyError("wide")
        """,
        ["E       KeyError: 'wide'"],
        **{outcome: 1, "errors": 1},
    )


MISTAKES = {
    '"cos:SlowDown,skip=1"': "*explore decides where a fault comes: no skip",
    "": "*explore needs a fault, such as 'cos' or 'cos:SlowDown'",
    '"cos", deep=2': "faultinject_explore takes no deep; it takes depth, max_runs, allow, ignore, exhaustive, without, again, shards, crash, replay and within",
    '"cos", again=1': "*again is True or False, not 1*",
    '"cos", again=True, crash=True': "*again is for faults alone: a program that was killed is run again anyway*",
    '"cos", depth=5': "depth is 1 or 2, not 5",
    '"cos", max_runs=3': "8 runs are needed, and max_runs is 3: 1 request*",
    '"cos", shards="many"': "shards is a whole number from 1 on, not 'many'",
    '"cos", shards=0': "shards is a whole number from 1 on, not 0",
    '"cos", "reset,path=nowhere/"': "incomplete: reset,path=nowhere/ was injected in no run (nearest: PUT /b/k)",
    '"cos", "reset,path=nowhere/", shards=2': "incomplete: reset,path=nowhere/ was injected in no run *",
    '"cos", depth=2, max_runs=10': "incomplete: * runs of depth 2 not made: max_runs is 10",
}  # fmt: skip


def test_what_is_wrong(run):
    """Each is one failed test with a message, and no traceback of ours."""
    tests = [
        f"""
    @pytest.mark.faultinject_explore({mark})
    def test_{number}(client):
        assert upload(client)
"""
        for number, mark in enumerate(MISTAKES)
    ]
    result = run(UPLOAD + "".join(tests))
    failures = result.reprec.getfailures()
    for number, message in enumerate(MISTAKES.values()):
        texts = [each.longreprtext for each in failures if re.search(rf"::test_{number}\b", each.nodeid)]
        pytest.LineMatcher("\n".join(texts).splitlines()).fnmatch_lines([message])
    result.stdout.no_fnmatch_line("*During handling*")


@pytest.mark.slow
@pytest.mark.parametrize("source", [RIGHT, WRONG, RIGHT.replace("cos", "cs")], ids=["right", "wrong", "typo"])
def test_the_order_of_its_reports(run, project, source):
    """Every report is made in turn, for plugins that rerun tests from the set-up.

    Also the report of a mistake.
    """
    project.makeconftest(
        CONFTEST
        + """
import pytest
turns = []
def pytest_runtest_makereport(call):
    turns.append(call.when)
def pytest_unconfigure():
    before = [None, *turns]
    follows = {"setup": (None, "teardown"), "call": ("setup", "call"), "teardown": ("call", "teardown")}
    print("in turn" if turns and all(a in follows[b] for a, b in zip(before, turns)) else turns)
"""
    )
    run(source).stdout.fnmatch_lines(["*in turn*"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("says", "outcomes"), [("error", {"failed": 1}), ("warn", {"passed": 1, "warnings": 1})]
)
def test_incomplete(shows, says, outcomes):
    """An exploration cut off at depth 2 fails or warns."""
    shows(
        RIGHT.replace('("cos")', '("cos", depth=2, max_runs=10)'),
        ["*incomplete: * runs of depth 2 not made: max_runs is 10"],
        "-o",
        f"faultinject_incomplete={says}",
        "-W",
        "default",
        **outcomes,
    )


def test_incomplete_says_nothing_else(usage_error):
    """The ini option takes two words."""
    usage_error(
        RIGHT,
        "*faultinject_incomplete: 'ignore' is not one of error, warn",
        "-o",
        "faultinject_incomplete=ignore",
    )


UNSTABLE = RIGHT.replace(
    "assert upload(client)", "seen.append(1); len(seen) < 3 and upload(client); upload(client, path='/b/l')"
) + ("    seen = []")


def test_not_reached(shows):
    """A fault that reached no request is a warning with the nearest one, or fails as an error."""
    shows(
        UNSTABLE,
        ["*not reached: reset,method=PUT,path=/b/k,times=1 (nearest: PUT /b/l)"],
        "-W",
        "default",
        passed=1,
        warnings=1,
    )
    shows(UNSTABLE, ["*PytestWarning: faultinject_explore: 2 requests*"], "-W", "error")


@pytest.mark.slow
def test_beside_other_markers(shows):
    """Rules of `faultinject` hold in every run, and must be met without faults."""
    source = RIGHT.replace(
        "@pytest.mark.faultinject_ex",
        '@pytest.mark.faultinject("http:500,times=1")\n    @pytest.mark.faultinject_ex',
    )
    shows(source, ["*: 2 requests without faults, 13 faults; 15 runs *"], passed=1)
    shows(source.replace("times=1", "path=nowhere/"), ["faultinject: no request met the conditions of"])


def test_the_fixture(shows):
    """`faults.explore()` has the marker's rules too, and a loop left early is noticed."""
    loop = """
    @pytest.mark.faultinject("http:500,times=1,path=b/k")
    def test_loop(client, faults):
        seen = 0
        for run in faults.explore("reset", "http:503", depth=1, max_runs=9, allow=()):
            with run:
                assert upload(client)
            seen += 1
        assert seen == 6
    """
    unmet = loop.replace("path=b/k", "path=nowhere/").replace("test_loop", "test_unmet")
    left = loop.replace("seen += 1", "break").replace("seen == 6", "True").replace("test_loop", "test_left")
    shows(
        UPLOAD + loop + unmet + left,
        [
            *("*_ test_unmet _*", "*_ test_left _*", "faults.explore(): the loop was left before its end"),
            *("FAILED *::test_unmet*", "FAILED *::test_left*"),
        ],
        passed=1,
        failed=2,
    )


@pytest.mark.slow
def test_what_earlier_runs_left(shows):
    """Output and properties of earlier runs are not in the report of the failing one."""
    source = WRONG.replace("(client):", "(client, record_property):").replace(
        "assert upload(client, path", "print('once'); record_property('a', 1); assert upload(client, path"
    )
    result = shows(
        source
        + """
    @pytest.fixture(autouse=True)
    def kept(request):
        yield
        assert len(request.node.user_properties) == 1
    """
    )
    assert result.stdout.str().count("\nonce\n") == 1


@pytest.mark.slow
def test_junit(run, project):
    """One test case, with the summary line as a property."""
    run(WRONG + RIGHT.replace(UPLOAD, ""), "--junitxml=junit.xml")
    cases = ET.parse(project.path / "junit.xml").getroot().findall(".//testcase")
    lines = {
        each.get("name"): [(one.get("name"), one.get("value")[:10]) for one in each.iter("property")]
        for each in cases
    }
    assert lines == {
        "test_wrong": [(PLUGIN, "2 requests"), (f"{PLUGIN}_warning", "lost answe")],
        "test_right": [(PLUGIN, "1 request ")],
    }
    assert [len(each.findall("failure")) for each in cases] == [1, 0]


LEAVES_OUT = """
    import pytest

    numbers = []

    @pytest.mark.faultinject_explore("cos:SlowDown", "cos:RequestTimeout")
    def test_it(client):
        assert any(client.head("/b/k").status_code == 200 for _ in range(3))
        assert any(client.put("/b/k").status_code == 200 for _ in range(3))
        numbers.append(1)
        for each in "abcde"[: len(numbers) * 5 % 10]:
            client.get(f"/b/{each}")
"""
LEFT_OUT = (
    "; left out: GET /b/a, GET /b/b, GET /b/c and 2 more (differs between two runs without "
    "faults: only one makes it; make them alike);"
    " cos:RequestTimeout on HEAD (its answer has no body that says which error it is; exhaustive=True brings it back)"
)


@pytest.mark.slow
def test_what_is_left_out(project, passes):
    """A passed test that left something out says so, in JUnit and under xdist too.

    With the way back.
    """
    line = f"*::test_it: 7 requests without faults, 2 faults; 3 runs in *, 1 pruned{LEFT_OUT}"
    passes(LEAVES_OUT, 1, "--junitxml=junit.xml").stdout.fnmatch_lines([line])
    [case] = ET.parse(project.path / "junit.xml").getroot().iter("testcase")
    assert [each.get("value").endswith(LEFT_OUT) for each in case.iter("property")] == [True]
    result = project.runpytest_subprocess(*WITHOUT, "-p", "xdist", "-n1")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([line])
    brought_back = passes(LEAVES_OUT.replace('Timeout"', 'Timeout", exhaustive=True'), 1, "-rA").stdout.str()
    assert ("4 runs in" in brought_back, "on HEAD" in brought_back) == (True, False)


@pytest.mark.slow
def test_last_failed(project):
    """A failed test is found again by its name, and the scenario that failed comes first."""
    project.makeini(INI.replace("-p no:cacheprovider", ""))
    path = project.makepyfile(WRONG.replace('("cos")', '("cos:SlowDown", "http:503", "http:504")') + """
    @pytest.fixture(autouse=True)
    def told(faults):
        yield
        print("run:", *faults.rules)
    """)  # fmt: skip

    def order(*arguments, **outcomes):
        result = project.runpytest_inprocess("-s", *arguments)
        result.assert_outcomes(**outcomes)
        return re.findall(r"run: (\S+),method=PUT,path=(\S+),times=1", result.stdout.str())

    first, again = order(failed=1), order("--lf", failed=1)
    assert (first[0], again[0]) == (("cos:SlowDown", "/b/a"), ("http:503", "/b/k"))
    assert sorted(again) == sorted(first)
    # Of another length: in the same second pytest would take what it has compiled.
    path.write_text(path.read_text().replace("tries=1)", "tries=1 + 1)"))
    order("--lf", passed=1)
    assert order(passed=1) == first
    stored = [each for each in Path(project.path / ".pytest_cache").rglob("explored/*") if each.is_file()]
    assert [each.read_text() for each in stored] == ["[]"]


@pytest.mark.slow
def test_a_session_that_is_to_stop(run):
    """If something else stops the session, the missing runs are reported."""
    result = run(RIGHT.replace("assert upload", "request.session.shouldstop = 'enough'; assert upload").replace("(client):", "(client, request):"))  # fmt: skip
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["incomplete: stopped after 0 of 0 runs: enough"])


ENDED = """
    import os
    import signal
    import pytest

    runs = []
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # what measures coverage handles it

    @pytest.mark.faultinject_explore("http:503", "reset")
    def test_long(client):
        runs.append(client.put("/b/k").status_code)
        client.put("/b/l")
        if len(runs) == {run}:
            os.kill(os.getpid(), signal.{signal})
        assert runs[-1] == 200
"""


SO_FAR = [
    "*= faultinject: explored so far: *::test_long =*",
    "2 requests without faults, 2 faults; 2 runs in * s (*), 2 failed",
    "AssertionError: assert 503 == 200",
    "  when request 1 (PutObject /b/k) gets: http:503",
    "incomplete: stopped after 2 of 4 runs: it was interrupted",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "number", "lines"),
    # In a run without faults there is nothing to show.
    [(4, "SIGTERM", SO_FAR), (4, "SIGINT", SO_FAR), (2, "SIGTERM", [])],
)
def test_one_that_is_ended_shows_what_it_has_found(project, run, number, lines):
    """A time limit and Ctrl-C show the failures so far, and the number of missing runs."""
    project.makepyfile(ENDED.format(run=run, signal=number))
    result = project.runpytest_subprocess(*WITHOUT)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(lines)
    assert ("explored so far" in result.stdout.str()) is bool(lines)


def test_a_handler_of_ones_own_stays(passes):
    """SIGTERM interrupts an exploration only if nobody handles it."""
    passes(
        UPLOAD
        + """
    import signal

    def handle(*_):
        pass

    signal.signal(signal.SIGTERM, handle)

    @pytest.mark.faultinject_explore("http:500")
    def test_it(client):
        assert signal.getsignal(signal.SIGTERM) is handle
        assert upload(client)

    def teardown_module():
        assert signal.signal(signal.SIGTERM, signal.SIG_DFL) is handle
"""
    )


@pytest.mark.slow
def test_the_debugger(run, project):
    """`--pdb` stops inside each failing run; quitting it ends the session."""
    debugger = """
    class Debugger:
        def __init__(self, **_):
            self.quitting = False

        def reset(self):
            pass

        def interaction(self, frame, trace):
            seen.append(trace)
            print("stopped at <")
            self.quitting = len(seen) == 2

    seen = []
    """
    project.makepyfile(debugger=debugger)
    result = run(WRONG, "--pdb", "--pdbcls=debugger:Debugger", "-s")
    assert result.stdout.str().count("stopped at <") == 2
    result.stdout.fnmatch_lines(["*Exit: Quitting debugger*"])


@pytest.mark.slow
def test_shards(project):
    """The test is collected n times, and workers share its runs; the controller shows the lines."""
    project.makepyfile(RIGHT.replace('("cos")', '("cos", shards=3)'))
    result = project.runpytest_subprocess(*WITHOUT, "-p", "xdist", "-n2")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines_random(
        [
            f"*::test_right[[]shard-{number}]: 1 request *; {runs} runs in *"
            for number, runs in ((1, 3), (2, 3), (3, 2))
        ]
    )


@pytest.mark.slow
def test_random_order(project):
    """pytest-randomly, which seeds before every phase, is no obstacle."""
    project.makepyfile(
        RIGHT.replace(
            "assert upload(client)", "import random; assert upload(client, path=f'/b/{random.random()}')"
        )
    )
    project.makeini(INI.replace("-p no:randomly", ""))
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"*: {LINE}"])


def test_a_scenario_to_replay(usage_error, shows, passes):
    """Explored and marked tests run once with these rules; the summary names tests without them.

    A test that meets none of them.
    """
    source = (
        WRONG
        + """
    @pytest.mark.faultinject("http:500,path=nowhere/")
    def test_marked(client, faults):
        assert [str(each) for each in faults.rules] == ["http:503,path=b/k"]
        assert client.put("/b/a").status_code == 200
    """
    )
    result = shows(
        source,
        [
            "E       AssertionError: gave up",
            "1 of 2 requests got a fault",
            "replay: * --faultinject-scenario=http:503,path=b/k",
            "*faultinject: the scenario matched no request*",
            "*: faultinject: no request met the conditions of",
            "  rule-1 (http:503,path=b/k)",
            "    nearest: PUT /b/a (path=b/k did not hold)",
        ],
        "--faultinject-scenario",
        "http:503,path=b/k",
        "-W",
        "error::pytest.PytestWarning",
        failed=1,
        passed=1,
    )
    result.stdout.no_fnmatch_line("*explored*")
    usage_error(source, "*--faultinject-scenario:*SlowDwn*SlowDown*", "--faultinject-scenario", "cos:SlowDwn")


@pytest.mark.slow
def test_progress(run, shows, monkeypatch):
    """A long exploration shows its progress on a line of a terminal, which goes at the end."""
    monkeypatch.setattr("faultinject.testing.pytest_plugin.explored.QUIET", -1)
    monkeypatch.setattr("faultinject.testing.pytest_plugin.explored.EVERY", -1)
    source = (
        RIGHT
        + """
    @pytest.fixture(scope="session", autouse=True)
    def terminal(request):
        request.config.pluginmanager.get_plugin("terminalreporter").isatty = True
    """
    )
    text = shows(source, passed=1).stdout.str()
    assert re.search(r"py *\n\s*test_right: run 1 of 8 (.|\n)*run 8 of 8 *\s+test_progress.py \.", text)
    assert re.search(r"run 8 of 8 *\s+test_progress.py::test_right PASSED", run(source, "-v").stdout.str())
    monkeypatch.setattr("faultinject.testing.pytest_plugin.explored.QUIET", 3600)
    assert "run 8 of 8" not in run(source).stdout.str()


NOT_REWOUND = (
    UPLOAD
    + """
    import io

    def send(client):
        file = io.BytesIO(b"meow")
        for _ in range(3):
            body = file.read()
            headers = {"amz-sdk-invocation-id": "7"}
            if client.put("/b/k", data=body, content_length=len(body), headers=headers).status_code == 200:
                return

    @pytest.mark.faultinject_explore("http:503")
    def test_it(client):
        send(client)
    """
)


def test_the_second_judge(shows):
    """The requests fail a test that asserts nothing, unless the check is ignored.

    The marker of the report fails it again.
    """
    replay = '@pytest.mark.faultinject_explore("http:503", replay="http:503,method=PUT,path=/b/k,times=1")'
    shows(
        f"""{NOT_REWOUND}
    @pytest.mark.faultinject_explore("http:503", ignore=["same bytes"])
    def test_ignored(client):
        send(client)

    {replay}
    def test_again(client):
        send(client)
        """,
        [
            "1 request without faults, 1 fault; 1 run in *, 1 failed",
            "same bytes: request 1 sent 4 bytes, request 2, which retries it, 0 bytes",
            f"  replay: {replay}",
            *("FAILED *::test_it*", "FAILED *::test_again*"),
        ],
        passed=1,
        failed=2,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "strict", "outcome"),
    [
        (RIGHT, True, "failed"),
        (RIGHT, False, "xpassed"),
        (WRONG, True, "xfailed"),
        (NOT_REWOUND, False, "xfailed"),
    ],
    ids=["none, strictly", "none", "a fault", "the second judge"],
)
def test_expected_to_fail(shows, source, strict, outcome):
    """An expected failure is one by any fault; without one the test passes unexpectedly."""
    mark = f"@pytest.mark.xfail(strict={strict})\n    @pytest.mark.faultinject_explore"
    shows(
        source.replace("@pytest.mark.faultinject_explore", mark),
        ["*request* without faults, *"],
        **{outcome: 1},
    )


def test_a_warning_of_the_second_judge(passes):
    """A suspicion is a line in the summary and JUnit, and no warning of pytest."""
    result = passes(
        """
    import pytest

    @pytest.mark.faultinject_explore("http:503,when=after,method=POST")
    def test_it(client):
        while client.post("/b/k?uploads").status_code != 200:
            pass
        while client.delete("/b/k?uploadId=1").status_code != 200:
            pass
    """,
        1,
        "-W",
        "error",
    )
    result.stdout.fnmatch_lines(
        [
            "*::test_it: 2 requests without faults, 1 fault; 1 run in *, 0 failed, 1 with a warning",
            "    warning: uploads left open: CreateMultipartUpload /b/k: an upload is neither completed nor aborted, *",
        ]
    )
