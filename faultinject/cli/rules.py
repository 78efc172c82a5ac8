"""The rules that a command is given: as arguments, in a file, or by the environment."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from faultinject.exceptions import ConfigurationError, Problem, ProductionRefused
from faultinject.settings.environment import Environment, production_reason, read_environment
from faultinject.settings.scenario import Scenario


def given(texts: Sequence[str], file: str | None) -> Scenario | None:
    """The rules of a file and behind them those of arguments; None when there are neither.

    Raises:
        ConfigurationError: with every mistake of all of them.
    """
    if not texts and file is None:
        return None
    problems: list[Problem] = []
    sorts: set[type[ConfigurationError]] = set()
    found: list[Scenario] = []
    try:
        if file is not None:
            found.append(Scenario.load(file))
    except ConfigurationError as error:
        problems += error.problems
        sorts.add(type(error))
    for text in texts:
        try:
            found.append(Scenario.parse(text))
        except ConfigurationError as error:
            problems += error.problems
            sorts.add(type(error))
    if problems:
        raise (sorts.pop() if len(sorts) == 1 else ConfigurationError)(problems)
    seed = found[0].seed if file is not None else None
    return Scenario([rule for each in found for rule in each.rules], seed=seed)


def surroundings() -> Environment:
    """The settings of the environment for rules that were given another way.

    Raises:
        ConfigurationError: a variable is wrong.
    """
    now = time.time()
    return read_environment(os.environ, now=now, rules_given=True, forced=True)


def refuse_production(settings: Environment) -> None:
    """Stop where nothing would be injected.

    Raises:
        ProductionRefused: the environment says that this is production, and it is not allowed.
    """
    reason = production_reason(os.environ)
    if reason is not None and not settings.production_allowed:
        raise ProductionRefused(
            f"{reason} looks like production, where nothing is injected; to inject there set"
            " FAULTINJECT_PRODUCTION=allow and FAULTINJECT_EXPIRES to at most 24h"
        )


def refuse_switched_off(settings: Environment) -> None:
    """Stop where the environment's kill switch keeps every fault away.

    Raises:
        ConfigurationError: it does.
    """
    if settings.enabled is False:
        raise ConfigurationError("FAULTINJECT_ENABLED=0 keeps every fault away; unset it")
