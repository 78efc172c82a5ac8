"""The pytest plugin: options, markers and fixtures.

The engine is imported only if a collected test needs it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial

import pytest

from faultinject.testing import unwrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from faultinject.adapters.patch import Patch
    from faultinject.testing.inject import Faults
    from faultinject.testing.storage import StorageFactory

MARKER = (
    "faultinject(rule, /, *rules, seed=None, fast_forward=False, **keys): inject these faults while the test"
    " itself runs, not its fixtures. As faultinject.inject(): rules as text or Rule, or a Scenario; keys,"
    " those of faultinject.RuleKeys, belong to the one rule, such as"
    ' faultinject("cos:SlowDown", times=2, path="photos/"). Several markers add up. The test fails when no'
    " request met a rule's conditions (ini faultinject_unmatched). fast_forward=True lets waits pass at once."
)
EXPLORE = (
    "faultinject_explore(*faults, depth=1, max_runs=500, allow=(), ignore=(), exhaustive=False, without=(),"
    ' again=False, crash=False, replay="", within=None, shards=1): run the test twice without faults, then'
    " once for every request that it makes and every fault, and fail with the smallest scenario that breaks"
    " it. A vendor id stands for its standard set; conditions say where; depth=2 adds a second fault; allow"
    " names exceptions that the code may give up with, ignore the checks that are not judged; exhaustive=True"
    " also tries everything that the summary lists as left out; without takes faults from a set; again=True runs"
    " a test that has raised an error again, without faults; crash=True kills the program of faults.run() at each"
    " request and runs it again; replay is the one scenario to run; within is the seconds that a program may"
    " take; shards collects the test n times, for xdist."
)
INI_VALUES = {
    "faultinject_incomplete": ("error", "warn"),
    "faultinject_unmatched": ("error", "warn", "ignore"),
}
"""The allowed values of keys of the ini file."""

MARKERS = ("faultinject", "faultinject_explore")
SHARD = "faultinject_shard"
"""The hidden parameter of an explored test that is collected once for each of its shards."""
SUMMARY = "faultinject_explore"
"""The property of a report with an exploration's summary; xdist transfers properties."""
UNMATCHED = "faultinject_unmet"
"""The property of a report with the rules of a replayed scenario that matched no request."""
SEED = pytest.StashKey[str]()
PATCH: pytest.StashKey[Patch] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, and the keys of the ini file."""
    group = parser.getgroup("faultinject", "injected faults")
    group.addoption(
        "--faultinject-seed",
        metavar="N|random",
        help=(
            "seed of this session's faults, by default 0;"
            " a test's own seed is made of it and the test's node id"
        ),
    )
    group.addoption(
        "--faultinject-off",
        action="store_true",
        help="skip the tests that are marked with faultinject or use the fixture faults",
    )
    group.addoption(
        "--faultinject-scenario",
        metavar="RULES",
        help="run marked and explored tests once, with just these rules",
    )
    group.addoption(
        "--faultinject-report",
        metavar="FILE.html",
        help=(
            "judge how clients handled the faults of all tests, and write the report to this file:"
            " .html, .json, .md, .txt, .sarif, .github or .xml (JUnit)"
        ),
    )
    group.addoption(
        "--faultinject-report-fail",
        action="store_true",
        help="with --faultinject-report: also fail a run whose tests pass if a check of the report says FAIL",
    )
    parser.addini("faultinject_seed", "seed of a session's faults, or random", default="0")
    parser.addini(
        "faultinject_unmatched",
        "when no request meets the conditions of a marker's rule: error (default), warn or ignore",
        default="error",
    )
    parser.addini(
        "faultinject_incomplete",
        "when an exploration is incomplete, or injected one of its faults in no run: error (default) or warn",
        default="error",
    )


def _seed(config: pytest.Config) -> str:
    seed: str = config.getoption("faultinject_seed") or config.getini("faultinject_seed") or "0"
    if seed == "random":
        return str(int.from_bytes(os.urandom(4), "big"))
    if not seed.isprintable():
        raise pytest.UsageError(f"--faultinject-seed: {seed!r} is not printable text")
    return seed


def patch(config: pytest.Config) -> None:
    """Patch the frameworks' own apps and moto until the session ends, unless done already."""
    if PATCH not in config.stash:
        from faultinject.adapters.patch import Patch
        from faultinject.clients import moto

        config.stash[PATCH] = patched = Patch(places=moto.WITH_APPS)
        config.add_cleanup(patched.undo)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and choose the session's seed.

    Raises:
        pytest.UsageError: an option, or a value of the ini file, is wrong.
    """
    config.addinivalue_line("markers", MARKER)
    config.addinivalue_line("markers", EXPLORE)
    for name, allowed in INI_VALUES.items():
        if (value := config.getini(name)) not in allowed:
            raise pytest.UsageError(f"{name}: {value!r} is not one of {', '.join(allowed)}")
    if config.getoption("faultinject_report_fail") and config.getoption("faultinject_report") is None:
        raise pytest.UsageError(
            "--faultinject-report-fail: there is no report; add --faultinject-report=FILE"
        )
    seed = getattr(config, "workerinput", {}).get("faultinject_seed")
    config.stash[SEED] = _seed(config) if seed is None else seed
    # A block of `inject()` reaches unwrapped apps, also in a session without a marked test.
    patch_frameworks = partial(patch, config)
    unwrapped.patch_frameworks_hooks.append(patch_frameworks)
    config.add_cleanup(lambda: unwrapped.patch_frameworks_hooks.remove(patch_frameworks))
    if config.getoption("faultinject_report") is not None and not config.option.collectonly:
        from faultinject.testing.pytest_plugin.reported import collect

        collect(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Hand the seed to an xdist worker."""
    seeds = node.workerinput  # type: ignore[attr-defined]  # xdist's own class
    seeds["faultinject_seed"] = node.config.stash[SEED]  # type: ignore[attr-defined]


