"""The names of `import faultinject`."""

import builtins
import collections.abc
import inspect
import re
import subprocess
import sys
import typing
from types import FunctionType

import pytest

import faultinject
from faultinject import plugins, vendors
from faultinject.exceptions import Problem
from tests.python_page import ATTRIBUTES, ERRORS, MADE_BY_USERS, MEMBERS, documented, entry, members

PLAIN = {
    "PathLike", "TracebackType", "AbstractContextManager", "Allowed", "App", "ASGIApp", "Escape", "Ids", "Interface", "Named",
    "StorageRequest", "WSGIApp",
}  # fmt: skip
"""Names of the standard library, and short names for its types."""


@pytest.mark.parametrize("module", [faultinject, plugins])
def test_every_public_name_is_there_and_listed(module):
    """Names are loaded on first use, and `dir()` shows them before."""
    assert None not in [getattr(module, name) for name in module.__all__]
    assert {*module.__all__} <= {*dir(module)}


def test_modules_that_are_loaded_on_first_use():
    """A name with its module needs no import of its own."""
    program = (
        "import faultinject as f; print(f.vendors.names()[0], f.exceptions.__name__, f.strategies.scenarios)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.startswith(f"{vendors.names()[0]} faultinject.exceptions <function scenarios")


def signatures():
    """The signatures on the page of the Python interface, by what has them."""
    for name in faultinject.__all__:
        value = getattr(faultinject, name)
        if isinstance(value, FunctionType):
            yield name, value
        elif isinstance(value, type) and not issubclass(value, Exception | dict):
            if name in MADE_BY_USERS:
                yield name, value.__init__
            for key, found in members(value):
                yield (
                    f"{name}.{key}",
                    getattr(found, "__func__", getattr(found, "fget", getattr(found, "func", found))),
                )


def test_what_signatures_name_can_be_imported():
    """Users annotate their own functions with it."""
    public = {
        *faultinject.__all__,
        *plugins.__all__,
        *PLAIN,
        *dir(builtins),
        *dir(typing),
        *dir(collections.abc),
    }
    named = {
        f"{name}: {word}"
        for name, function in signatures()
        for annotation in function.__annotations__.values()
        for word in re.findall(r"\b[A-Z]\w+", str(annotation))
        if word not in public
    }
    assert not named


WORDS = [
    ("Attempt", "did", "Did"),
    ("Attempt", "when", "When"),
    ("DocumentedError", "category", "Category"),
    ("DocumentedError", "retryable", "Retryable"),
    ("Finding", "verdict", "Verdict"),
    ("Outcome", "did", "Did"),
    ("Outcome", "when", "When"),
]


@pytest.mark.parametrize(("owner", "attribute", "word"), WORDS)
def test_types_of_a_few_words_can_be_imported(owner, attribute, word):
    """Users annotate their own functions with the type of such an attribute."""
    bases = map(inspect.get_annotations, getattr(faultinject, owner).__mro__)
    [annotation] = {each[attribute] for each in bases if attribute in each}
    assert annotation.partition(" |")[0] == word
    assert typing.get_origin(getattr(faultinject, word)) is typing.Literal


def test_every_class_has_its_members_on_the_page():
    """They are listed by hand; each is there and has a docstring."""
    classes = {
        name: value for name in faultinject.__all__ if isinstance(value := getattr(faultinject, name), type)
    }
    errors = [name for name, value in classes.items() if issubclass(value, Exception)]
    assert classes.keys() - {*errors} <= MEMBERS.keys() <= {*faultinject.__all__}
    silent = [
        (name, key)
        for name in classes.keys() - {*errors}
        for key, value in members(classes[name])
        if not documented(value)
    ]
    assert silent == []
    for name, kept in ATTRIBUTES.items():
        assert set(re.findall(r"^- `(\w+)`: ", entry(name, classes[name]), re.MULTILINE)) == {*kept.split()}


def test_unknown_names_are_attribute_errors():
    """A typo is told as for any module."""
    with pytest.raises(AttributeError, match=r"^module 'faultinject' has no attribute 'instal'$"):
        faultinject.instal  # noqa: B018 - the look is what is tested


def test_values_show_themselves():
    """In a debugger a row, a vendor and a problem say what they are."""
    values = (vendors.find("jss:BucketNotEmpty/3"), vendors.get("cos"), Problem("is wrong", where="rule 1"))
    assert [*map(repr, values)] == [
        "<DocumentedError jss:BucketNotEmpty/3 409>",
        "<Vendor cos>",
        "Problem('rule 1: is wrong')",
    ]


def test_errors_end_in_error():
    """As those of Python and of most libraries."""
    assert ERRORS
    assert [name for name in ERRORS if not name.endswith("Error")] == []
