"""Start-up: what importing and installing cost a process, and what the plugin costs a test run that does not use it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import AGAIN, Goal, Row, Sample, retried

_INSTALL = "import faultinject; faultinject.install(lambda environ, start_response: [])"
_ON = {
    "FAULTINJECT_ENABLED": "1",
    "FAULTINJECT_RULES": "cos:SlowDown,probability=0.3,method=PUT,path=photos/",
}


def run() -> list[Row]:
    return [*retried(_alone), *retried(_after_flask), *retried(_plugin)]


def _alone() -> list[Row]:
    sample = _processes(
        {"bare": (["-c", "pass"], {}), "off": (["-c", _INSTALL], {}), "on": (["-c", _INSTALL], _ON)},
        rounds=41,
    )
    return [
        _told(sample, "off", "import and install(), off", "bare interpreter", 1.05),
        _told(sample, "on", "import and install(), on, text rules", "bare interpreter", 2.4),
    ]


def _after_flask() -> list[Row]:
    sample = _processes(
        {"flask": (["-c", "import flask"], {}), "on": (["-c", f"import flask; {_INSTALL}"], _ON)}, rounds=31
    )
    return [_told(sample, "on", "import and install(), on, after `import flask`", "import flask", 1.10)]


def _plugin() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pytest.ini").write_text("[pytest]\n")
        Path(folder, "test_trivial.py").write_text("def test_trivial():\n    pass\n")
        command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder, folder]
        alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        sample = _processes(
            {
                "without": (command, alone),
                "with": ([*command, "-p", "faultinject.testing.pytest_plugin"], alone),
            },
            rounds=61,
        )
    added = [nanoseconds / 1e6 for nanoseconds in sample.added("with")]
    return [sample.row("pytest plugin, no marker", "pytest without it", Goal("≤", 5, "ms"), added)]


def _told(sample: Sample, name: str, case: str, against: str, limit: float) -> Row:
    low, high = (
        sorted(sample.times[each])[len(sample.times[each]) // 2] / 1e6 for each in (sample.base, name)
    )
    return sample.row(case, against, Goal("≤", limit), sample.ratios(name), f"{low:.1f} → {high:.1f} ms")


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
