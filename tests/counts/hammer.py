"""Four processes of four threads use one store: `python hammer.py fork|spawn|preload URL`.

Prints their results as JSON: places, numbers of the identity, and how many takes.
"""

import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress

from opened import open_counts

from faultinject.counts.patience import waiting
from faultinject.counts.store import Take
from faultinject.exceptions import StoreBusyError

PROCESSES, THREADS, EACH = 4, 4, 625


def opened(url):
    waiting.answer = 10.0  # the machine may be busy
    return open_counts(url)


def work(counts):
    found = []
    for number in range(EACH):
        scope = "half" if number % 2 else ""
        [(place, n, _)] = matched(counts, scope)
        try:
            taken = counts.take(Take(0, "", 100), True), counts.take(Take(0, "half", 50), True)
        finally:
            counts.release()  # else all others find the store busy, and what went wrong here is not told
        counts.note_injected(0)
        found.append((scope, place, n, *taken))
    return found


def matched(counts, scope):
    """Counted once: where another process has the lock for long on a busy machine, nothing was."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with suppress(StoreBusyError):
            return counts.match([(0, scope, "PUT /b/k", None)], 0.0, True)
        time.sleep(0.001)  # a hold is waited for once
    raise AssertionError("the store is always busy")


INHERITED = []
"""Counts that were used before the fork: what children inherit is known, mapped and open."""


def run(url):
    counts = INHERITED[0] if INHERITED else opened(url)
    with ThreadPoolExecutor(THREADS) as pool:
        return [each for some in pool.map(work, [counts] * THREADS) for each in some]


def main():
    how, url = sys.argv[1:]
    counts = opened(url)
    if how == "preload":
        counts.match([(1, "half", "before", None)], 0.0)
        INHERITED.append(counts)
    context = multiprocessing.get_context("spawn" if how == "spawn" else "fork")
    with ProcessPoolExecutor(PROCESSES, context) as pool:  # it ends its processes without a signal
        found = [each for some in pool.map(run, [url] * PROCESSES) for each in some]
    print(json.dumps({"found": found, "matched": counts.matched(0), "injected": counts.totals([0])[0][1]}))


if __name__ == "__main__":
    main()
