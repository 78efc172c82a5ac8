"""Documented storage errors in a real web app, to prove your client's retry logic.

A request passes through these modules: an adapter (`adapters.wsgi`, `adapters.asgi`) makes a view of it
(`engine.request`), the plan finds the rules that may match it and decides (`engine.plan`), the rule's fault makes the
action (`rules.faults`), the adapter carries it out, and the journal keeps the outcome (`journal.writing`). `audit`
groups requests into calls and judges the client. `vendors` is the catalogue, `rules` reads scenarios, `injector` has
the state that changes.

Every public name is loaded on first use. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from faultinject.faces import face

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject import exceptions, vendors
    from faultinject import strategies as strategies
    from faultinject.adapters.asgi import ASGIFaultMiddleware
    from faultinject.adapters.install import install
    from faultinject.adapters.wsgi import WSGIFaultMiddleware
    from faultinject.audit.findings import Finding
    from faultinject.audit.profiles.profile import Profile
    from faultinject.engine.plan import Waits
    from faultinject.exceptions import ConfigurationError, FaultInjectError, Problem
    from faultinject.injector.injector import Injector
    from faultinject.injector.lookup import get_injector
    from faultinject.injector.state import RuleCounts, State
    from faultinject.journal.attempts import Attempt
    from faultinject.journal.calls import Call
    from faultinject.journal.outcome import AttemptHint, Outcome
    from faultinject.journal.writing import Journal
    from faultinject.literals import Category, Did, Retryable, Verdict, When
    from faultinject.rules.faults.fault import Fault
    from faultinject.rules.rule import Rule
    from faultinject.rules.rule_keys import RuleKeys
    from faultinject.rules.scenario import Rules, Scenario
    from faultinject.testing.inject import Faults, inject
    from faultinject.testing.runs import Exploration, Run, explore, record
    from faultinject.testing.storage import Storage, StorageFactory
    from faultinject.testing.verdicts import NamedCall
    from faultinject.vendors.documented import DocumentedError
    from faultinject.vendors.vendor import Vendor

__all__ = [
    "ASGIFaultMiddleware",
    "Attempt",
    "AttemptHint",
    "Call",
    "Category",
    "ConfigurationError",
    "Did",
    "DocumentedError",
    "Exploration",
    "Fault",
    "FaultInjectError",
    "Faults",
    "Finding",
    "Injector",
    "Journal",
    "NamedCall",
    "Outcome",
    "Problem",
    "Profile",
    "Retryable",
    "Rule",
    "RuleCounts",
    "RuleKeys",
    "Rules",
    "Run",
    "Scenario",
    "State",
    "Storage",
    "StorageFactory",
    "Vendor",
    "Verdict",
    "WSGIFaultMiddleware",
    "Waits",
    "When",
    "exceptions",
    "explore",
    "get_injector",
    "inject",
    "install",
    "record",
    "vendors",
]

__version__ = "0.1.0"

_PLACES = {
    "ASGIFaultMiddleware": "adapters.asgi",
    "Attempt": "journal.attempts",
    "AttemptHint": "journal.outcome",
    "Call": "journal.calls",
    "Category": "literals",
    "ConfigurationError": "exceptions",
    "Did": "literals",
    "DocumentedError": "vendors.documented",
    "Exploration": "testing.runs",
    "Fault": "rules.faults.fault",
    "FaultInjectError": "exceptions",
    "Faults": "testing.inject",
    "Finding": "audit.findings",
    "Injector": "injector.injector",
    "Journal": "journal.writing",
    "NamedCall": "testing.verdicts",
    "Outcome": "journal.outcome",
    "Problem": "exceptions",
    "Profile": "audit.profiles.profile",
    "Retryable": "literals",
    "Rule": "rules.rule",
    "RuleCounts": "injector.state",
    "RuleKeys": "rules.rule_keys",
    "Rules": "rules.scenario",
    "Run": "testing.runs",
    "Scenario": "rules.scenario",
    "State": "injector.state",
    "Storage": "testing.storage",
    "StorageFactory": "testing.storage",
    "Vendor": "vendors.vendor",
    "Verdict": "literals",
    "WSGIFaultMiddleware": "adapters.wsgi",
    "Waits": "engine.plan",
    "When": "literals",
    "exceptions": "",
    "explore": "testing.runs",
    "get_injector": "injector.lookup",
    "inject": "testing.inject",
    "install": "adapters.install",
    "record": "testing.runs",
    "strategies": "",
    "vendors": "",
}


if not TYPE_CHECKING:  # with `__getattr__`, a type checker would accept any name
    __getattr__, _ = face(__name__, **_PLACES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
