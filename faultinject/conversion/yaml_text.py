"""Plain data as YAML that people read: blocks, with every text in double quotes as JSON has them, which YAML takes."""

from __future__ import annotations

from faultinject.rules.printed_json import json_text


def yaml_text(data: dict[str, object]) -> str:
    """The YAML of an object."""
    return "\n".join([*_table(data), ""])


def _table(data: dict[str, object]) -> list[str]:
    lines: list[str] = []
    for key, value in data.items():
        name = key if key.replace("_", "").isalnum() else json_text(key)
        inner = _lines(value)
        if inner is None:
            lines.append(f"{name}: {json_text(value)}")
        else:
            lines += [f"{name}:", *(f"  {each}" for each in inner)]
    return lines


def _lines(value: object) -> list[str] | None:
    """Those of a value that has parts; None: it has none, or they stand in one line."""
    if isinstance(value, dict) and value:
        return _table(value)
    if isinstance(value, list) and value:
        lines = []
        for each in value:
            first, *rest = _lines(each) or [json_text(each)]
            lines += [f"- {first}", *(f"  {line}" for line in rest)]
        return lines
    return None
