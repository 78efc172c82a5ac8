"""Documents of other tools through the command line: what comes of them."""

from __future__ import annotations

import json
import os
import re
from typing import NamedTuple

import pytest

from faultinject import Rule, Scenario
from tests.console import command
from tests.console import plain_environment as plain_environment  # a fixture


class Converted(NamedTuple):
    """The result of the command."""

    code: int
    rules: list[str]
    remarks: list[tuple[str, str, str]]
    text: str
    errors: str

    def told(self, kind):
        """The places of one kind."""
        return [where for its, where, _ in self.remarks if its == kind]


@pytest.fixture
def convert(tmp_path, monkeypatch):
    """Convert a value of JSON, or a text, with `--json`."""
    monkeypatch.chdir(tmp_path)

    def call(document, *arguments):
        text = document if isinstance(document, str) else json.dumps(document)
        (tmp_path / "given.json").write_text(text, encoding="utf-8")
        return run_json("given.json", *arguments)

    return call


@pytest.fixture
def export():
    """Write rules for a proxy."""

    def call(target, *rules, **options):
        arguments = [f"--{name}={value}" for name, value in options.items()]
        return run_json("--to", target, *(each for rule in rules for each in ("-r", rule)), *arguments)

    return call


def run_json(*arguments):
    """Run `convert --json`; the rules are read back from its text if that is a scenario."""
    result = command("convert", *arguments, "--json")
    if result.exit_code == 2:
        return Converted(2, [], [], result.stdout, result.stderr)
    data = json.loads(result.stdout)
    made = [Rule(each.pop("fault"), **each) for each in data["rules"]]
    rules = [*map(str, made)]
    if rules:
        assert command("check", *rules).exit_code == 0, "a rule can never fire"
    if data["to"] == "rules":
        assert [str(each) for each in Scenario.from_toml(data["text"]).rules] == rules
    remarks = [
        (each["kind"], each["where"].removeprefix("given.json: "), each["why"]) for each in data["remarks"]
    ]
    assert data["complete"] is (result.exit_code == 0)
    assert result.stderr.splitlines() == [
        f"faultinject: {each['where']}: {each['kind']}: {each['why']}"
        for each in data["remarks"]
        if each["kind"] != "unused"
    ]
    return Converted(result.exit_code, rules, remarks, data["text"], result.stderr)
