"""The audit's verdicts on programs without a driver are true; README.md lists them."""

import pytest

from tests.pairs import fewest

from .programs import recording
from .programs.all import GROUPS, PROGRAMS
from .programs_table import ALARM, CAUGHT, ENOUGH, GREEN, compare
from .subjects import HERE

# It takes a second, and its twin shows no more of the way. The others are slow, as there are many, or need more of a
# machine than a suite of tests leaves them.
QUICK = ("never retries",)


def shows(name):
    """A program's class, whether it is right, and its findings."""
    yield PROGRAMS[name].group, PROGRAMS[name].right
    yield from PROGRAMS[name].caught


SLOW = fewest([name for name in PROGRAMS if name not in QUICK], shows)


def judged(name, folder):
    """The verdicts on a run."""
    path = folder / "journal.jsonl"
    recording.record(PROGRAMS[name], path)
    return compare(PROGRAMS[name], recording.judged(path)["findings"])


def wrong(rows):
    """The rows that are false."""
    return [str(each) for each in rows if each.outcome in (ALARM, GREEN)]


@pytest.mark.parametrize("name", QUICK)
def test_verdict_is_true(name, tmp_path):
    """No false alarm and no false green; and what is wrong and shows in what is sent is found."""
    rows = judged(name, tmp_path)
    assert wrong(rows) == []
    if not PROGRAMS[name].timed:
        assert [str(each) for each in rows if each.outcome == ENOUGH] == []
        assert any(each.outcome == CAUGHT for each in rows) == bool(PROGRAMS[name].caught)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_verdict_on_what_takes_longer_is_true(name, tmp_path):
    """No false alarm and no false green."""
    assert wrong(judged(name, tmp_path)) == []


def test_every_class_has_twins():
    """A program with what is wrong, and one without."""
    for group in GROUPS:
        assert {each.right for each in PROGRAMS.values() if each.group == group} == {True, False}, group


def test_table_is_of_these_programs():
    """The second table holds every program, no false alarm and no false green."""
    _, _, text = (HERE / "README.md").read_text(encoding="utf-8").partition("## Programs without a driver")
    assert next(line for line in text.splitlines() if line.startswith("| **all** |")).endswith("| 0 | 0 |")
    assert {line.split(" | ")[1] for line in text.splitlines() if line.startswith("| ")} >= PROGRAMS.keys()
