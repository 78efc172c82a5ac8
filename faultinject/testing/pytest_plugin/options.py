"""What pytest is told of the plugin, and what its parts leave for each other: options, ini keys, markers, the seed."""

from __future__ import annotations

import os

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.adapters.patch import Patch

MARKER = (
    "faultinject(rule, /, *rules, seed=None, fast_forward=False, **keys): inject these faults while the test itself runs, not its"
    " fixtures. As faultinject.inject(): rules as text or Rule, or a Scenario; keys, those of faultinject.RuleKeys,"
    " belong to the one rule, such as"
    ' faultinject("cos:SlowDown", times=2, path="photos/"). Several markers add up. The test fails when no request'
    " met a rule's conditions (ini faultinject_unmatched). fast_forward=True lets waits pass at once."
)
EXPLORE = (
    "faultinject_explore(*faults, depth=1, max_runs=500, allow=(), ignore=(), exhaustive=False, without=(), again=False, shards=1): run the test"
    " once without faults, then once for every request that it makes and every fault, and fail with the smallest"
    " scenario that breaks it. A vendor id stands for its standard set; conditions say where; depth=2 adds a second"
    " fault; allow names exceptions that the code may give up with, ignore what the second judge is not to look at;"
    " exhaustive=True also tries what the summary says is left out; without takes faults from a set; again=True runs a test again"
    " that has raised an error, without faults; shards collects the test n times, for xdist."
)
SAYS = {
    "faultinject_incomplete": ("error", "warn"),
    "faultinject_unmatched": ("error", "warn", "ignore"),
}
"""What the keys of the ini file may say."""

SHARD = "faultinject_shard"
"""The hidden parameter of an explored test that is collected once for each of its shards."""
SUMMARY = "faultinject_explore"
"""The property of a report that holds an exploration's summary: it survives xdist and lands in junit files."""
SEED = pytest.StashKey[str]()
PATCH: pytest.StashKey[Patch] = pytest.StashKey()


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
    group.addoption(
        "--faultinject-scenario",
        metavar="RULES",
        help="run marked and explored tests once, with just these rules",
    )
    group.addoption(
        "--faultinject-report",
        metavar="FILE.html",
        help="judge how clients handled the faults of all tests, and write the report to this file: .html, .json, .md, .txt"
        " or .xml (JUnit)",
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


def configure(config: pytest.Config) -> None:
    """Make the markers known and choose the session's seed.

    Raises:
        pytest.UsageError: an option or the ini file says what cannot be meant.
    """
    config.addinivalue_line("markers", MARKER)
    config.addinivalue_line("markers", EXPLORE)
    for name, known in SAYS.items():
        if (says := config.getini(name)) not in known:
            raise pytest.UsageError(f"{name}: {says!r} is not one of {', '.join(known)}")
    if config.getoption("faultinject_report_fail") and config.getoption("faultinject_report") is None:
        raise pytest.UsageError(
            "--faultinject-report-fail: there is no report; add --faultinject-report=FILE"
        )
    given = getattr(config, "workerinput", {}).get("faultinject_seed")
    config.stash[SEED] = _seed(config) if given is None else given


def _seed(config: pytest.Config) -> str:
    given: str = config.getoption("faultinject_seed") or config.getini("faultinject_seed") or "0"
    if given == "random":
        return str(int.from_bytes(os.urandom(4), "big"))
    if not given.isprintable():
        raise pytest.UsageError(f"--faultinject-seed: {given!r} is not printable text")
    return given


def patch(config: pytest.Config) -> None:
    """Patch the frameworks' own apps, if that was not done yet, until the session ends."""
    if PATCH not in config.stash:
        from faultinject.adapters.patch import Patch

        config.stash[PATCH] = found = Patch()
        config.add_cleanup(found.undo)
