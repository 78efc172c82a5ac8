"""The audit is measured on generated clients: right ones blamed, wrong ones passed.

`python tests/audit/generated.py --clients 10000 --seed N` draws clients, lets each run against the engine in virtual
time, judges its journal as `report` does, and compares the findings with the client's behaviour. `--client N --show`
does that with one of them, and prints its description, its journal and the findings.
"""

import argparse
import logging
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from faultinject import Finding
from faultinject.audit.judging import judge
from faultinject.journal.call_window import CallWindow
from faultinject.journal.reading import of_outcomes
from tests.audit.generation.clients import Client, drawn
from tests.audit.generation.runs import TOLD_NO_MORE, Run, run
from tests.audit.generation.truth import BREAKS, TOLD
from tests.audit.rows import FAIL, INCONCLUSIVE, WARN

BLAMED, CAUGHT, PASSED, UNDECIDED = "blamed", "caught", "passed", "undecided"
NAMED, OVERLAPPING, UNNAMED = CALLS = ("named", "named, at the same time", "not named")
"""Write the call windows that a test reports.

Of named calls at the same time it is not known which requests belong to which.
"""
FEWEST = 3
"""A deed that was done less often is not seen for sure."""


@dataclass(frozen=True)
class Disagreement:
    """The audit's answer to one deed of a client.

    Attributes:
        kind: `blamed`, `caught`, `passed` or `undecided`.
        what: the check that blames it; else its deed.
        why: what the finding says; of what is undecided its cause.
    """

    kind: str
    what: str
    why: str = ""


def judged(client: Client, made: Run) -> list[Finding]:
    """The audit's findings on a run, with the test's named calls or from the journal alone."""
    attempts = of_outcomes(made.outcomes)
    if client.told:
        block = CallWindow(None, made.began, made.ended)
        return judge(attempts, profile="rfc", windows=[*made.windows, block]).findings
    return judge(attempts, profile="rfc", until=made.ended + TOLD_NO_MORE).findings


def compared(made: Run, findings: Iterable[Finding]) -> Iterator[Disagreement]:
    """Compare the findings with the deeds: blamed, caught, passed or undecided."""
    by_check: defaultdict[str, list[Finding]] = defaultdict(list)
    for each in findings:
        by_check[each.check].append(each)
    allowed = {check for deed in made.deeds for check in BREAKS[deed]}
    for check, found in by_check.items():
        for each in found:
            if each.verdict == FAIL and check not in allowed:
                yield Disagreement(BLAMED, check, each.message)
    for deed in made.deeds:
        found = [each for check in BREAKS[deed] for each in by_check[check]]
        undecided = [each for each in found if each.verdict == INCONCLUSIVE]
        if any(each.verdict in (FAIL, WARN) for each in found):
            yield Disagreement(CAUGHT, deed)
        elif undecided:
            yield Disagreement(UNDECIDED, deed, f"{undecided[0].check}: {plain(undecided[0].message)}")
        elif deed in TOLD and not any(each.check == "answers" for each in found):
            yield Disagreement(UNDECIDED, deed, "no test says of which requests a caller heard")
        elif made.deeds[deed] < FEWEST:
            yield Disagreement(UNDECIDED, deed, f"done less than {FEWEST} times")
        else:
            yield Disagreement(PASSED, deed, "; ".join(each.message for each in found))


def plain(message: str) -> str:
    """A message without its numbers and names: what many have in common."""
    return re.sub(r"\d[\d.,]*", "N", message.partition(":")[0])


def examined(seed: str, number: int) -> tuple[Client, Run, list[Finding], list[Disagreement]]:
    """One client: its description, its run, the findings and what they come to."""
    client = drawn(seed, number)
    made = run(client)
    findings = judged(client, made)
    return client, made, findings, list(compared(made, findings))


def outcome(seed: str, number: int) -> tuple[int, str, bool, list[Disagreement]]:
    """A generated client: its number, its calls, whether it is right, and the audit's findings."""
    client, made, _, found = examined(seed, number)
    calls = UNNAMED if not client.told else NAMED if client.workers == 1 else OVERLAPPING
    return number, calls, not made.deeds, found


