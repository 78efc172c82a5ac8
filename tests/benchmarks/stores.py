"""The cost of shared counts: an unmatched request, and four workers on one store.

Processor time of the server and its workers; that of a Redis server is not in it. What needs no count is 30 % of a
rule that always injects and 70 % of one that matches and never does, of the same app in the same store.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from loopback import TITLES, measured, serving
from measure import AGAIN, Goal, Row, Sample, retried, spread

SHARE = 0.3


def run() -> list[Row]:
    if not find_spec("gunicorn"):
        return []
    with TemporaryDirectory() as place, _redis(place) as redis:
        stores = {"file": f"file:{place}/store", **({"redis": redis} if redis else {})}
        return [
            *(row for app in ("fastapi", "flask") for row in retried(partial(_unmatched, app, stores))),
            *(row for name in stores for row in retried(partial(_counted, name, stores[name]))),
        ]


def _unmatched(app: str, stores: dict[str, str]) -> list[Row]:
    """A request that no rule matches, with each store against `memory:`."""
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(serving(app, "unmatched", FAULTINJECT_STORE=store))
            for name, store in {"memory": "memory:", AGAIN: "memory:", **stores}.items()
        }
        cpu, _ = measured(servers)
    sample = Sample("memory", cpu)
    case = f"no rule matches, {TITLES[app]}, "
    return [sample.ratio(name, f"{case}`{name}:`", "`memory:`", Goal("", 0)) for name in stores]


def _counted(name: str, store: str) -> list[Row]:
    """Requests for the same processor time, of a rule that counts against rules that do not."""
    rules = {"times": "times", "always": "all", "never": "never", AGAIN: "never"}
    with ExitStack() as stack:
        servers = {
            each: stack.enter_context(
                serving("flask", rule, FAULTINJECT_STORE=_apart(store, each), WORKERS=4)
            )
            for each, rule in rules.items()
        }
        cpu, _ = measured(servers)
    parts = zip(cpu["times"], cpu["always"], cpu["never"], strict=True)
    ratios = [(SHARE * always + (1 - SHARE) * never) / times for times, always, never in parts]
    control = spread([one / other for one, other in zip(cpu["never"], cpu[AGAIN], strict=True)])[0]
    case = f"`{name}:`, 4 gunicorn workers, Flask, `times` rule at 30 %"
    return [Row(case, "rules without a count", Goal("", 0), *spread(ratios), control=control)]


def _apart(store: str, name: str) -> str:
    """A store of its own: other rules are refused."""
    mark = name.replace(" ", "-")
    return f"{store}?prefix={mark}" if "://" in store else f"{store}-{mark}"


@contextmanager
def _redis(place: str) -> Iterator[str]:
    """The URL of a server of our own; empty where there is none."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None or not find_spec("redis"):
        yield ""
        return
    path = Path(place, "redis")
    command = [program, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", place]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        while not path.exists():
            time.sleep(0.05)
        yield f"unix://{path}"
        server.kill()
