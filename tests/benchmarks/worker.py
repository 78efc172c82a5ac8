"""The cost of a request in one gunicorn worker with shared counts, against `memory:`.

Two servers serve the same app, at the same time and in turns; what is compared is their processor time a request.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec

from loopback import measured, serving
from measure import AGAIN, Goal, Row, Sample, retried

RULES = {"all": "100 %", "some": "30 %", "times": "30 %, `times`"}
_APPS = {"flask": "Flask", "wsgi": "raw WSGI"}


def run() -> list[Row]:
    if not find_spec("gunicorn"):
        return []
    return [row for app in _APPS for rule in RULES for row in retried(partial(_compared, app, rule))]


def _compared(app: str, rule: str) -> list[Row]:
    with ExitStack() as stack:
        servers = {}
        for name, store in (("memory", "memory:"), (AGAIN, "memory:"), ("shared", "")):
            servers[name] = serving(app, rule, FAULTINJECT_STORE=store)
            stack.callback(servers[name].stop)
        cpu, _ = measured(servers)
    sample = Sample("memory", cpu)
    goal = Goal("≤" if app == "flask" else "", 1.05)
    return [sample.ratio("shared", f"one gunicorn worker, {_APPS[app]}, {RULES[rule]}", "`memory:`", goal)]
