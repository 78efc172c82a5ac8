"""What is said at the start."""

import subprocess
import sys

import pytest

from faultinject import Injector


def announced(caplog, rules):
    Injector(rules, seed=1).announce()
    return caplog.messages[-1]


def test_few_rules_are_told_whole(caplog):
    """A shell that cut a rule short must be visible."""
    text = "cos:SlowDown,path=photos/,times=2 http:503"
    assert announced(caplog, text) == f"faultinject is on: seed 1, rules {text}"


def test_many_rules_are_counted(caplog):
    """Ten thousand rules are not half a megabyte of log."""
    told = announced(caplog, " ".join(f"http:503,path=/{number}" for number in range(25)))
    assert told.endswith("http:503,path=/19 and 5 more")


def test_a_long_rule_is_cut(caplog):
    """A message of 100 kB stays out of the log."""
    told = announced(caplog, f"http:503,message={'x' * 100_000}")
    assert told == f"faultinject is on: seed 1, rules http:503,message={'x' * 483}…"


@pytest.mark.parametrize("imported", ["", "import logging\n"])
def test_it_is_said_whether_or_not_logging_is_loaded(imported):
    """Where nobody has loaded logging, standard error gets the very line that logging would write."""
    script = f"{imported}import faultinject\nfaultinject.Injector('http:503', seed=1).announce()"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stderr == "faultinject is on: seed 1, rules http:503\n"
