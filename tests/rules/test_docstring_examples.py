"""The examples in the vocabulary's docstrings, which the command line prints, are run."""

import doctest
import importlib
import pkgutil

import faultinject
from faultinject import Rule, Scenario
from faultinject.rules.diagnosis import excerpt
from faultinject.rules.faults import FAULTS
from faultinject.rules.vocabulary import KEYS
from tests.rows import each_row

KNOWN = {"Rule": Rule, "Scenario": Scenario, "inject": faultinject.inject, "excerpt": excerpt}


def failing(examples):
    """The names of those that print something else; some have to be there."""
    found, runner = [each for each in examples if each.examples], doctest.DocTestRunner(verbose=False)
    assert found
    return [each.name for each in found if runner.run(each).failed]


@each_row("word", [*FAULTS, Rule, Scenario, excerpt], ids=lambda each: each.__name__)
def test_the_example_of_a_word_is_right(word):
    """Every fault has an example, and it prints what it says."""
    assert failing(doctest.DocTestFinder(recurse=False).find(word, globs=KNOWN)) == []


@each_row("key", KEYS.values(), ids=lambda each: each.key)
def test_a_key_says_what_it_means(key):
    """The tables of README and command line are made of this; the example prints what it says."""
    assert failing([doctest.DocTestParser().get_doctest(key.doc, KNOWN, key.key, None, 0)]) == []
    assert key.meaning.endswith((".", "all below."))
    assert key.title == (f"{key.key}.NAME" if key.named else key.key)


KEYED = {
    f"faultinject.rules.{each}" for each in ("conditions", "effects", "sample", "triggers", "vocabulary")
}
"""Modules whose examples are those of keys, which have a test of their own."""


def modules_with_examples():
    """Every other module of the package in whose source an example stands."""
    for found in pkgutil.walk_packages(faultinject.__path__, "faultinject."):
        if found.name not in ("faultinject.__main__", *KEYED) and not found.ispkg:
            source = found.module_finder.find_spec(found.name).loader.get_source(found.name)
            if any(line.startswith(">>> ") for line in map(str.strip, source.splitlines())):
                yield found.name


@each_row("name", [*modules_with_examples()])
def test_the_examples_of_a_module_are_right(name):
    """Wherever a docstring shows what comes out, that is what comes out."""
    module = importlib.import_module(name)
    assert failing(doctest.DocTestFinder().find(module, extraglobs=KNOWN)) == []
