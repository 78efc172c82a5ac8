"""Two servers with the same rules and different seeds in one store: the second is refused, and told both seeds."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.live
RULES = "http:503,probability=0.5"
SERVER = "import faultinject; injector = faultinject.Injector(); print('begun', flush=True); input()"


@pytest.fixture(params=["file", "redis"])
def store(request, tmp_path):
    if request.param == "file":
        return f"file:{tmp_path}/store"
    return f"{request.getfixturevalue('redis_server').url}?prefix={request.getfixturevalue('redis_prefix')}"


@pytest.fixture
def start(store):
    """Start a server by its variables; gives the process, and what it says first or why it does not start."""
    running = []

    def begin(seed, rules=RULES):
        environ = {name: text for name, text in os.environ.items() if not name.startswith("FAULTINJECT_")}
        environ |= {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": rules, "FAULTINJECT_STORE": store}
        environ |= {"FAULTINJECT_SEED": seed} if seed else {}
        pipe = subprocess.PIPE
        ran = subprocess.Popen(
            [sys.executable, "-c", SERVER], stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environ
        )
        running.append(ran)
        said = ran.stdout.readline().strip()
        return said or ran.communicate()[1].splitlines()[-1]

    yield begin
    for each in running:
        each.kill()
        each.communicate()


@pytest.mark.parametrize("second", ["two", pytest.param(None, marks=pytest.mark.slow)])
def test_another_seed_is_refused(start, second):
    """And nobody's counts are touched."""
    assert start("one") == "begun"
    assert " is in use by other rules, or the same with another seed" in start(second)
    assert start("one") == "begun"


@pytest.mark.slow
def test_a_seed_that_was_chosen(start):
    """It stands in no variable: who gives none takes it over, another one is refused."""
    assert start(None) == "begun"
    assert start(None) == "begun"
    assert " is in use by other rules, or the same with another seed" in start("one")


@pytest.mark.slow
def test_other_rules_with_another_seed(start):
    """Are other rules."""
    assert start("one") == "begun"
    assert " is in use by other rules, or the same with another seed" in start("two", "http:500")
