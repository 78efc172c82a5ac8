"""The `FAULTINJECT_*` variables: how a value is read, and the rules that they hold."""

from __future__ import annotations

from collections.abc import Mapping

from faultinject.rules.abort import canonical
from faultinject.rules.data import ScenarioParts, read_file
from faultinject.rules.diagnosis import Diagnosis
from faultinject.rules.names import PREFIX, RULE, VARIABLES, is_of_kubernetes, is_rule
from faultinject.rules.rule import Rule
from faultinject.rules.text import read_rules
from faultinject.rules.values import is_name, most_like, shown


def value_of(environ: Mapping[str, str], variable: str) -> str | None:
    """A variable's value, without blanks and one pair of quotes around it; None if empty."""
    text = environ.get(variable, "").strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return text or None


def check_known(environ: Mapping[str, str], diagnosis: Diagnosis) -> None:
    """Note every variable with our prefix that has no meaning."""
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable in VARIABLES or is_rule(variable):
            continue
        if is_of_kubernetes(variable) or value_of(environ, variable) is None:
            continue
        names = [name.removeprefix(PREFIX) for name in VARIABLES]
        near = most_like(variable.removeprefix(PREFIX), names, 0.7)
        hint = f"there are {', '.join(VARIABLES)}" if near is None else f"did you mean {PREFIX}{near}?"
        diagnosis.add(f"{shown(variable)} is not a variable of faultinject; {hint}")


def read_variables(environ: Mapping[str, str], diagnosis: Diagnosis) -> ScenarioParts:
    """Read the rules of FILE, RULES and RULE_*, in this order, the seed and `abort`.

    Mistakes go into `diagnosis`.
    """
    rules: list[Rule] = []
    seed = abort = None
    path = value_of(environ, "FAULTINJECT_FILE")
    if path is not None:
        read, seed, abort = read_file(path, diagnosis, f"FAULTINJECT_FILE: {path}")
        rules += read
    text = value_of(environ, "FAULTINJECT_RULES")
    if text is not None:
        rules += read_rules(text, "FAULTINJECT_RULES", diagnosis)
    for variable in sorted((name for name in environ if is_rule(name)), key=_natural):
        text = value_of(environ, variable)
        if text is not None:
            rules += _named_rule(variable, text, diagnosis)
    override = read_seed(environ, diagnosis)
    return rules, seed if override is None else override, read_abort(environ, diagnosis) or abort


def read_abort(environ: Mapping[str, str], diagnosis: Diagnosis) -> str | None:
    """The bound of FAULTINJECT_ABORT, or None."""
    text = value_of(environ, "FAULTINJECT_ABORT")
    return None if text is None else diagnosis.read(canonical, text, "FAULTINJECT_ABORT")


def read_seed(environ: Mapping[str, str], diagnosis: Diagnosis) -> str | None:
    """The seed of FAULTINJECT_SEED, or None."""
    seed = value_of(environ, "FAULTINJECT_SEED")
    try:
        (seed or "").encode()
    except UnicodeEncodeError:
        diagnosis.add("not valid Unicode", "FAULTINJECT_SEED")
        return None
    return seed


def _natural(variable: str) -> list[tuple[int, int, str]]:
    """A sort key in which `RULE_10` comes after `RULE_9`."""
    from itertools import groupby

    parts = ("".join(group) for _, group in groupby(variable, "0123456789".__contains__))
    return [(0, int(part[:400]), part) if part[0] in "0123456789" else (1, 0, part) for part in parts]


def _named_rule(variable: str, text: str, diagnosis: Diagnosis) -> list[Rule]:
    name = variable.removeprefix(RULE).lower().replace("_", "-")
    if not is_name(name):
        diagnosis.add(f"{shown(name)} is not a name for a rule", variable)
    mistakes_before = len(diagnosis)
    rules = read_rules(text, variable, diagnosis)
    if len(diagnosis) == mistakes_before and len(rules) != 1:
        diagnosis.add(
            f"this names one rule and holds {len(rules)}; FAULTINJECT_RULES takes several", variable
        )
    if len(rules) != 1:
        return []
    if rules[0].name is None:
        diagnosis.claim(name, variable, variable)
    return [rules[0].named(name)]
