"""A test of a whole table tells every row that fails."""

import inspect

import pytest

from tests.rows import row_by_row


@row_by_row("one", [1, 2])
@row_by_row("two, three", [(1, 1), (2, 5), (3, 3)], ids=["ones", "not equal", "threes"])
def table(one, two, three, seen):
    """Whether they are equal."""
    seen.append((one, two, three))
    assert one == two == three


def test_each_row_is_tried_and_each_failure_told():
    """With its own assertion; what else the function takes are fixtures."""
    seen = []
    with pytest.raises(BaseExceptionGroup, match="2 of 2 fail: 1 2") as caught:
        table(seen=seen)
    assert seen == [(one, *row) for one in (1, 2) for row in [(1, 1), (2, 5), (3, 3)]]
    [first, second] = caught.value.exceptions
    assert first.message == "2 of 3 fail: not equal threes"
    assert [each.__notes__ for each in first.exceptions] == [["for not equal"], ["for threes"]]
    assert second.message == "3 of 3 fail: ones not equal threes"
    assert "assert 1 == 2" in str(first.exceptions[0])
    assert [*inspect.signature(table).parameters] == ["seen"]


def test_a_table_without_rows_proves_nothing():
    """It fails."""
    with pytest.raises(AssertionError, match="nothing to check"):
        row_by_row("row", [])(lambda row: None)()
