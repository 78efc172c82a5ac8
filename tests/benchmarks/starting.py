"""Start-up cost of an import, of `install()`, of the command, and of a test run's plugin.

The plugin is measured in use and unused.
"""

import os
import random
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from measure import AGAIN, Goal, Row, Sample, retried

_INSTALL = "import faultinject; faultinject.install(lambda environ, start_response: [])"
_ON = {
    "FAULTINJECT_ENABLED": "1",
    "FAULTINJECT_RULES": "cos:SlowDown,probability=0.3,method=PUT,path=photos/",
}
MARKED = 200
_TESTS = """
import pytest
{imports}

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return []

asked = {asked}

{marker}
@pytest.mark.parametrize("number", range({number}))
def test_asks(number):
    environ = {{"REQUEST_METHOD": "GET", "PATH_INFO": "/photos/a.jpg", "SERVER_PROTOCOL": "HTTP/1.1"}}
    assert asked(environ, lambda *_: None) is not None
"""
_WITH = {
    "imports": "from faultinject import WSGIFaultMiddleware",
    "asked": "WSGIFaultMiddleware(app, [])",
    "marker": '@pytest.mark.faultinject("cos:SlowDown")',
}
_WITHOUT = {"imports": "", "asked": "app", "marker": ""}
_STARTED: list[tuple[dict[str, Any], int, dict[str, tuple[str, str, float]]]] = [
    (
        {"bare": (["-c", "pass"], {}), "off": (["-c", _INSTALL], {}), "on": (["-c", _INSTALL], _ON)},
        41,
        {
            "off": ("import and install(), off", "bare interpreter", 1.05),
            "on": ("import and install(), on, text rules", "bare interpreter", 0),
        },
    ),
    (
        {"flask": (["-c", "import flask"], {}), "on": (["-c", f"import flask; {_INSTALL}"], _ON)},
        31,
        {"on": ("import and install(), on, after `import flask`", "import flask", 1.10)},
    ),
    (
        {
            "click": (["-c", "import click"], {}),
            "version": ([os.fspath(Path(sys.executable).with_name("faultinject")), "--version"], {}),
        },
        41,
        {"version": ("`faultinject --version`", "import click", 1.5)},
    ),
]
"""The processes, the rounds, and by process the case, its counterpart and the goal."""
_ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
_PLUGIN = ["-p", "faultinject.testing.pytest_plugin"]
# For any `-p` pytest looks through the metadata of all installed packages: what is compared with has one that does
# nothing.
_NO_PLUGIN = ["-p", "keyword"]


def run() -> list[Row]:
    started = [row for each in _STARTED for row in retried(partial(_started, *each))]
    return [*started, *retried(_plugin), *retried(_marked)]


def _started(contenders: dict[str, Any], rounds: int, goals: dict[str, tuple[str, str, float]]) -> list[Row]:
    sample = _processes(contenders, rounds)
    return [_told(sample, name, *goal) for name, goal in goals.items()]


def _plugin() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        command = _tests(folder, "def test_trivial():\n    pass\n")
        sample = _processes(
            {"without": ([*command, *_NO_PLUGIN], _ALONE), "with": ([*command, *_PLUGIN], _ALONE)}, rounds=61
        )
    return [sample.added_row("with", "pytest plugin, no marker", "pytest without it", Goal("≤", 5, "ms"))]


def _marked() -> list[Row]:
    """The cost of each further marked test; the first one loads the engine."""
    with tempfile.TemporaryDirectory() as folder:
        contenders = {}
        for number in (MARKED, 1):
            for name, words, more in (("without", _WITHOUT, _NO_PLUGIN), ("with", _WITH, _PLUGIN)):
                place = Path(folder, f"{name}-{number}")
                place.mkdir()
                command = _tests(os.fspath(place), _TESTS.format(number=number, **words))
                contenders[f"{name} {number}"] = ([*command, *more], _ALONE)
        sample = _processes(contenders, rounds=21)
    many, one = (sample.added(f"with {number}", f"without {number}") for number in (MARKED, 1))
    added = [(each - first) / (MARKED - 1) / 1e6 for each, first in zip(many, one, strict=True)]
    return [
        sample.row(
            "pytest plugin, a marked test with one request", "pytest without it", Goal("≤", 0.6, "ms"), added
        )
    ]


def _tests(folder: str, text: str) -> list[str]:
    """The arguments by which pytest runs a module of tests."""
    Path(folder, "pytest.ini").write_text("[pytest]\n")
    Path(folder, "test_trivial.py").write_text(text)
    return ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder, folder]


def _told(sample: Sample, name: str, case: str, against: str, limit: float) -> Row:
    low, high = (
        sorted(sample.times[each])[len(sample.times[each]) // 2] / 1e6 for each in (sample.base, name)
    )
    goal = Goal("≤" if limit else "", limit)
    return sample.row(case, against, goal, sample.ratios(name), f"{low:.1f} → {high:.1f} ms")


def _processes(contenders: dict[str, tuple[list[str], dict[str, str]]], rounds: int) -> Sample:
    """Whole-process CPU time, user and system, of fresh interpreters; one warm-up each."""
    base = next(iter(contenders))
    contenders = {**contenders, AGAIN: contenders[base]}
    sample = Sample(base, {name: [] for name in contenders})
    order = list(contenders)
    shuffle = random.Random(1).shuffle
    for number in range(rounds + 1):
        shuffle(order)
        for name in order:
            spent = _spend(*contenders[name])
            if number:
                sample.times[name].append(spent)
    return sample


def _spend(arguments: list[str], variables: dict[str, str]) -> float:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments} ended with {process.returncode}")
    return (used.ru_utime + used.ru_stime) * 1e9
