"""Without wrapped apps `inject()` and `explore()` say that they do nothing.

Under pytest they reach the frameworks' apps.
"""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.live

APP = """
import asyncio
import flask
import gc
import os
import unittest
import faultinject
from werkzeug.test import Client
from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware
from faultinject.exceptions import ExplorationFailedError, FaultInjectError, RuleNotMatchedError

app = flask.Flask("app")
ask = lambda: app.test_client().get("/").status_code
"""
SAID = (
    "Wrap the app in WSGIFaultMiddleware or ASGIFaultMiddleware (rules=[] will do), or give the "
    "client a FaultTransport."
    " Only under pytest do Flask, Django, Starlette and FastAPI apps of the process need no set-up."
)


def outside_pytest(script):
    """The output of a process of its own, without variables of ours."""
    ran = subprocess.run(
        [sys.executable, "-c", APP + script],
        capture_output=True,
        text=True,
        timeout=100,
        env={name: value for name, value in os.environ.items() if "FAULTINJECT" not in name},
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


TOLD = """
try:
    with faultinject.inject("http:503"):
        assert ask() == 404
except RuleNotMatchedError as error:
    print(error)
"""


AWAITED = """
async def block():
    async with faultinject.inject("http:503"):
        ask()

try:
    asyncio.run(block())
except RuleNotMatchedError as error:
    print(error)
"""
OWN = """
try:
    with faultinject.inject('http:503'):
        1 / 0
except ZeroDivisionError:
    print('its own')
"""
GONE = """
with faultinject.inject('http:503') as faults:
    WSGIFaultMiddleware(app, [])
    gc.collect()
print(faults.attempts)
"""
WITHOUT_RULES = """
def wrapped():
    try:
        return Client(WSGIFaultMiddleware(app)).get("/").status_code
    except faultinject.ConfigurationError:
        return "refused"

with faultinject.inject("http:503", times=1):
    wrapped()
    WSGIFaultMiddleware(app, rules=[])
print(wrapped())
os.environ["FAULTINJECT_RULES"] = "http:500"
print(wrapped())
"""
OFF = """
os.environ["FAULTINJECT_ENABLED"] = "0"
with faultinject.inject("http:503"):
    print(ask())
del os.environ["FAULTINJECT_ENABLED"]
"""
NO_REQUEST = f"inject() saw no request, as nothing in this process is wrapped. {SAID}"


def test_a_block_that_can_see_nothing_fails():
    """A test whose app nobody wrapped must not pass as if its faults had come.

    The block's own error goes first. What was made and is gone within a block could have seen something. A block
    leaves nothing behind: a middleware without rules refuses afterwards, and with rules it injects. Where faults are
    switched off on purpose, nothing is missed.
    """
    said = outside_pytest(OWN + TOLD + AWAITED + OFF + GONE + WITHOUT_RULES).splitlines()
    assert said == ["its own", NO_REQUEST, NO_REQUEST, "404", "0", "refused", "500"]


@pytest.mark.slow
def test_an_earlier_block_is_around_nothing():
    """Blocks that are over, or go on around this one, do not count."""
    twice = """
one = faultinject.inject("http:500")
try:
    with one:
        pass
except RuleNotMatchedError:
    one.__enter__()
"""
    assert outside_pytest(twice + TOLD).startswith("inject() saw no request")


MAKERS = (
    "WSGIFaultMiddleware(app, [])",
    "ASGIFaultMiddleware(app, [])",
    "FaultTransport(rules=[])",
    "Injector([])",
    "faultinject.install(app, 'http:418', enabled=True)",
)
QUIET = """
with faultinject.inject("http:503") as faults:
    pass
print(faults.attempts)
"""


def test_a_block_that_may_see_something_is_left_alone():
    """No request came through it: that may be what the test is about.

    What has wrapped something is gone before the next one is made.
    """
    script = "from faultinject.clients.httpx import FaultTransport\n"
    for each in MAKERS:
        script += f"{TOLD}kept = {each}\n{QUIET}kept = None\ngc.collect()\n"
    assert outside_pytest(script).splitlines() == [NO_REQUEST, "0"] * len(MAKERS)


UNITTEST = """
class Test(unittest.TestCase):
    def test(self):
        with faultinject.inject("http:503"):
            ask()

result = unittest.TestResult()
unittest.defaultTestLoader.loadTestsFromTestCase(Test).run(result)
print(len(result.failures), len(result.errors))
"""
EXPLORED = """
try:
    for run in faultinject.explore("http:503"):
        with run:
            ask()
except ExplorationFailedError as error:
    print(error)
"""
DRAWN = """
from faultinject.strategies import scenarios
try:
    scenarios(faultinject.record(ask), "http:503")
except FaultInjectError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "said"),
    [
        (UNITTEST, "1 0"),
        (EXPLORED, f"no middleware saw a request, so there is nothing to explore. {SAID}"),
        (DRAWN, f"there are no requests to draw from: none was seen. {SAID}"),
    ],
    ids=["a failure of unittest", "nothing to explore", "nothing to draw from"],
)
def test_what_is_said_where(script, said):
    """unittest sees an AssertionError; outside pytest no app is seen by itself."""
    assert outside_pytest(script) == said
