"""Tables of which each row is checked by itself: one test for all rows, which tells every row that fails."""

from functools import wraps
from inspect import signature

import pytest

SHOWN = 3
"""Of so many that failed it is told why."""


def check_each(things, check, ids=None):
    """Check each thing, and fail once, with the name of every thing that failed and with the first reasons."""
    things = list(things)
    assert things, "nothing to check"
    failed = []
    for name, each in zip(ids or map(name_of, things), things, strict=True):
        try:
            check(each)
        except (Exception, pytest.fail.Exception) as error:
            error.add_note(f"for {name}")
            failed.append((f"{name}", error))
    if failed:
        message = f"{len(failed)} of {len(things)} fail: {' '.join(name for name, _ in failed)}"
        raise BaseExceptionGroup(message, [error for _, error in failed[:SHOWN]])


def name_of(thing):
    """What a failure calls it."""
    return getattr(thing, "address", None) or f"{thing!s:.200}"


def row_by_row(names, values, ids=None):
    """As `pytest.mark.parametrize`, for tests of microseconds: pytest itself takes longer for a case than they do.

    A fixture that the test uses is the same for all rows.
    """
    names = [each.strip() for each in names.split(",")] if isinstance(names, str) else [*names]
    values = list(values)
    ids = [*map(ids, values)] if callable(ids) else ids

    def decorate(test):
        @wraps(test)
        def run(*self, **fixtures):
            def check(value):
                row = zip(names, value if len(names) > 1 else [value], strict=True)
                test(*self, **fixtures, **dict(row))

            check_each(values, check, ids)

        given = signature(test)
        rest = [each for name, each in given.parameters.items() if name not in names]
        run.__signature__ = given.replace(parameters=rest)
        return run

    return decorate
