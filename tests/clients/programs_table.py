"""The second table of README.md: the audit's verdicts on programs, beside the truth."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from fnmatch import fnmatchcase

from .comparison import (
    ALARM,
    CAUGHT,
    FAIL,
    INCONCLUSIVE,
    OPEN_BROKEN,
    OPEN_HEALTHY,
    PASS,
    RIGHT,
    WARN,
    label,
    made,
)

ENOUGH, GREEN = "undecided, enough", "false green"
OUTCOMES = (RIGHT, CAUGHT, OPEN_HEALTHY, OPEN_BROKEN, ENOUGH, ALARM, GREEN)

INTRO = """\
## Programs without a driver

Right and wrong programs in pairs, as people write them, each in a process of its own against `faultinject serve`. No
driver labels their calls: the table has the verdicts of `faultinject report` on their journals. The truth follows from
the source of each program. A *false alarm* is a FAIL or WARN that is not true, a *false green* a PASS of something
wrong. *Undecided, enough* is INCONCLUSIVE, or silence, although the journal has enough data; a less busy machine would
sometimes decide it. A WARN is enough where a FAIL is true, because a fingerprint alone seldom proves it.
"""


@dataclass(frozen=True)
class Judged:
    """One verdict.

    Attributes:
        label: the check, with `: subject` where it has one.
        got: the verdict; None: nothing was said.
        outcome: one of `OUTCOMES`.
        message: the audit's.
    """

    label: str
    got: str | None
    outcome: str
    message: str = ""

    def __str__(self):
        return f"{self.outcome}: {self.label} is {self.got or 'silent'}: {self.message}"


def compare(program, findings):
    """Compare every expected verdict on a program with the truth.

    Verdicts of which nothing is expected are left out.

    Args:
        program: a `Program`.
        findings: as the report has them in JSON.
    """
    found = []
    for each in findings:
        name = label(each)
        if not _fits(name, program.either):
            found.append(
                Judged(name, each["verdict"], _outcome(program, name, each["verdict"]), each["message"])
            )
    silent = [
        wanted
        for wanted in (*program.caught, *program.passes)
        if not any(fnmatchcase(each.label, wanted) for each in found)
    ]
    return found + [Judged(each, None, ENOUGH) for each in silent]


def _outcome(program, name, verdict):
    caught, wrong = _fits(name, program.caught), _fits(name, program.true)
    if verdict in (FAIL, WARN):
        return CAUGHT if caught or wrong else ALARM
    if verdict == PASS:
        return GREEN if caught or wrong else RIGHT
    assert verdict == INCONCLUSIVE
    if caught or _fits(name, program.passes):
        return ENOUGH
    return OPEN_BROKEN if wrong else OPEN_HEALTHY


def _fits(name, patterns):
    return any(fnmatchcase(name, each) for each in patterns)


def page(results, programs):
    """The second part of README.md.

    Args:
        results: of `recording.judged`.
        programs: by name.
    """
    found = defaultdict(list)
    for each in results:
        found[each["program"]].append((each, compare(programs[each["program"]], each["findings"])))
    return "\n".join([INTRO, made(results, "program"), *counted(found, programs), *listed(found)])


def counted(found, programs):
    """The verdicts of all rounds, by program and class."""
    yield f"| class | program | what it does | what is wrong | {' | '.join(OUTCOMES)} |"
    yield f"|---|---|---|---|{'--:|' * len(OUTCOMES)}"
    everything = Counter()
    last = None
    for name, program in programs.items():
        if name not in found:
            continue
        counts = Counter(row.outcome for _, rows in found[name] for row in rows)
        everything += counts
        group = program.group.replace("_", " ") if program.group != last else ""
        last = program.group
        wrong = ", ".join(sorted({*program.caught, *program.true})) or "nothing"
        cells = [group, name, program.title, wrong, *(str(counts[each]) for each in OUTCOMES)]
        yield f"| {' | '.join(each.replace('|', '/') for each in cells)} |"
    yield f"| **all** | | | | {' | '.join(str(everything[each]) for each in OUTCOMES)} |\n"


def listed(found):
    """Every verdict that is wrong, and where nothing was said although enough was there."""
    lines = [
        f"- {name}, round {kept['round']}{' (busy)' if kept['busy'] else ''}: {row}"
        for name, runs in found.items()
        for kept, rows in runs
        for row in rows
        if row.outcome in (ALARM, GREEN, ENOUGH)
    ]
    yield from [*lines, ""] if lines else ()
