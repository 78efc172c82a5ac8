"""How the tests of a suite ended, by what their runner says."""

from __future__ import annotations

import json
from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from faultinject.exceptions import ConfigurationError
from faultinject.vendors.vendor import with_placeholders

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
PARTLY = "failed in a part"
"""Of a test that failed only because a part of it did, which is a test of its own."""
BETWEEN = " > "
"""Between the names of a test of Node and its parents."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one test ended.

    Attributes:
        test: its id, as its runner takes or shows it.
        outcome: `passed`, `failed`, `skipped` or `failed in a part`.
        said: what its error says; empty if there is none.
        began: when it began, unix seconds; None: its runner does not say.
        ended: when it ended, likewise.
        exact: whether its runner takes this id alone, so that no other may stand for it.
    """

    test: str
    outcome: str
    said: str = ""
    began: float | None = None
    ended: float | None = None
    exact: bool = False

    @property
    def alike(self) -> str:
        """Its id with `~` for what another run may name otherwise, such as a time or a UUID."""
        return self.test if self.exact else with_placeholders(self.test)


def of_go(output: Iterable[bytes]) -> Iterator[Result]:
    """What `go test -json` has written; lines of other programs between are left out."""
    said: dict[str, list[str]] = {}
    names: set[str] = set()
    whole: dict[str, Result] = {}
    for line in output:
        event = _event(line)
        if event is None or "Action" not in event or "Package" not in event:
            continue
        package, name, action = event["Package"], event.get("Test"), event["Action"]
        test = package if name is None else f"{package}.{name}"
        if action == "output":
            said.setdefault(test, []).append(event.get("Output", "").strip())
        outcome = {"pass": PASSED, "fail": FAILED, "skip": SKIPPED}.get(action)
        if outcome is None:
            continue
        ended = datetime.fromisoformat(event["Time"]).timestamp() if "Time" in event else None
        began = None if ended is None else ended - event.get("Elapsed", 0)
        # A line of `go test` itself, such as `--- FAIL: TestPut (0.00s)`, says nothing new.
        lines = [each for each in said.get(test, []) if each and each[:3] not in ("===", "---")]
        found = Result(test, outcome, lines[0] if outcome == FAILED and lines else "", began, ended)
        if name is None:
            whole[package] = found
        else:
            names.add(package)
            yield found
    # A package that fails without a test was not built.
    yield from (each for package, each in whole.items() if package not in names and each.outcome == FAILED)


def _event(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b"{"):
        return None
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return found


def of_junit(path: str) -> Iterator[Result]:
    """What a file of JUnit XML says.

    Raises:
        ConfigurationError: it is not there, or is no JUnit XML.
    """
    try:
        root = ET.fromstring(Path(path).read_bytes())  # noqa: S314 - the user's own file
    except (OSError, ET.ParseError) as error:
        raise ConfigurationError(f"--junit: {path}: the command wrote no JUnit XML there: {error}") from None
    for case in root.iter("testcase"):
        test = ".".join(filter(None, (case.get("classname"), case.get("name"))))
        wrong = next((each for each in case if each.tag in ("failure", "error")), None)
        if wrong is not None:
            first = (wrong.get("message") or (wrong.text or "").strip()).partition("\n")[0]
            yield Result(test, FAILED, first)
        else:
            yield Result(test, PASSED if case.find("skipped") is None else SKIPPED)


def by_test(results: Collection[Result], names: Container[str] | None = None) -> dict[str, Result]:
    """The results by their test; of several with one id the worst.

    Args:
        results: in the order in which the tests ended.
        names: the ids that are the same in each run, and stay; None: all stay.
    """
    failed = {each.test for each in results if each.outcome == FAILED}
    whole = {
        test for test in failed if any(other.startswith((f"{test}{BETWEEN}", f"{test}/")) for other in failed)
    }
    found: dict[str, Result] = {}
    for each in results:
        test = each.test if names is None or each.test in names else each.alike
        if test not in found or found[test].outcome != FAILED:
            found[test] = replace(each, outcome=PARTLY) if each.test in whole else each
    return found
