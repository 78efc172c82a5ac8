"""The audit finds what is wrong with a client that is broken on purpose, and nothing else.

README.md has what it says of every client in every phase; here each is made to show its bug in the phases that do so.
"""

import pytest

from faultinject.conformance.driving import run
from faultinject.conformance.plan import PHASES
from tests.slowly import others_slowly

from .comparison import CAUGHT, compare
from .subjects import HERE, ours

OURS = {each.name: each for each in ours()}

# The phases that show it.
AT_ONCE = {
    "doubles post": "lost",
    "gives up on 429": "too-many-requests reset",
    "gives up on reset": "reset",
    "gives up on slow down": "one-read reset",
    "hedges": "slow throttled",
    "malformed retry after": "junk one-read",
    "never retries": "one-read reset",
    "not rewound": "one",
    "orphan upload": "lost",
    "retries forbidden": "denied not-found bad",
    "rewound too far": "one",
    "swallows error": "error-in-200",
}
BY_THE_CLOCK = {
    "endless": "throttled",
    "fixed wait": "throttled",
    "herd": "throttled",
    "retry after in milliseconds": "retry-after one",
    "retry after without dates": "retry-after-date one",
    "ignores retry after": "retry-after retry-after-date one",
    "nested layers": "throttled",
    "nested sdk": "throttled",
    "no budget": "out",
    "only at once": "throttled",
    "shrinking waits": "throttled",
    "tight loop": "throttled",
}
# A machine that is busy with other things may keep a wait from being judged; then there is another try.
TRIES = 3


def judged(client, names=None, **more):
    """The judgement on a client."""
    phases = None if names is None else [each for each in PHASES if each.name in {"cal", *names.split()}]
    return run(client, name="client", phases=phases, **more).judgement


def rows_of(subject, names=None):
    """As the confusion table has them, without what those phases cannot show."""
    judgement = judged(subject.make, names, vendor=subject.vendor, aws=subject.aws)
    rows = compare([each.to_dict() for each in judgement.findings], subject.expected)
    return [each for each in rows if each.got is not None]


def test_every_broken_client_is_tried():
    """No client of the corpus is forgotten here."""
    broken = {name for name, each in OURS.items() if each.group == "broken"}
    assert broken == AT_ONCE.keys() | BY_THE_CLOCK.keys()


@pytest.mark.parametrize("name", others_slowly(AT_ONCE, ("never retries", "swallows error").__contains__))
def test_bug_is_caught(name):
    """A bug that shows in what is sent, whenever that is, is always found."""
    rows = rows_of(OURS[name], AT_ONCE[name])
    assert [str(each) for each in rows if each.wrong] == []
    assert any(each.outcome == CAUGHT for each in rows)


# On a machine without a free processor it is not known whether it waits.
TIGHT = pytest.param("tight loop", marks=pytest.mark.alone)


@pytest.mark.slow
@pytest.mark.parametrize("name", [TIGHT if each == "tight loop" else each for each in BY_THE_CLOCK])
def test_bug_of_waiting_is_caught(name):
    """A bug that shows in when things are sent is found as soon as the machine is quiet enough."""
    for _ in range(TRIES):
        rows = rows_of(OURS[name], BY_THE_CLOCK[name])
        assert [str(each) for each in rows if each.wrong] == []
        if any(each.outcome == CAUGHT for each in rows):
            return
    pytest.skip("the machine is too busy to tell")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, each in OURS.items() if each.group == "well-behaved"])
def test_no_false_alarm(name):
    """A client that does everything right is not blamed for anything in the whole plan."""
    assert [str(each) for each in rows_of(OURS[name]) if each.wrong] == []


def test_table_is_of_these_clients():
    """The confusion table holds every client of the corpus, no false alarm and no miss."""
    text = (HERE / "README.md").read_text(encoding="utf-8")
    assert next(line for line in text.splitlines() if line.startswith("| **all** |")).endswith("| 0 | 0 |")
    named = {line.split(" | ")[0].removeprefix("| ") for line in text.splitlines() if line.startswith("| ")}
    assert OURS.keys() - named == set()