@dataclass
class Tally:
    """The results of many clients.

    Attributes:
        clients: how many there are.
        right: how many of them did nothing wrong.
        kinds: how often the audit blamed, caught, let pass or did not decide.
        cases: by what was blamed, passed or undecided, and why: the numbers of the clients.
    """

    clients: int = 0
    right: int = 0
    right_blamed: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    cases: defaultdict[tuple[str, str, str], list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, number: int, right: bool, found: Iterable[Disagreement]) -> None:
        """Count one client."""
        self.clients += 1
        self.right += right
        blamed = False
        for each in found:
            self.kinds[each.kind] += 1
            blamed |= each.kind == BLAMED
            if each.kind != CAUGHT:
                why = each.why if each.kind == UNDECIDED else ""
                self.cases[each.kind, each.what, why].append(number)
        self.right_blamed += right and blamed


def tallied(seed: str, clients: int, *, processes: int = 1) -> dict[str, Tally]:
    """The clients of a seed, by what a test says of their calls."""
    tallies = {calls: Tally() for calls in CALLS}
    examine = partial(outcome, seed)
    if processes == 1:
        outcomes: Iterable = map(examine, range(clients))
    else:
        pool = ProcessPoolExecutor(processes, initializer=quiet)
        outcomes = pool.map(examine, range(clients), chunksize=50)
    for number, calls, right, found in outcomes:
        tallies[calls].add(number, right, found)
    return tallies


def table(tallies: dict[str, Tally]) -> str:
    """The numbers, as evidence.md shows them, and an example of each disagreement."""
    rows = [
        "| calls | clients | right | of them blamed | wrong deeds | caught | passed | undecided |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for calls, it in tallies.items():
        kinds = [it.kinds[kind] for kind in (CAUGHT, PASSED, UNDECIDED)]
        numbers = (it.clients, it.right, it.right_blamed, sum(kinds), *kinds)
        rows.append(f"| {calls} | {' | '.join(map(str, numbers))} |")
    for calls, it in tallies.items():
        cases = sorted(it.cases.items(), key=lambda each: (each[0][0], -len(each[1])))
        rows += [
            f"{calls} {kind} {len(numbers)} × {what}{f' ({why})' if why else ''}: client {numbers[0]}"
            for (kind, what, why), numbers in cases
        ]
    return "\n".join(rows)


def shown(seed: str, number: int) -> Iterator[str]:
    """All about one client."""
    client, made, findings, found = examined(seed, number)
    yield str(client)
    yield f"deeds: {dict(made.deeds)}"
    for each in of_outcomes(made.outcomes):
        hint = "" if each.hint_form is None else f" asks for {each.hint} by {each.hint_form}"
        marks = "" if each.attempt_hint is None else f" {each.attempt_hint}"
        answered = "-" if each.answered is None else f"{each.answered:.3f}"
        yield (
            f"{each.arrived:10.4f} {answered:>9} {each.connection} {each.method} {each.path} {each.request_bytes} B"
            f" {each.answer}{hint}{marks}"
        )
    for window in made.windows:
        outcome = "returned" if window.returned else window.error
        yield f"call {window.name} {window.began:.3f}-{window.ended:.3f} {outcome}"
    for finding in findings:
        yield f"{finding.verdict:12} {finding.name}: {finding.message}"
    for each in found:
        yield f"{each.kind}: {each.what} {each.why}"


def quiet() -> None:
    """Log nothing of the engine's, which tells of every rule."""
    logging.getLogger("faultinject").disabled = True


def main() -> None:
    """Print what many clients come to, or one."""
    quiet()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--client", type=int)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    if given.client is None:
        print(table(tallied(given.seed, given.clients, processes=given.processes)))
        return
    for each in shown(given.seed, given.client):
        if given.show or each.startswith((BLAMED, CAUGHT, PASSED, UNDECIDED)):
            print(each)


if __name__ == "__main__":
    main()
