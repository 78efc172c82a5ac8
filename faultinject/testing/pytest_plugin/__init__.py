"""The pytest plugin: options, markers and fixtures. The engine is imported when a collected test needs it."""

from __future__ import annotations

from functools import partial

import pytest

from faultinject.testing import unwrapped
from faultinject.testing.pytest_plugin.options import SEED, SHARD, SUMMARY, configure, patch, pytest_addoption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from faultinject.testing.inject import Faults
    from faultinject.testing.storage import StorageFactory

__all__ = ["pytest_addoption"]


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known and choose the session's seed."""
    configure(config)
    # A block of `inject()` reaches unwrapped apps whichever tests are selected, as a marked test does.
    reach = partial(patch, config)
    unwrapped.patch_frameworks_hooks.append(reach)
    config.add_cleanup(lambda: unwrapped.patch_frameworks_hooks.remove(reach))
    if config.getoption("faultinject_report") is not None and not config.option.collectonly:
        from faultinject.testing.pytest_plugin.reported import collect

        collect(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Hand the seed to an xdist worker."""
    node.workerinput["faultinject_seed"] = node.config.stash[SEED]  # type: ignore[attr-defined]  # xdist's own class


def pytest_report_header(config: pytest.Config) -> str:
    """Say what a replay needs."""
    return f"faultinject: seed {config.stash[SEED]}{', off' if config.getoption('faultinject_off') else ''}"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Get ready for the tests that need faults, if there are any."""
    if needs_faults(session.items) and not session.config.option.collectonly:
        from faultinject.testing.pytest_plugin.marked import begin

        begin(session.config).expect(session.items)
    if any("faultinject_store" in getattr(each, "fixturenames", ()) for each in session.items):
        from faultinject.testing.pytest_plugin import stored

        stored.begin(session.config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Collect an explored test once for each of its shards."""
    mark = metafunc.definition.get_closest_marker("faultinject_explore")
    shards = 1 if mark is None else mark.kwargs.get("shards", 1)
    if isinstance(shards, int) and shards > 1:
        metafunc.fixturenames.append(SHARD)
        ids = [f"shard-{number + 1}" for number in range(shards)]
        metafunc.parametrize(SHARD, range(shards), ids=ids, indirect=True)


def pytest_terminal_summary(terminalreporter: object) -> None:
    """A line for each explored test, also of those that xdist's workers ran."""
    stats = terminalreporter.stats  # type: ignore[attr-defined]  # pytest's own, not public
    reports = [each for name in ("passed", "failed", "xfailed", "xpassed") for each in stats.get(name, ())]
    if any(name == SUMMARY for each in reports for name, _ in getattr(each, "user_properties", ())):
        from faultinject.testing.pytest_plugin.explored import summaries

        terminalreporter.section("faultinject: explored")  # type: ignore[attr-defined]
        for line in summaries(reports):
            terminalreporter.write_line(line)  # type: ignore[attr-defined]


@pytest.fixture
def faultinject_shard(request: pytest.FixtureRequest) -> int:
    """Which share of an explored test's runs this is."""
    return int(
        request.param
    )  # pragma: no cover - nobody asks for it: a parameter needs a fixture of its name


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> Faults:
    """The faults of this test: what was injected so far, and ways to change it meanwhile.

    They act while the test itself runs. `injected`, `attempts` and `outcomes` tell what happened;
    `add("cos:SlowDown", times=2)`, `clear()` and `pause()` change it; `assert_all_fired()` asserts that every rule
    injected something. With the marker `faultinject` it begins with the marker's rules, else with none.
    """
    from faultinject.testing.pytest_plugin.marked import begin

    return begin(request.config).faults(request)


@pytest.fixture(scope="session")
def faultinject_store(request: pytest.FixtureRequest) -> Iterator[StorageFactory]:
    """The session's object stores, for an app that calls storage.

    `storage = faultinject_store("cos")` starts the store of a vendor in a thread, on a free port of loopback, or gives the
    one that this session has started. It has `url`, `host`, `port` and
    `client_kwargs`, what the vendor's Python client takes. The marker and `faults` reach its requests; conditions such as
    `bucket=` and `operation=` leave those of your own app alone. What a test and its fixtures store is gone when it ends,
    what a fixture of wider scope stores when that fixture ends.
    """
    from faultinject.testing.pytest_plugin import stored

    factory = stored.begin_with(request)
    yield factory
    factory.close()


def needs_faults(items: Iterable[pytest.Item]) -> bool:
    """Whether a test uses the fixture, or it, its class or its module is marked; each node is looked at once."""
    seen = set()
    for item in items:
        if "faults" in getattr(item, "fixturenames", ()):
            return True
        node: pytest.Item | pytest.Collector | None = item
        while node is not None and node not in seen:
            seen.add(node)
            for each in node.own_markers:
                if each.name in ("faultinject", "faultinject_explore"):
                    return True
            node = node.parent
    return False
