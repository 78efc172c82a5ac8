"""One store and several processes: what four get done together."""

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from apps import calls_wsgi, environ, trivial_wsgi
from measure import Goal, Row, retried, spread

from faultinject import Injector, install

PROCESSES = 4
SECONDS = 1.5
ROUNDS = 7
RULE = "cos:SlowDown,probability=0.3,times=1000000000"


def run() -> list[Row]:
    with TemporaryDirectory() as place:
        return retried(lambda: [_together(place)])


def _together(place: str) -> Row:
    """Requests a second of four processes against one; the control is one against one."""
    store = str(Path(place, "together"))
    again, ratios = [], []
    for _ in range(ROUNDS):
        one, several, other = (_rate(store, number) for number in (1, PROCESSES, 1))
        again.append(other / one)
        ratios.append(several / ((one + other) / 2))
    note = f"{several:,.0f} requests a second"
    return Row(
        f"`file:`, {PROCESSES} processes, `times` rule at 30 %", "one process", Goal("≥", 0.95), *spread(ratios),
        control=spread(again)[0], note=note,
    )  # fmt: skip


def _rate(store: str, number: int) -> float:
    began = [
        subprocess.Popen(
            [sys.executable, __file__, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(number)
    ]
    for each in began:
        assert each.stdout.readline() == "ready\n"
    for each in began:
        each.stdin.write("go\n")
        each.stdin.flush()
    counted = [[int(number) for number in each.communicate()[0].split()] for each in began]
    failed = sum(failed for _, failed in counted)
    assert not failed, f"{failed} requests got no decision"
    return sum(requests for requests, _ in counted) / SECONDS


def _work(store: str) -> None:
    injector = Injector(RULE, seed=1, store=f"file:{store}")
    app: Any = install(trivial_wsgi, injector=injector, enabled=True)
    call = calls_wsgi(app, environ())
    call(100)
    print("ready", flush=True)
    sys.stdin.readline()
    until = time.monotonic() + SECONDS
    done = 0
    while time.monotonic() < until:
        call(50)
        done += 50
    print(done, sum(each.failed for each in injector.counts().values()), flush=True)


if __name__ == "__main__":
    _work(sys.argv[1])
