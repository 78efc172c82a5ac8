"""Four processes of four threads use one store: `python hammer.py fork|spawn|preload URL`.

Prints their results as JSON: places, numbers of the identity, and how many takes.
"""

import json
import multiprocessing
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from opened import open_counts

from faultinject.counts.patience import waiting
from faultinject.counts.store import Take
from faultinject.exceptions import StoreBusyError

PROCESSES, THREADS, EACH = 4, 4, 625


def opened(url):
    waiting.answer = 10.0  # the machine may be busy
    return open_counts(url)


def work(counts, _thread):
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


def run(path, results, counts=None):
    try:
        counts = counts or opened(path)
        with ThreadPoolExecutor(THREADS) as pool:
            some = [*pool.map(lambda thread: work(counts, thread), range(THREADS))]
        results.put([each for found in some for each in found])
    except BaseException as error:
        results.put(repr(error))
        raise


def main():
    how, path = sys.argv[1:]
    counts = opened(path)
    context = multiprocessing.get_context("spawn" if how == "spawn" else "fork")
    results = context.SimpleQueue()
    inherited = (counts,) if how == "preload" else ()
    if how == "preload":
        # Used before the fork: what children inherit is known, mapped and open.
        counts.match([(1, "half", "before", None)], 0.0)
    processes = [context.Process(target=run, args=(path, results, *inherited)) for _ in range(PROCESSES)]
    for each in processes:
        each.start()
    found = []
    for _ in processes:
        told = results.get()
        if isinstance(told, str):
            sys.exit(told)
        found += told
    for each in processes:
        each.join()
    print(json.dumps({"found": found, "matched": counts.matched(0), "injected": counts.totals([0])[0][1]}))


if __name__ == "__main__":
    main()
