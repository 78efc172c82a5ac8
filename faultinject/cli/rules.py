"""The rules of a command: from arguments, from a file, or from the environment."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

from faultinject import vendors
from faultinject.exceptions import ConfigurationError, ProductionRefusedError
from faultinject.rules.data import read_file
from faultinject.rules.diagnosis import Diagnosis
from faultinject.rules.environment import Environment, is_switched_on, read_environment
from faultinject.rules.production import production_reason
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.text import read_rules
from faultinject.vendors.addressing import host_bucket

SWITCHED_OFF = "FAULTINJECT_ENABLED=0 switches all faults off"


def read_rules_of(texts: Sequence[str], file: str | None) -> Scenario | None:
    """The rules of a file, then those of arguments; None if there is neither.

    Raises:
        ConfigurationError: rules are wrong, with every mistake; or there is no rule.
    """
    if not texts and file is None:
        return None
    diagnosis = Diagnosis()
    rules, seed, abort = ([], None, None) if file is None else read_file(file, diagnosis)
    for number, text in enumerate(texts, 1):
        rules += read_rules(text, f"RULE {number}" if len(texts) > 1 else "", diagnosis)
    if not rules and not diagnosis:
        diagnosis.add(
            "there is no rule: give one, such as 'cos:SlowDown,times=2'", "" if file is None else file
        )
    diagnosis.close()
    return Scenario.of_rules(rules, seed, abort)


def services() -> Environment:
    """The settings of the environment for rules that come from elsewhere.

    Raises:
        ConfigurationError: a variable is wrong.
    """
    now = time.time()
    return read_environment(os.environ, now=now, rules_given=True, forced=True)


def refuse_production(settings: Environment) -> None:
    """Raise an error if this environment gets no faults.

    Raises:
        ProductionRefusedError: this is production without permission, or not the environment of
            FAULTINJECT_ONLY_WHERE.
    """
    reason = in_production(settings)
    if reason:
        raise ProductionRefusedError(reason)


def refuse_switched_off() -> None:
    """Raise an error if the environment switches all faults off.

    Raises:
        ConfigurationError: FAULTINJECT_ENABLED is 0.
    """
    if is_switched_on(os.environ) is False:
        raise ConfigurationError(f"{SWITCHED_OFF}; unset it")


def in_production(settings: Environment) -> str:
    """The reason why this environment gets no faults; empty if it may get them.

    It is production, or not the environment of FAULTINJECT_ONLY_WHERE.
    """
    reason = production_reason(os.environ)
    if reason is None or settings.production_allowed:
        return settings.elsewhere
    return (
        f"{reason} looks like production, where nothing is injected; to inject there set"
        " FAULTINJECT_PRODUCTION=allow and FAULTINJECT_EXPIRES to at most 24h"
    )


def refuse_faults_of_store(rules: Iterable[Rule], instead: str) -> None:
    """Refuse faults that only the embedded store can carry out.

    Args:
        rules: the rules.
        instead: the server that is used instead of the store.

    Raises:
        ConfigurationError: a rule has such a fault.
    """
    for rule in rules:
        if rule.resolved.of_store:
            raise ConfigurationError(
                f"{rule}: only the embedded store can do this, and {instead} answers here"
            )


def journal(path: str | None, settings: Environment) -> str | None:
    """The absolute path of the journal of `--journal` or FAULTINJECT_JOURNAL.

    The file is created if it does not exist.

    Raises:
        ConfigurationError: it cannot be written.
    """
    from faultinject.journal.writing import JournalFile

    option = "FAULTINJECT_JOURNAL" if path is None else "--journal"
    path = path or settings.journal
    if path is None:
        return None
    JournalFile(path, option=option).close()
    return os.path.abspath(path)  # noqa: PTH100 - no link is followed


def dialect_of(vendor: str | None, host: str) -> str | None:
    """The vendor of a server: the given one, else the first with an endpoint at its host."""
    if vendor is not None:
        return vendor
    for name in vendors.names():
        endpoints = vendors.get(name).endpoints
        if host_bucket(host, endpoints) or host_bucket(f"bucket.{host}", endpoints):
            return name
    return None
