"""Tables whose rows are asked in one test, which costs more than most rows do."""

import functools
import inspect

import pytest

PARAM = type(pytest.param())


def each_row(names, values, *, ids=repr):
    """As `pytest.mark.parametrize`, but the rows are subtests of one test.

    Each is asked, and named where it fails. Fixtures are set up once for all of them, and a row has no marks.
    """
    names = names if isinstance(names, tuple) else (names,)

    def decorate(test):
        @functools.wraps(test)
        def ask(subtests, **fixtures):
            assert values
            for value in values:
                named = isinstance(value, PARAM)
                assert not (named and value.marks)
                row = value.values if named else value if len(names) > 1 else (value,)
                with subtests.test(value.id if named and value.id else ids(value)[:300]):
                    test(**dict(zip(names, row, strict=True)), **fixtures)

        asked = [each for name, each in inspect.signature(test).parameters.items() if name not in names]
        own = inspect.Parameter("subtests", inspect.Parameter.KEYWORD_ONLY)
        ask.__signature__ = inspect.Signature(
            [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in asked] + [own]
        )
        return ask

    return decorate
