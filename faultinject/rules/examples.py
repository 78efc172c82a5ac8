"""The examples in the docstrings of the vocabulary, as rules in text."""

from __future__ import annotations

import ast
from doctest import DocTestParser

from faultinject.rules.rule import Rule


def example(docstring: str) -> str:
    r"""The first rule that a docstring's examples make, as text.

    >>> example('The chance.\n\n>>> Rule("http:503", probability=0.5).value("probability")\n0.5\n')
    'http:503,probability=0.5'
    """
    source = DocTestParser().get_examples(docstring)[0].source
    calls = (each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.Call))
    call = next(each for each in calls if isinstance(each.func, ast.Name) and each.func.id == "Rule")
    keys = {each.arg: ast.literal_eval(each.value) for each in call.keywords if each.arg}
    return str(Rule(ast.literal_eval(call.args[0]), **keys))
