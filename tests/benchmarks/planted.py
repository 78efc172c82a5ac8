"""Exploration and percentages on the same clients, for the page on exploration.

`python tests/benchmarks/planted.py` prints the table.

The clients of `tests/testing/exploration/clients.py`, each with a planted bug and repaired. Exploration: how many
runs there are, which of them fails first, and how long it takes. Percentages: each request gets one of the same
faults with that chance; how many runs pass until one fails, the median over seeds, in brackets the same for the
repaired client: a false alarm. Takes about a quarter of an hour; `--seeds 3` less.
"""

import argparse
import logging
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "testing"))

from exploration.clients import CLIENTS, Client

import faultinject
from faultinject import Rule
from faultinject.exceptions import ExplorationFailedError
from faultinject.testing.exploration.choices import Choice, choices_of
from faultinject.testing.exploration.report import groups

PAGE = Path(__file__).parents[2] / "docs" / "project" / "evidence.md"
BEGIN, END = "<!-- exploration -->", "<!-- /exploration -->"
PERCENTAGES = (0.01, 0.05, 0.1, 0.3)
MOST = 400
BUGS = {
    "rewind": "a part's file is not rewound before the next attempt",
    "copy": "200 with an error in its body is taken for success",
    "move": "a lost answer to Complete, then cleaning up deletes the only copy",
    "listing": "a listing that fails begins again and keeps what it had",
    "append": "what was appended, and whose answer was lost, is appended again",
    "third": "the third request gives up on 503",
    "budget": "one retry for the whole job (takes two faults)",
    "threads": "four threads, one part's buffer can be read only once",
    "overwrite": "of ten bodies that go to one place, the fifth's failure is swallowed",
    "queue": "a GET that takes a message is sent again when its answer is lost",
    "short": "a connection that ends within a download is taken for its end",
    "late": "a read that takes too long is taken for one of nothing",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=15, help="how many seeds a percentage is tried with")
    parser.add_argument("--write", metavar="FILE", help="put the table into this file instead of printing it")
    parser.add_argument(
        "--write-page", action="store_true", help="put the table into docs/project/evidence.md"
    )
    options = parser.parse_args()
    logging.disable()
    found = [by_exploration(name) for name in CLIENTS]
    with ProcessPoolExecutor() as pool:
        beside = pool.map(by_percentage, CLIENTS, repeat(options.seeds))
        rows = [f"| {' | '.join([*cells, *more])} |" for cells, more in zip(found, beside, strict=True)]
    table = "\n".join([*HEAD, *rows])
    if options.write:
        Path(options.write).write_text(f"{BEGIN}\n{table}\n{END}\n")
    elif options.write_page:
        before, rest = PAGE.read_text().split(BEGIN, 1)
        PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.split(END, 1)[1]}")
    else:
        print(table)


HEAD = (
    "| bug | requests | runs | first that fails | fail → causes | time | repaired: runs, alarms "
    + "".join(f"| {each:.0%} " for each in PERCENTAGES)
    + "|",
    "|---" * (7 + len(PERCENTAGES)) + "|",
)


def by_exploration(name: str) -> list[str]:
    """The cells that say what the exploration found."""
    depth = 2 if name == "budget" else 1
    made, seconds = min(
        (explored(name, right=False, depth=depth) for _ in range(3)), key=lambda each: each[1]
    )
    right, _ = explored(name, right=True, depth=depth)
    failed = [number for number, each in enumerate(made.runs, 1) if each.failed]
    return [
        BUGS[name] + (", depth 2" if depth == 2 else ""),
        str(len(made.sweep.requests)),
        str(len(made.runs)),
        str(failed[0]) if failed else "–",
        f"{len(failed)} → {len(groups(made.runs))}",
        f"{seconds * 1000:.0f} ms",
        f"{len(right.runs)}, {sum(each.failed for each in right.runs)}",
    ]


def by_percentage(name: str, seeds: int) -> list[str]:
    """The cells beside them."""
    logging.disable()

    def runs(percentage: float, right: bool, otherwise: str) -> str:
        number = median(until_it_fails(name, percentage, seed, right=right) for seed in range(seeds))
        return otherwise if number == float("inf") else f"{number:.0f}"

    cells = [f"{runs(each, False, f'> {MOST}')} ({runs(each, True, 'never')})" for each in PERCENTAGES]
    print(name, file=sys.stderr)
    return cells


def explored(name: str, *, right: bool, depth: int) -> tuple[faultinject.Exploration, float]:
    exploration = faultinject.explore("cos", depth=depth)
    with Client() as client:
        began = time.perf_counter()
        with suppress(ExplorationFailedError):
            for run in exploration:
                with run:
                    CLIENTS[name](client, right)
        return exploration, time.perf_counter() - began


def until_it_fails(name: str, percentage: float, seed: int, *, right: bool) -> float:
    """The number of runs until one fails; infinite if none of the first 400 does."""
    rules = at(percentage)
    with Client() as client:
        for number in range(1, MOST + 1):
            with faultinject.inject(faultinject.Scenario(rules, seed=f"{seed}/{number}")):
                try:
                    CLIENTS[name](client, right)
                except Exception:
                    return number
    return float("inf")


def at(percentage: float) -> list[Rule]:
    """The faults of the exploration, so that a request gets one of them with that chance."""
    rules = []
    choices = [each for each in choices_of(["cos"]) if not (each.lasts or each.needs_checksum)]
    for methods in (("GET", "HEAD"), ("PUT", "POST", "DELETE")):
        faults = [parts for parts in map(placed, choices) if narrowed(parts, methods)]
        share = percentage / len(faults)
        for number, (_, parts) in enumerate(faults):
            parts[3]["probability"] = f"{share / (1 - number * share):.6f}"
        rules += [Rule.of_parts(*each) for each in faults]
    return rules


def placed(choice: Choice) -> tuple[str, Any]:
    """A fault of the exploration, and the parts of the rule that says where it comes."""
    rule = choice.where[0] if choice.where else choice.rule
    return rule.fault, rule.parts


def narrowed(parts: tuple[str, Any], methods: tuple[str, ...]) -> bool:
    """Whether a fault comes with one of these methods, to which it is narrowed."""
    conditions = parts[1][1]
    conditions["method"] = tuple(each for each in conditions.get("method", methods) if each in methods)
    return bool(conditions["method"])


if __name__ == "__main__":
    main()
