"""Documented storage errors in a real web app, so that you can prove your client's retry logic.

The way through the house: a request is seen through a view (`engine.request`), the plan finds the rules that may
match it in its index and decides (`engine.plan`), the fault says what to do (`rules.faults`), an adapter does
it (`adapters.wsgi`, `adapters.asgi`), the journal keeps what happened (`journal.writing`). `audit` joins its requests to
calls and judges what the client did. `vendors` is the catalogue, `rules` reads scenarios, `injector` holds the one
thing that changes.

Every public name is loaded on first use. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

from faultinject.faces import face

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject import exceptions as exceptions
    from faultinject import strategies as strategies
    from faultinject import vendors as vendors
    from faultinject.adapters.asgi import ASGIFaultMiddleware as ASGIFaultMiddleware
    from faultinject.adapters.install import install as install
    from faultinject.adapters.wsgi import WSGIFaultMiddleware as WSGIFaultMiddleware
    from faultinject.audit.findings import Finding as Finding
    from faultinject.audit.profiles.profile import Profile as Profile
    from faultinject.exceptions import ConfigurationError as ConfigurationError
    from faultinject.exceptions import FaultInjectError as FaultInjectError
    from faultinject.exceptions import Problem as Problem
    from faultinject.injector.injector import Injector as Injector
    from faultinject.injector.lookup import get_injector as get_injector
    from faultinject.journal.attempts import Attempt as Attempt
    from faultinject.journal.calls import Call as Call
    from faultinject.journal.outcome import Outcome as Outcome
    from faultinject.rules.faults.fault import Fault as Fault
    from faultinject.rules.rule import Rule as Rule
    from faultinject.rules.rule_keys import RuleKeys as RuleKeys
    from faultinject.rules.scenario import Rules as Rules
    from faultinject.rules.scenario import Scenario as Scenario
    from faultinject.testing.inject import Faults as Faults
    from faultinject.testing.inject import inject as inject
    from faultinject.testing.runs import Exploration as Exploration
    from faultinject.testing.runs import Run as Run
    from faultinject.testing.runs import explore as explore
    from faultinject.testing.runs import record as record
    from faultinject.testing.storage import Storage as Storage
    from faultinject.testing.storage import StorageFactory as StorageFactory
    from faultinject.testing.verdicts import NamedCall as NamedCall
    from faultinject.vendors.documented import DocumentedError as DocumentedError
    from faultinject.vendors.vendor import Vendor as Vendor

__all__ = [
    "ASGIFaultMiddleware",
    "Attempt",
    "Call",
    "ConfigurationError",
    "DocumentedError",
    "Exploration",
    "Fault",
    "FaultInjectError",
    "Faults",
    "Finding",
    "Injector",
    "NamedCall",
    "Outcome",
    "Problem",
    "Profile",
    "Rule",
    "RuleKeys",
    "Rules",
    "Run",
    "Scenario",
    "Storage",
    "StorageFactory",
    "Vendor",
    "WSGIFaultMiddleware",
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
    "Call": "journal.calls",
    "ConfigurationError": "exceptions",
    "DocumentedError": "vendors.documented",
    "Exploration": "testing.runs",
    "Fault": "rules.faults.fault",
    "FaultInjectError": "exceptions",
    "Faults": "testing.inject",
    "Finding": "audit.findings",
    "Injector": "injector.injector",
    "NamedCall": "testing.verdicts",
    "Outcome": "journal.outcome",
    "Problem": "exceptions",
    "Profile": "audit.profiles.profile",
    "Rule": "rules.rule",
    "RuleKeys": "rules.rule_keys",
    "Rules": "rules.scenario",
    "Run": "testing.runs",
    "Scenario": "rules.scenario",
    "Storage": "testing.storage",
    "StorageFactory": "testing.storage",
    "Vendor": "vendors.vendor",
    "WSGIFaultMiddleware": "adapters.wsgi",
    "exceptions": "",
    "explore": "testing.runs",
    "get_injector": "injector.lookup",
    "inject": "testing.inject",
    "install": "adapters.install",
    "record": "testing.runs",
    "strategies": "",
    "vendors": "",
}


if not TYPE_CHECKING:  # a type checker would take every name for one that is there
    __getattr__, _ = face(__name__, **_PLACES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
