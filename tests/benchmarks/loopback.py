"""Over loopback: real servers on one processor, the load on another.

What is compared is requests per second of the server's own processor time, which is what requests/s are on a machine
where nothing else runs; the wall clock's requests/s stand in the note.
"""

import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from measure import AGAIN, Goal, Row, Sample, retried

HERE = Path(__file__).parent
ROUNDS = 9
SECONDS = 0.5
PROCESSORS = sorted(os.sched_getaffinity(0))
VARIANTS = {
    "raw": ("bare", AGAIN, "noop", "all", "some", "base"),
    "fastapi": ("bare", AGAIN, "noop", "all", "some", "base"),
    "flask": ("bare", AGAIN, "all", "some"),
}
TITLES = {"raw": "raw ASGI on uvicorn", "fastapi": "FastAPI on uvicorn", "flask": "Flask on gunicorn"}
GOALS = {"fastapi": {"all": 1.1, "some": 0.8}, "flask": {"all": 1.2, "some": 0.93}}


@dataclass
class Server:
    """A server process on the last processor."""

    process: subprocess.Popen[bytes]
    reserved: socket.socket

    @property
    def port(self) -> int:
        return self.reserved.getsockname()[1]

    def spent(self) -> int:
        """Nanoseconds of processor time of the server and its workers."""
        pids = [self.process.pid, *_children(self.process.pid)]
        return sum(map(_spent, pids))

    def listens(self) -> bool:
        """Whether it takes connections, sooner or later."""
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return True
        return False

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reserved.close()


def run() -> list[Row]:
    apps = [app for app in VARIANTS if app != "flask" or find_spec("gunicorn")]
    return [row for app in apps for row in retried(partial(_compared, app))]


def _compared(app: str) -> list[Row]:
    with ExitStack() as stack:
        servers = {
            variant: stack.enter_context(serving(app, variant.replace(AGAIN, "bare")))
            for variant in VARIANTS[app]
        }
        cpu, wall = measured(servers)
    sample = Sample("bare", cpu)
    title = TITLES[app]
    goals = GOALS.get(app, {})

    def row(name: str, case: str, against: str, to: str = "bare", limit: float = 0) -> Row:
        ratios = [other / one for one, other in zip(cpu[name], cpu[to], strict=True)]
        wall_ratio = median(other / one for one, other in zip(wall[name], wall[to], strict=True))
        note = f"{median(cpu[name]) / 1000:.0f} µs CPU a request; by the clock {wall_ratio:.2f} ×"
        return sample.row(case, against, Goal("≥" if limit else "", limit), ratios, note)

    rows = [
        row(name, f"{title}, {told} injected, requests/s", "bare", limit=goals.get(name, 0))
        for name, told in (("all", "100 %"), ("some", "30 %"))
    ]
    if "base" in servers:
        rows.append(row("some", f"{title}, 30 % injected, requests/s", "BaseHTTPMiddleware doing it", "base"))
    return rows


def measured(
    servers: dict[str, Server],
    ask: Callable[[str, int], tuple[int, float]] = lambda name, port: load(port, SECONDS),
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Nanoseconds a request by server, round by round: of its processor time, and of the clock.

    Args:
        servers: by name.
        ask: sends requests to the server of that name, at that port; gives their number and the seconds they took.
    """
    cpu: dict[str, list[float]] = {name: [] for name in servers}
    wall: dict[str, list[float]] = {name: [] for name in servers}
    order = list(servers)
    for name, server in servers.items():
        ask(name, server.port)
    shuffle = random.Random(1).shuffle
    for _ in range(ROUNDS):
        shuffle(order)
        for name in order:
            before = servers[name].spent()
            done, seconds = ask(name, servers[name].port)
            cpu[name].append((servers[name].spent() - before) / done)
            wall[name].append(seconds * 1e9 / done)
    return cpu, wall


@contextmanager
def start(command: Callable[[int], list[str]]) -> Iterator[Server]:
    """Start a server whose command is made for a port; it is ended behind the block."""
    # As tests/ports.py does it, which these programs do not import: bound without listening, nobody else is given it.
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    words = command(reserved.getsockname()[1])
    server = Server(_pinned(words, PROCESSORS[-1], stdout=subprocess.DEVNULL), reserved)
    try:
        if not server.listens():
            raise SystemExit(f"{' '.join(words)} does not start")
        yield server
    finally:
        server.stop()


def serving(app: str, variant: str, **variables: object) -> AbstractContextManager[Server]:
    """A server of ours, with these variables in its environment."""
    command = ["env", *(f"{name}={value}" for name, value in variables.items()), sys.executable]
    return start(lambda port: [*command, str(HERE / "serving.py"), app, variant, str(port)])


def load(port: int, seconds: float) -> tuple[int, float]:
    """Requests done, and the seconds that they took."""
    command = [sys.executable, str(HERE / "loading.py"), str(port), str(seconds)]
    numbers = r"(\d+) ([\d.]+)"
    if shutil.which("wrk"):
        url = f"http://127.0.0.1:{port}/bucket/photos/2024/a.jpg"
        command = ["wrk", "-t1", "-c16", f"-d{max(1, round(seconds))}s", url]
        numbers = r"(\d+) requests in ([\d.]+)s"
    text = _pinned(command, PROCESSORS[0], stdout=subprocess.PIPE).communicate()[0].decode()
    found = re.search(numbers, text)
    assert found, text
    return int(found[1]), float(found[2])


def _pinned(command: list[str], processor: int, stdout: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, stdout=stdout, stderr=None, preexec_fn=lambda: os.sched_setaffinity(0, {processor})
    )


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _spent(pid: int) -> int:
    """Nanoseconds of a process, with those of its threads that have ended."""
    try:
        # The clock that Linux keeps for each process, with the number that clock_getcpuclockid(3) gives it.
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return 0
