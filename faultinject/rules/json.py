"""Scenarios in JSON, in the shape of the TOML."""

from __future__ import annotations

from faultinject.rules.data import read_data
from faultinject.rules.printed_json import json_text
from faultinject.rules.values import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.rules.diagnosis import Diagnosis
    from faultinject.rules.rule import Rule


def read_json(text: str, where: str, diagnosis: Diagnosis) -> tuple[list[Rule], str | None]:
    """The rules and the seed of a JSON text; mistakes go into `diagnosis`."""
    from json import JSONDecodeError, loads

    def table(pairs: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(pairs)
        if len(made) < len(pairs):
            seen: set[str] = set()
            twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            diagnosis.add(f"{shown(twice)} is given twice", where)
        return made

    try:
        data = loads(text, object_pairs_hook=table)
    except RecursionError:
        diagnosis.add("nested too deeply", where)
    except JSONDecodeError as error:
        diagnosis.add(error.msg, f"{where}:{error.lineno}" if where else f"line {error.lineno}")
    except ValueError as error:
        diagnosis.add(str(error), where)
    else:
        return read_data(data, lambda _, __: where, diagnosis)
    return [], None


def to_json(rules: Sequence[Rule], seed: str | None) -> str:
    """The JSON of a scenario; reading it gives an equal one."""
    data: dict[str, object] = {} if seed is None else {"seed": seed}
    return json_text({**data, "rules": [each.to_dict() for each in rules]}, 2) + "\n"
