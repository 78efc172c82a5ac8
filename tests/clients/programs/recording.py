"""Runs programs in processes of their own, and judges the journals that come of it."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from faultinject.audit.judging import judge
from faultinject.journal.call_window import CallWindow
from faultinject.journal.reading import read

ROOT = Path(__file__).parents[3]
LATER = 60.0
"""Seconds after its last request that a journal is read, so that all of its calls are over."""
LONGEST = 120
"""Seconds that a program takes at most."""


def record(program, path, **more):
    """Run a program; its journal goes to the path, and what else is known of the run beside it.

    Args:
        program: a `Program`.
        path: of a file whose name ends in `.jsonl`.
        more: what else is to be known: the round, whether the machine was busy.
    """
    path.unlink(missing_ok=True)
    with serving(program.app, program.rules, path) as endpoint:
        began = time.monotonic()
        command = [sys.executable, "-m", __package__, program.group, program.name, endpoint]
        done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, check=True, timeout=LONGEST)
        seconds = time.monotonic() - began
    told = json.loads(done.stdout)
    kept = {
        **more,
        "program": program.name,
        "profile": program.profile,
        "seconds": round(seconds, 1),
        "told": told,
    }
    path.with_suffix(".json").write_text(json.dumps(kept), encoding="utf-8")


@contextmanager
def serving(app, rules, journal):
    """`faultinject serve` with these rules; the address."""
    command = [sys.executable, "-m", "faultinject", "serve", f"{__package__}.service:{app}", "--port", "0"]
    command += [word for rule in rules for word in ("-r", rule)]
    services = environment(FAULTINJECT_JOURNAL=str(journal))
    server = subprocess.Popen(command, env=services, stdout=subprocess.PIPE, text=True)
    try:
        first = server.stdout.readline()
        reader = threading.Thread(target=server.stdout.read)
        reader.start()
        yield first.rpartition(" on ")[2].strip()
    finally:
        server.terminate()
        server.wait()
    reader.join()
    server.stdout.close()


def environment(**more):
    """The environment of this process, with this folder importable, and faults by `more` only."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    return kept | {"PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1", "PYTHONUNBUFFERED": "1"} | more


def judged(path):
    """The facts of a recorded run, with the audit's findings."""
    kept = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    calls = [CallWindow(**each) for each in kept.pop("told")]
    attempts = list(read([str(path)]))
    profile = kept.pop("profile", None)
    judgement = judge(attempts, profile=profile, windows=calls, until=attempts[-1].arrived + LATER)
    return kept | {"findings": [each.to_dict() for each in judgement.findings]}
