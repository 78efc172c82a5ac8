"""The requests that may get a documented error, from a vendor's `where.csv`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial

from faultinject.engine.request import Request
from faultinject.http.wire import METHODS
from faultinject.rules.faults.answering import Documented
from faultinject.rules.key import Check, any_of, case_insensitive_test
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.vendors.addressing import Addressing
from faultinject.vendors.documented import DocumentedError
from faultinject.vendors.operations import operations_of
from faultinject.vendors.vendor import Vendor

Form = tuple[str | None, str, bool]
Texts = tuple[str, ...]

_KEYED = {
    "object": (True,),
    "blob": (True,),
    "service": (False,),
    "account": (False,),
    "bucket": (False,),
    "container": (False,),
}
_COMPARED = ("method", "operation", "key")


@lru_cache(1024)
def _places(address: str, where: str) -> tuple[Rule, ...]:
    conditions = filter(None, map(str.strip, where.split(";")))
    return tuple(rule for condition in conditions for rule in Scenario(f"{address},{condition}").rules)


def places_of(row: DocumentedError) -> tuple[Rule, ...]:
    """The requests that may get an error according to the document, as conditions of rules.

    None: any request may get it.
    """
    return _places(row.address, row.where)


def test_of(row: DocumentedError, reading: Addressing) -> Check | None:
    """The test of a request that may get the error; None: any request may get it."""
    tests = [rule.compile(reading) for rule in places_of(row)]
    return partial(_any_test, tests) if tests else None


def _any_test(tests: list[Check], request: Request) -> bool:
    return any(holds(request) for holds in tests)


def doubt_of_place(rule: Rule, error: Documented) -> str:
    """The reason why the service never gives this error to requests of the rule, or empty."""
    rows = error.rows
    if rule.vendor is not error.vendor or not all(row.where for row in rows):
        return ""
    matched = _forms_of(rule)
    if any(not matched.isdisjoint(_forms_of(place)) for row in rows for place in places_of(row)):
        return ""
    places = " or ".join(dict.fromkeys(row.where.replace("; ", " or ") for row in rows))
    return f"the service answers with {error.text} only where {places}, and the rule meets no such request"


def _forms_of(rule: Rule) -> frozenset[Form]:
    texts = [tuple((key, part.get(key, ())) for key in _COMPARED) for part in (rule.conditions, rule.unless)]
    return _forms(rule.vendor, *texts)


@lru_cache(1024)
def _forms(
    vendor: Vendor | None, conditions: tuple[tuple[str, Texts], ...], unless: tuple[tuple[str, Texts], ...]
) -> frozenset[Form]:
    """The requests that fit some conditions, by operation, method, and whether a key is named.

    Other conditions are ignored.
    """
    operations = operations_of(vendor)
    documented = {
        (operations.twin(row.operation) or row.operation, row.method, keyed)
        for row in operations.rows
        for keyed in _KEYED.get(row.level, (True, False))
    }
    forms: set[Form] = set(documented)
    forms.update((None, method, keyed) for method in METHODS for keyed in (True, False))
    matching, unwanted = dict(conditions), dict(unless)

    def fits(form: Form) -> bool:
        operation, method, keyed = form
        tests: Mapping[str, Callable[[Texts], bool]] = {
            "method": lambda texts: any_of(map(case_insensitive_test, texts))(method.lower()),
            "operation": lambda texts: operation in operations.recognised_for(texts),
            "key": lambda _: keyed,
        }
        # Only `unless.key=**` refuses all keys.
        refused = {name: texts for name, texts in unwanted.items() if name != "key" or "**" in texts}
        return all(tests[name](texts) for name, texts in matching.items() if texts) and not any(
            tests[name](texts) for name, texts in refused.items() if texts
        )

    return frozenset(filter(fits, forms))
