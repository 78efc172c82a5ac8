"""Scenarios as plain data: what TOML and JSON have in common."""

from __future__ import annotations

from faultinject.rules.diagnosis import owner
from faultinject.rules.rule import Rule, entries_of, place_of
from faultinject.rules.values import Mistake, nearest, shown
from faultinject.rules.vocabulary import combine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from faultinject.rules.diagnosis import Diagnosis

    Locate = Callable[[int | None, str], str]
    """From the index of a rule (None: outside of the rules) and a key to the place, for messages."""


def read_data(data: object, locate: Locate, diagnosis: Diagnosis) -> tuple[list[Rule], str | None]:
    """The rules and the seed of plain data; mistakes go into `diagnosis`."""
    if not isinstance(data, dict):
        diagnosis.add('a scenario is a table with "rules" and perhaps "seed"', locate(None, ""))
        return [], None
    for key in data:
        if diagnosis.full:
            break
        if key not in ("rules", "seed"):
            message = f"{shown(key)} is not a key of a scenario{nearest(key, ('rules', 'seed'))}"
            diagnosis.add(message, locate(None, key))
    seed = read_seed(data.get("seed"), locate(None, "seed") if "seed" in data else "", diagnosis)
    tables = data.get("rules", [])
    if not isinstance(tables, list):
        message = "rules is not a list of tables"
        if isinstance(tables, dict):
            message = "rules is one table, not a list of them; write [[rules]], in JSON [{…}]"
        diagnosis.add(message, locate(None, "rules"))
        return [], seed
    rules = []
    for index, table in enumerate(tables):
        if diagnosis.full:
            break
        if not isinstance(table, dict):
            diagnosis.add(
                f"{shown(repr(table))} is not a table with a fault", f"{locate(index, '')}: rules[{index}]"
            )
        elif (rule := _rule(index, table, locate, diagnosis)) is not None:
            rules.append(rule)
    return rules, seed


def _rule(index: int, table: Mapping[str, object], locate: Locate, diagnosis: Diagnosis) -> Rule | None:
    keys = dict(table)
    fault = keys.pop("fault", None)
    entries, wrong = entries_of(keys, strict=True)
    parts = None
    if isinstance(fault, str):
        found: list[tuple[int, Mistake]] = []
        parts = combine(fault, [each for _, each in entries], found)
        wrong += [(entries[at][0] if at >= 0 else "fault", mistake) for at, mistake in found]
    elif fault is None:
        wrong.append(("", Mistake('there is no fault; a rule needs one, such as fault = "cos:SlowDown"')))
    else:
        wrong.append(("fault", Mistake(f"{shown(repr(fault))} is not a fault: give it as text")))
    for key, mistake in wrong:
        place = place_of(key, mistake)
        inside = f"rules[{index}].{place}" if place else f"rules[{index}]"
        diagnosis.note(mistake, ": ".join(filter(None, (locate(index, key), inside))))
    if parts is None or wrong or not isinstance(fault, str):
        return None
    rule = Rule.of_parts(fault, parts)
    if rule.name is not None:
        inside, where = f"rules[{index}]", locate(index, "name")
        head = ": ".join(filter(None, (where, f"{inside}.name")))
        diagnosis.claim(rule.name, owner(inside, where), head)
    return rule


def read_seed(seed: object, where: str, diagnosis: Diagnosis) -> str | None:
    """A seed as text: `42` and `"42"` are the same."""
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, str | int):
        diagnosis.add(f"seed: {shown(repr(seed))} is not text or a whole number", where)
        return None
    try:
        text = str(seed)
        text.encode()
    except ValueError:
        diagnosis.add("seed: not valid Unicode, or too many digits", where)
        return None
    return text
