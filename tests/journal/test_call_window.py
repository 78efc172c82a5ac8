"""The text of an error that a caller got."""

from itertools import pairwise

import pytest

from faultinject.journal.call_window import text_of


def failing(*errors: BaseException) -> BaseException:
    """The last error, which each error before it has caused in turn."""
    for cause, error in pairwise(errors):
        error.__context__ = cause
    return errors[-1]


@pytest.mark.parametrize(
    ("errors", "text"),
    [
        ([ValueError("two  words\n")], "ValueError: two words"),
        (
            [
                OSError(-2, "Name or service not known"),
                RuntimeError("no connection"),
                ValueError("to http://x"),
            ],
            "ValueError: to http://x (OSError: [Errno -2] Name or service not known)",
        ),
        (
            [
                ConnectionResetError(104, "Connection reset by peer"),
                ValueError("Connection reset by peer, twice"),
            ],
            "ValueError: Connection reset by peer, twice",
        ),
        ([KeyError("no error of the system"), ValueError("to http://x")], "ValueError: to http://x"),
    ],
)
def test_the_system_error_behind_an_error(errors, text):
    """It is added where the error's own text leaves it out."""
    assert text_of(failing(*errors), str(errors[-1])) == text


def test_errors_that_cause_each_other():
    """Such a circle has an end, and so has the text."""
    first, second = ValueError("x" * 3000), ValueError("y")
    first.__context__, second.__context__ = second, first
    assert text_of(first, str(first)) == f"ValueError: {'x' * 1988}"
