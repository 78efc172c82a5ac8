"""Rows of truth tables: a client as it is described, and what a check must say of it."""

from dataclasses import dataclass

from tests.journals import findings
from tests.rows import each_row

FAIL, WARN, INCONCLUSIVE, PASS = "FAIL", "WARN", "INCONCLUSIVE", "PASS"


@dataclass
class Row:
    """The expected result of a check.

    Attributes:
        expected: the verdict of its one finding, a list of verdicts, or verdicts by subject; None: no finding.
        groups: the calls of the client.
        said: `n`, `subject`: of that finding; `says`, `says_not`: texts in its message and action, or not in them.
        how: arguments of `journals.judged`.
        check: the check.
        number: which of the rows about that check it is, from 1.
    """

    expected: object
    groups: tuple
    said: dict
    how: dict
    check: str = ""
    number: int = 0

    def __str__(self):
        return f"{self.check} {self.number}"


def to(expected, *groups, **how):
    """A row of a table."""
    said = {name: how.pop(name) for name in ("n", "subject", "says", "says_not") if name in how}
    return Row(expected, groups, said, how)


def rows(check, *table):
    """The rows about one check."""
    for number, each in enumerate(table, 1):
        each.check, each.number = check, number
    return table


def holds(row):
    """Assert that the check says so."""
    found = findings(row.check, *row.groups, **row.how)
    told = [(each.subject, each.verdict, each.n, each.message) for each in found]
    if isinstance(row.expected, dict):
        assert {each.subject: each.verdict for each in found} == row.expected, told
    else:
        assert [each.verdict for each in found] == ([] if row.expected is None else listed(row.expected)), (
            told
        )
    for name in row.said.keys() & {"n", "subject"}:
        assert [getattr(each, name) for each in found] == listed(row.said[name]), told
    for name, expected in (("says", True), ("says_not", False)):
        text = row.said.get(name)
        assert text is None or any(text in f"{each.message} {each.action}" for each in found) is expected, (
            told
        )


def listed(expected):
    """One thing, or several, as a list."""
    return expected if isinstance(expected, list) else [expected]


def each_holds(*table):
    """A test of all these rows."""
    return each_row("row", table, ids=str)(holds)
