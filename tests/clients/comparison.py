"""Compares the audit's verdicts on a client with the truth."""

from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase

FAIL, WARN, PASS, INCONCLUSIVE = "FAIL", "WARN", "PASS", "INCONCLUSIVE"
DEGREES = (PASS, WARN, FAIL)

RIGHT, CAUGHT = "right PASS", "caught"
OPEN_HEALTHY, OPEN_BROKEN = "undecided, healthy", "undecided, broken"
ALARM, MISSED = "false alarm", "missed"
OUTCOMES = (RIGHT, CAUGHT, OPEN_HEALTHY, OPEN_BROKEN, ALARM, MISSED)


@dataclass(frozen=True)
class Row:
    """One verdict, or one that is not there.

    Attributes:
        label: the check, with `: subject` where it has one.
        wanted: the verdicts that are right.
        got: the audit's; None: it said nothing, though there is something to say.
        message: the audit's.
    """

    label: str
    wanted: tuple[str, ...]
    got: str | None
    message: str = ""

    @property
    def outcome(self):
        """One of `OUTCOMES`; WARN for FAIL is missed, and FAIL for WARN is a false alarm."""
        healthy = PASS in self.wanted
        if self.got == INCONCLUSIVE:
            return OPEN_HEALTHY if healthy else OPEN_BROKEN
        if self.got in self.wanted:
            return RIGHT if self.got == PASS else CAUGHT
        if self.got is None:
            return MISSED
        worst = max(self.wanted, key=DEGREES.index)
        return ALARM if DEGREES.index(self.got) > DEGREES.index(worst) else MISSED

    @property
    def wrong(self):
        """Whether the audit must not say that."""
        return self.outcome in {ALARM, MISSED}

    def __str__(self):
        wanted = " or ".join(self.wanted)
        return f"{self.outcome}: {self.label} is {self.got}, not {wanted}: {self.message}"


def label(finding):
    """`retry-after: seconds` of a finding as the report has it in JSON."""
    subject = finding.get("subject")
    return finding["check"] if subject is None else f"{finding['check']}: {subject}"


def compare(findings, expected, *, foreign=False):
    """A row for each finding, and one for each that is missing.

    Args:
        findings: as the report has them in JSON.
        expected: from a label, which may end in `*`, to the right verdict or to several; what is not named must pass.
        foreign: whether nobody told what the calls were: then a WARN is enough, and silence is no miss.
    """
    wanted = {name: (right,) if isinstance(right, str) else tuple(right) for name, right in expected.items()}
    if foreign:
        wanted = {
            name: right + (WARN,) * (FAIL in right and WARN not in right) for name, right in wanted.items()
        }
    seen, rows = set(), []
    for each in findings:
        name = next((pattern for pattern in wanted if fnmatchcase(label(each), pattern)), None)
        seen.add(name)
        rows.append(Row(label(each), wanted.get(name, (PASS,)), each["verdict"], each["message"]))
    silent = [name for name in wanted if name not in seen and PASS not in wanted[name]]
    return rows if foreign else rows + [Row(name, wanted[name], None) for name in silent]


def totals(rows):
    """The number of rows of each outcome."""
    return Counter(each.outcome for each in rows)


def made(results, of, *more):
    """A sentence of what was run, in how many rounds, with more of it, and how long."""
    rounds = {(each["round"], each["busy"]) for each in results}
    number = len({each[of] for each in results})
    minutes = f"{sum(each['seconds'] for each in results) / 60:.0f} minutes"
    return (
        f"{number} {of}s, {len(rounds)} rounds, in {sum(busy for _, busy in rounds)} of them every core busy with "
        f"something else; {', '.join((*more, minutes))}.\n"
    )