def pytest_report_header(config: pytest.Config) -> str:
    """Show the session's seed, which a replay needs."""
    return f"faultinject: seed {config.stash[SEED]}{', off' if config.getoption('faultinject_off') else ''}"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Register the hooks of the other modules if a collected test needs them."""
    if needs_faults(session.items) and not session.config.option.collectonly:
        from faultinject.testing.pytest_plugin.marked import begin

        begin(session.config).expect(session.items)
    if any("faultinject_store" in getattr(item, "fixturenames", ()) for item in session.items):
        with suppress(ImportError):  # the fixture says which extra is missing
            from faultinject.testing.pytest_plugin import stored

            stored.begin(session.config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Refuse a marker that a fixture adds.

    Markers are read before the first fixture, so its rules would do nothing.
    """
    yield
    if any(marker.name in MARKERS for marker in item.own_markers):
        from faultinject.testing.pytest_plugin.marked import refuse_late

        refuse_late(item)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Collect an explored test once for each of its shards."""
    mark = metafunc.definition.get_closest_marker("faultinject_explore")
    shards = 1 if mark is None else mark.kwargs.get("shards", 1)
    if isinstance(shards, int) and shards > 1:
        metafunc.fixturenames.append(SHARD)
        ids = [f"shard-{number + 1}" for number in range(shards)]
        metafunc.parametrize(SHARD, range(shards), ids=ids)


def pytest_terminal_summary(terminalreporter: object) -> None:
    """Write a line for each explored test, and for each test whose one scenario matched nothing.

    This includes tests of xdist's workers.
    """
    stats = terminalreporter.stats  # type: ignore[attr-defined]  # pytest's own, not public
    names = ("passed", "failed", "xfailed", "xpassed")
    reports = [report for name in names for report in stats.get(name, ())]
    unmet = [
        f"{report.nodeid}: {text}"
        for report in reports
        for name, text in getattr(report, "user_properties", ())
        if name == UNMATCHED and report.when == "call"
    ]
    if unmet:
        terminalreporter.section("faultinject: the scenario matched no request")  # type: ignore[attr-defined]
        for line in unmet:
            terminalreporter.write_line(line)  # type: ignore[attr-defined]
    if any(name == SUMMARY for report in reports for name, _ in getattr(report, "user_properties", ())):
        from faultinject.testing.pytest_plugin.explored import summaries

        terminalreporter.section("faultinject: explored")  # type: ignore[attr-defined]
        for line in summaries(reports):
            terminalreporter.write_line(line)  # type: ignore[attr-defined]


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> Faults:
    """The faults of this test, and methods to change them.

    They are injected while the test itself runs. `injected`, `attempts` and `outcomes` say what has happened;
    `add("cos:SlowDown", times=2)`, `clear()` and `pause()` change the faults; `assert_all_fired()` asserts that every
    rule injected something. A test with the marker `faultinject` begins with its rules, any other without rules.
    """
    from faultinject.testing.pytest_plugin.marked import begin

    return begin(request.config).faults(request)


@pytest.fixture(scope="session")
def faultinject_store(request: pytest.FixtureRequest) -> Iterator[StorageFactory]:
    """The session's object stores, for an app that calls storage.

    `storage = faultinject_store("cos")` starts the store of a vendor in a thread, on a free port of loopback, or
    returns the one that this session has started. It has `url`, `host`, `port` and `client_kwargs`, the arguments of
    the vendor's Python client. The marker and `faults` reach its requests; conditions such as `bucket=` and
    `operation=` do not match requests of your own app. Objects of a test and its fixtures are removed when the test
    ends, those of a fixture of wider scope when that fixture ends.
    """
    from faultinject.testing.pytest_plugin import stored

    factory = stored.begin_with(request)
    yield factory
    factory.close()


def needs_faults(items: Iterable[pytest.Item]) -> bool:
    """Whether a test uses the fixture `faults`, or has a marker, perhaps by its class or module."""
    return any(
        "faults" in getattr(item, "fixturenames", ())
        or any(marker.name in MARKERS for marker in item.iter_markers())
        for item in items
    )
