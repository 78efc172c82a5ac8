"""The cost of a request in one gunicorn worker with shared counts, against `memory:`.

Two servers serve the same app, at the same time and in turns; what is compared is their processor time a request.
"""

from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec

from loopback import measured, serving
from measure import AGAIN, Goal, Row, Sample, retried

RULES = {"all": "100 %", "some": "30 %", "times": "30 %, `times`"}
IN_MEMORY = {"FAULTINJECT_STORE": "memory:"}
_APPS = {"flask": "Flask", "wsgi": "raw WSGI"}


def run() -> list[Row]:
    if not find_spec("gunicorn"):
        return []
    return [row for app in _APPS for rule in RULES for row in retried(partial(_compared, app, rule))]


def _compared(app: str, rule: str) -> list[Row]:
    with ExitStack() as stack:
        settings = {"memory": IN_MEMORY, AGAIN: IN_MEMORY, "shared": {}}
        servers = {
            name: stack.enter_context(serving(app, rule, **variables)) for name, variables in settings.items()
        }
        cpu, _ = measured(servers)
    goal = Goal("≤" if app == "flask" else "", 1.05)
    case = f"one gunicorn worker, {_APPS[app]}, {RULES[rule]}"
    return [Sample("memory", cpu).ratio("shared", case, "`memory:`", goal)]
