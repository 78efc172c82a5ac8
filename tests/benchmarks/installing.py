"""Time and memory of `install()` with 10,000 rules from Rule objects, text and TOML."""

import subprocess
import sys
import tempfile
import tomllib
import tracemalloc
from pathlib import Path

from apps import around, rules, trivial_wsgi
from measure import Goal, Row, side_by_side

from faultinject import Rule, Scenario

MANY = 10_000


def run() -> list[Row]:
    return [*_times(), _memory()]


def _rules() -> list[Rule]:
    return rules(MANY, probability=0.3)


def _times() -> list[Row]:
    given = _rules()
    text, toml = str(Scenario(given)), Scenario(given).to_toml()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rules.toml")
        file.write_text(toml)
        sample = side_by_side(
            {
                "tomllib": lambda _: tomllib.loads(file.read_text()),
                "making": lambda _: _rules(),
                "objects": lambda _: around(trivial_wsgi, given),
                "text": lambda _: around(trivial_wsgi, text),
                "toml": lambda _: around(trivial_wsgi, Scenario.load(file)),
            },
            rounds=9,
            once=True,
        )
    cases = {
        "objects": ("install 10,000 rules, Rule objects", Goal("≤", 60, "ms")),
        "text": ("install 10,000 rules, text", Goal("≤", 150, "ms")),
        "making": ("make 10,000 Rule objects", Goal("", 0, "ms")),
    }
    return [
        *(
            sample.row(case, "–", goal, [nanoseconds / 1e6 for nanoseconds in sample.times[name]])
            for name, (case, goal) in cases.items()
        ),
        sample.ratio("toml", "install 10,000 rules, TOML", "tomllib's own time", Goal("≤", 2.0)),
    ]


def _memory() -> Row:
    done = subprocess.run([sys.executable, __file__], check=True, capture_output=True, text=True)
    megabytes = int(done.stdout) / 1e6
    return Row("10,000 rules in memory", "–", Goal("≤", 16, "MB"), megabytes, megabytes, megabytes)


def _measure_memory() -> int:
    around(trivial_wsgi, rules(1))
    tracemalloc.start()
    app = around(trivial_wsgi, _rules())
    used, _peak = tracemalloc.get_traced_memory()
    assert app is not trivial_wsgi
    return used


if __name__ == "__main__":
    print(_measure_memory())
