"""Rows of truth tables: a client as it is described, and what a check must say of it."""

from __future__ import annotations

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
    if row.expected is None:
        assert told == []
    elif isinstance(row.expected, dict):
        assert {each.subject: each.verdict for each in found} == row.expected, told
    else:
        expected = row.expected if isinstance(row.expected, list) else [row.expected]
        assert [each.verdict for each in found] == expected, told
    if "n" in row.said:
        numbers = row.said["n"] if isinstance(row.said["n"], list) else [row.said["n"]]
        assert [each.n for each in found] == numbers, told
    if "subject" in row.said:
        assert [each.subject for each in found] == [row.said["subject"]], told
    if "says" in row.said:
        assert any(row.said["says"] in f"{each.message} {each.action}" for each in found), told
    if "says_not" in row.said:
        assert not any(row.said["says_not"] in f"{each.message} {each.action}" for each in found), told


def each_holds(*table):
    """A test of all these rows."""
    return each_row("row", table, ids=str)(holds)
