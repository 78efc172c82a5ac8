"""Run the tests on a machine that is busy and stops now and then.

`python .ci/stress.py [--rounds 10] [pytest's arguments]`: each round has an order of its own. Beside the tests run
four loops that only compute, unless `--idle` is given, and at random moments one of pytest's workers is stopped for
one to five seconds (Linux and macOS). A test that fails here fails for somebody: it, or what it tests, has a defect.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from threading import Event, Thread

BUSY = 4
PAUSE = (5.0, 20.0)
"""Seconds between two stops."""
STOP = (1.0, 5.0)
"""Seconds that a worker is stopped for."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--idle", action="store_true", help="without the four loops")
    parser.add_argument("--no-stops", action="store_true", help="stop no worker")
    options, rest = parser.parse_known_args()
    chance = random.Random(options.seed)
    rows = []
    for number in range(1, options.rounds + 1):
        seed = chance.randrange(10**6)
        print(f"\nround {number} of {options.rounds}: pytest --randomly-seed={seed}", flush=True)
        rows.append(one_round(number, seed, options, chance, rest))
    print("\nround  order   load  stops  seconds  result")
    for row in rows:
        print("{:>5}  {:>6}  {:>4.1f}  {:>5}  {:>7.0f}  {}".format(*row))
    sys.exit(any(row[-1] != "passed" for row in rows))


def one_round(
    number: int, seed: int, options: argparse.Namespace, chance: random.Random, rest: list[str]
) -> tuple[int, int, float, int, float, str]:
    """Run the tests once, and return the line of the table."""
    loops = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(0 if options.idle else BUSY)
    ]
    began = time.monotonic()
    ended = Event()
    stops: list[int] = []
    try:
        tests = subprocess.Popen([sys.executable, "-m", "pytest", "-q", f"--randomly-seed={seed}", *rest])
        if not options.no_stops:
            Thread(target=stop_now_and_then, args=(tests.pid, chance, stops, ended), daemon=True).start()
        code = tests.wait()
    finally:
        ended.set()
        for each in loops:
            each.kill()
            each.wait()
    result = "passed" if code == 0 else f"exit code {code}"
    return number, seed, os.getloadavg()[0], len(stops), time.monotonic() - began, result


def stop_now_and_then(parent: int, chance: random.Random, stops: list[int], ended: Event) -> None:
    """Stop one of a process's children for a while, until the event is set."""
    while not ended.wait(chance.uniform(*PAUSE)):
        listed = subprocess.run(
            ["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False
        ).stdout
        if children := [int(each) for each in listed.split()]:
            pid = chance.choice(children)
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(pid, signal.SIGSTOP)
                try:
                    time.sleep(chance.uniform(*STOP))
                finally:
                    os.kill(pid, signal.SIGCONT)
                stops.append(pid)


if __name__ == "__main__":
    main()
