"""Parameters of which the default suite takes a few, and `-m slow` the others."""

import pytest


def others_slowly(values, quick):
    """The values as parameters; those that are not quick are marked slow."""
    return [each if quick(each) else pytest.param(each, marks=pytest.mark.slow) for each in values]


def slowly(*row):
    """Mark one row of parameters slow."""
    return pytest.param(*row, marks=pytest.mark.slow)


FOUNDING = frozenset(("cos", "qingstor", "jss", "qiniu-mix", "gateway"))
"""The vendors of which the default suite takes every row; elsewhere `s3` stands for them."""
