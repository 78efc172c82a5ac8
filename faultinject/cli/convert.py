"""`faultinject convert`: converts faults of other tools to rules, and rules for proxies."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import click
from msgspec import Struct

from faultinject.cli import chances
from faultinject.cli import rules as reading
from faultinject.cli.layout import printed_json, readers_may_leave, write_out
from faultinject.conversion import formats
from faultinject.conversion.document import UNUSED, Remark, Remarks, Rules, read_document
from faultinject.conversion.proxy_rules import Place
from faultinject.exceptions import ConfigurationError
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.values import shown, visible

ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}")
LAST_PORT = 65535


class Conversion(Struct, rename={"source": "from"}):
    """The faults of other tools as rules, or rules as the configuration of a proxy.

    Attributes:
        from: The formats that were read.
        to: The format of the text.
        complete: Whether nothing is left out.
        rules: The rules, as in a rule file in JSON.
        text: The text that is printed without --json.
        remarks: The differences from the original.
    """

    source: list[str]
    to: str
    complete: bool
    rules: list[Rule]
    text: str
    remarks: list[Remark]


def convert(
    *,
    files: tuple[str, ...],
    source: str | None,
    target: str | None,
    rules: tuple[str, ...],
    file: str | None,
    listen: str,
    upstream: str,
    output: str | None,
    as_json: bool,
) -> int:
    """Write the rules or the configuration, and return the exit code."""
    place = Place(_address("--listen", listen), _address("--upstream", upstream))
    if files and (rules or file is not None or any(path.endswith(".toml") for path in files)):
        raise ConfigurationError("give either FILE of another tool, in JSON, or rules by -r and --file")
    if not files and target is None:
        raise ConfigurationError(
            "give FILE, the configuration of another tool, or with --to the proxy whose configuration to"
            " write"
        )
    remarks = Remarks()
    if files:
        converted = Rules()
        names = formats.read((read_document(path, remarks) for path in files), source, converted)
        scenario = _drop_dead_rules(Scenario.of_rules(converted.made, None), converted.places, remarks)
    else:
        whole_scenario = _read_scenario(rules, file)
        scenario = _drop_dead_rules(whole_scenario, whole_scenario.display_names, remarks)
        names = ["rules"]
    text = (
        _toml(scenario, files, remarks)
        if target is None
        else formats.TARGETS[target](scenario, place, remarks)
    )
    with readers_may_leave():
        for remark in remarks.entries:
            if remark.kind != UNUSED:
                click.echo(f"faultinject: {remark}", err=True)
    if as_json:
        printed = Conversion(
            names, target or "rules", remarks.complete, list(scenario.rules), text, remarks.entries
        )
        text = f"{printed_json(printed)}\n"
    write_out(text, output)
    return 0 if remarks.complete else 1


def _read_scenario(rules: tuple[str, ...], file: str | None) -> Scenario:
    scenario = reading.read_rules_of(rules, file) or Scenario.from_env(os.environ)
    if not scenario.rules:
        raise ConfigurationError("there is no rule: give one by -r or --file, or in FAULTINJECT_RULES")
    return scenario


def _drop_dead_rules(scenario: Scenario, places: Sequence[str], remarks: Remarks) -> Scenario:
    """The scenario without rules that never fire; each of these gets a remark.

    The other rules keep the names that they had in the whole scenario.
    """
    dead = chances.dead_rules(scenario.rules, places)
    if not dead:
        return scenario
    for number, reason in dead.items():
        remarks.leave_out(places[number], f"it never fires: {reason}")
    pairs = zip(scenario.rules, scenario.display_names, strict=True)
    rules = [rule.named(name) for number, (rule, name) in enumerate(pairs) if number not in dead]
    return Scenario.of_rules(rules, scenario.seed, scenario.abort)


def _toml(scenario: Scenario, files: tuple[str, ...], remarks: Remarks) -> str:
    """The scenario, with the remarks above it."""
    lines = [f"converted from {', '.join(files)}"]
    lines += [str(remark) for remark in remarks.entries]
    head = "".join(f"# {visible(line)}\n" for line in lines)
    return f"{head}\n{scenario.to_toml()}"


def _address(option: str, text: str) -> str:
    """Check that a text is a host and a port: it is copied into a configuration.

    Raises:
        ConfigurationError: it is not.
    """
    if ADDRESS.fullmatch(text) is None or not 0 < int(text.rpartition(":")[2]) <= LAST_PORT:
        raise ConfigurationError(f"{option}: {shown(text)} is not a host and a port such as 127.0.0.1:8080")
    return text
