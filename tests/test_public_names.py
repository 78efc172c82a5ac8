"""What `import faultinject` offers."""

import importlib
import subprocess
import sys

import pytest

import faultinject
from faultinject import vendors
from faultinject.exceptions import Problem
from tests.rows import row_by_row


@row_by_row("name", faultinject.__all__)
def test_every_public_name_is_there_and_listed(name):
    """Names are loaded on first use, and `dir()` shows them before."""
    assert getattr(faultinject, name) is not None
    assert name in dir(faultinject)


def test_modules_that_are_loaded_on_first_use():
    """A name with its module needs no import of its own."""
    program = (
        "import faultinject as f; print(f.vendors.names()[0], f.exceptions.__name__, f.strategies.scenarios)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.startswith(f"{vendors.names()[0]} faultinject.exceptions <function scenarios")


def test_unknown_names_are_attribute_errors():
    """A typo is told as for any module."""
    with pytest.raises(AttributeError, match=r"^module 'faultinject' has no attribute 'instal'$"):
        faultinject.instal  # noqa: B018 - the look is what is tested


def test_values_show_themselves():
    """In a debugger a row, a vendor and a problem say what they are."""
    assert repr(vendors.find("jss:BucketNotEmpty/3")) == "<DocumentedError jss:BucketNotEmpty/3 409>"
    assert repr(vendors.get("cos")) == "<Vendor cos>"
    assert repr(Problem("is wrong", where="rule 1")) == "Problem('rule 1: is wrong')"


def test_what_a_room_does_not_show():
    """A room shows a few names; another one is told as for any module."""
    assert "judge" in importlib.import_module("faultinject.audit").__all__
    with pytest.raises(AttributeError, match=r"^module 'faultinject.audit' has no attribute 'jugde'$"):
        importlib.import_module("faultinject.audit").jugde  # noqa: B018 - the look is what is tested
