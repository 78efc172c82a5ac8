"""Memory under a flood of distinct keys, long paths and large uploads.

Each case in a process of its own, with and without faultinject.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from apps import Environ, around, environ, trivial_wsgi
from measure import Goal, Row

LIMIT = 96
CEILING = 3 << 30
FLOODS = {
    "keys": "1,000,000 distinct keys",
    "paths": "20,000 distinct paths of 64 KiB",
    "uploads": "8 uploads of 128 MiB",
}
RULES = "cos:SlowDown,probability=0.3,per=key,times=1000000"


class Upload:
    """A request body that is made while it is read."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        size = min(self.left, size if size >= 0 else self.left)
        self.left -= size
        return bytes(size)


def run() -> list[Row]:
    return [_compared(*each) for each in FLOODS.items()]


def _compared(flood: str, told: str) -> Row:
    without, with_us = (_resident(flood, how) for how in ("bare", "on"))
    added = with_us - without
    note = f"{without:.0f} → {with_us:.0f}"
    return Row(told, "without faultinject", Goal("≤", LIMIT, "MiB"), added, added, added, note=note)


def _resident(flood: str, how: str) -> float:
    """The largest resident size of a process, in MiB; infinite where it broke the ceiling."""
    done = subprocess.run([sys.executable, __file__, flood, how], check=False, capture_output=True, text=True)
    return float(done.stdout) if done.returncode == 0 else float("inf")


def _requests(flood: str) -> Iterator[Environ]:
    first = environ()
    if flood == "uploads":
        for _ in range(8):
            yield {**first, "CONTENT_LENGTH": str(128 << 20), "wsgi.input": Upload(128 << 20)}
        return
    keys = (f"photos/k{number % 1000}x{number // 1000}.jpg" for number in range(1_000_000))
    paths = (f"k{number % 100}x{number // 100}/{'name-' * 13_107}" for number in range(20_000))
    for each in keys if flood == "keys" else paths:
        yield {**first, "PATH_INFO": f"/bucket/{each}", "RAW_URI": f"/bucket/{each}"}


def _start(status: str, headers: list[tuple[str, str]]) -> None:
    return None


def _reading(environ: Environ, start_response: Any) -> Iterable[bytes]:
    source = environ["wsgi.input"]
    while source is not None and source.read(1 << 16):
        pass
    return trivial_wsgi(environ, start_response)


def _flood(flood: str, how: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (CEILING, CEILING))
    app: Any = (
        _reading if how == "bare" else around(_reading, RULES if flood != "uploads" else "cos:SlowDown")
    )
    for request in _requests(flood):
        app(request, _start)
    if how == "on" and app.injector.errors:
        sys.exit(f"{app.injector.errors[0]!r}")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    os.nice(5)
    _flood(*sys.argv[1:3])
