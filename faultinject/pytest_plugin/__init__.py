"""The pytest plugin: options, marker and fixture. The engine is imported when a collected test needs it."""

from __future__ import annotations

import os

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from faultinject.session import Faults

MARKER = (
    "faultinject(rule, /, *rules, seed=None, **keys): inject these faults while the test itself runs, not its"
    " fixtures. As faultinject.inject(): rules as text or Rule, or a Scenario; keys belong to the one rule, such as"
    ' faultinject("cos:SlowDown", times=2, path="photos/"). Several markers add up. The test fails when no request'
    " met a rule's conditions (ini faultinject_unmatched)."
)
UNMATCHED = ("error", "warn", "ignore")

SEED = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, and what the ini file may say."""
    group = parser.getgroup("faultinject", "injected faults")
    group.addoption(
        "--faultinject-seed",
        metavar="N|random",
        help="seed of this session's faults, by default 0; a test's own seed is made of it and the test's node id",
    )
    group.addoption(
        "--faultinject-off",
        action="store_true",
        help="skip the tests that are marked with faultinject or use the fixture faults",
    )
    parser.addini("faultinject_seed", "seed of a session's faults, or random", default="0")
    parser.addini(
        "faultinject_unmatched",
        "what to do about a marker's rule whose conditions no request met: error (default), warn or ignore",
        default="error",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known and choose the session's seed."""
    config.addinivalue_line("markers", MARKER)
    says = config.getini("faultinject_unmatched")
    if says not in UNMATCHED:
        raise pytest.UsageError(f"faultinject_unmatched: {says!r} is not one of {', '.join(UNMATCHED)}")
    given = getattr(config, "workerinput", {}).get("faultinject_seed")
    config.stash[SEED] = _seed(config) if given is None else given


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Hand the seed to an xdist worker."""
    node.workerinput["faultinject_seed"] = node.config.stash[SEED]  # type: ignore[attr-defined]  # xdist's own class


def pytest_report_header(config: pytest.Config) -> str:
    """Say what a replay needs."""
    return f"faultinject: seed {config.stash[SEED]}{', off' if config.getoption('faultinject_off') else ''}"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Get ready for the tests that need faults, if there are any."""
    if _needs_faults(session.items) and not session.config.option.collectonly:
        from faultinject.pytest_plugin.marked import begin

        begin(session.config).expect(session.items)


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> Faults:
    """The faults of this test: what was injected so far, and ways to change it meanwhile.

    They act while the test itself runs. `injected`, `attempts` and `outcomes` tell what happened;
    `add("cos:SlowDown", times=2)`, `clear()` and `pause()` change it; `assert_all_fired()` asserts that every rule
    injected something. With the marker `faultinject` it begins with the marker's rules, else with none.
    """
    from faultinject.pytest_plugin.marked import begin

    return begin(request.config).faults(request)


def _seed(config: pytest.Config) -> str:
    given: str = config.getoption("faultinject_seed") or config.getini("faultinject_seed") or "0"
    if given == "random":
        return str(int.from_bytes(os.urandom(4), "big"))
    if not given.isprintable():
        raise pytest.UsageError(f"--faultinject-seed: {given!r} is not printable text")
    return given


def _needs_faults(items: Iterable[pytest.Item]) -> bool:
    """Whether a test uses the fixture, or it, its class or its module is marked; each node is looked at once."""
    seen = set()
    for item in items:
        if "faults" in getattr(item, "fixturenames", ()):
            return True
        node: pytest.Item | pytest.Collector | None = item
        while node is not None and node not in seen:
            seen.add(node)
            for each in node.own_markers:
                if each.name == "faultinject":
                    return True
            node = node.parent
    return False
