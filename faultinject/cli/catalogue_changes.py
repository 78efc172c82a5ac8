"""What a newer catalogue changed: its rows against those of an earlier `vendors --json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from faultinject.engine.journal_entry import quoted
from faultinject.exceptions import ConfigurationError
from faultinject.rules.files import read_bytes

LARGEST = 64 << 20
"""Bytes of an earlier catalogue."""
LONGEST = 100
"""Characters of a value that are shown."""


@dataclass(frozen=True, slots=True)
class Change:
    """A row that is not what it was.

    Attributes:
        change: `added`, `gone` or `changed`.
        vendor: the vendor's id.
        address: how a rule names the row.
        fields: of a changed row, by field, what it was and what it is.
    """

    change: str
    vendor: str
    address: str
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        fields = {name: {"before": old, "after": new} for name, (old, new) in self.fields.items()}
        return {
            "change": self.change,
            "vendor": self.vendor,
            "address": self.address,
            "fields": fields,
        }


def read(path: str) -> list[dict[str, Any]]:
    """The rows of a file that `vendors --json` wrote.

    Raises:
        ConfigurationError: it cannot be read, or is something else.
    """
    try:
        found = json.loads(read_bytes(Path(path), LARGEST))
    except OSError as error:
        raise ConfigurationError(f"--diff: {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        found = None
    if not (isinstance(found, list) and all(map(_is_row, found))):
        raise ConfigurationError(f"--diff: {path}: this is no catalogue of `faultinject vendors --json`")
    return found


def _is_row(row: object) -> bool:
    return (
        isinstance(row, dict)
        and isinstance(row.get("vendor"), str)
        and isinstance(row.get("code"), str)
        and type(row.get("variant")) is int
    )


def changes(old: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]) -> list[Change]:
    """What became of each row, in the order of the new ones, and behind them those that are gone.

    A field that one of the two formats has not is no change.
    """
    before = {_address(each): each for each in old}
    found = []
    for row in new:
        address = _address(row)
        was = before.pop(address, None)
        if was is None:
            found.append(Change("added", row["vendor"], address))
            continue
        fields = {name: (was[name], row[name]) for name in row if name in was and was[name] != row[name]}
        if fields:
            found.append(Change("changed", row["vendor"], address, fields))
    return [*found, *(Change("gone", each["vendor"], address) for address, each in before.items())]


def _address(row: dict[str, Any]) -> str:
    variant = f"/{row['variant']}" if row["variant"] != 1 else ""
    return f"{row['vendor']}:{row['code'].replace(' ', '_')}{variant}"


def document(found: Sequence[Change], version: str) -> dict[str, object]:
    """All changes as plain data.

    Args:
        found: the changes.
        version: of faultinject.
    """
    return {
        "v": 1,
        "faultinject": version,
        **{kind: count(found, kind) for kind in ("added", "gone", "changed")},
        "changes": [each.to_dict() for each in found],
    }


def count(found: Sequence[Change], kind: str) -> int:
    """How many changes are of that kind."""
    return sum(each.change == kind for each in found)


def show(found: Sequence[Change]) -> None:
    """Write them for people: how many, and below what changed in each row."""
    if not found:
        click.echo("nothing changed")
        return
    click.echo(", ".join(f"{count(found, kind)} {kind}" for kind in ("added", "gone", "changed")))
    signs = {"added": "+", "gone": "-", "changed": "~"}
    for each in found:
        click.echo(f"{signs[each.change]} {quoted(each.address)}")
        for name, (old, new) in each.fields.items():
            click.echo(f"    {quoted(name)}: {_shown(old)} -> {_shown(new)}")


def _shown(value: object) -> str:
    text = quoted(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
