"""Outputs of commands and sentences about rules, word for word.

`commands.txt` and `sentences.txt`
"""

import inspect
import json
import re
from pathlib import Path

import click

from faultinject.audit import reports
from faultinject.cli import options, trial_reports
from faultinject.cli.commands.check import VOCABULARY
from faultinject.cli.program import group
from faultinject.cli.vocabulary import sections
from faultinject.conformance import plan
from faultinject.conversion import formats as conversions
from faultinject.learning import formats as logs
from tests.console import split

CHOICES = {
    "conformance --phase": [phase.name for phase in plan.PHASES],
    "convert --from": conversions.SOURCES,
    "convert --to": conversions.TARGETS,
    "learn --format": logs.FORMATS,
    "report --format": reports.FORMATS,
    "trial --format": trial_reports.FORMATS,
}
"""The names that the rooms have for options."""


def test_commands(golden, run):
    """Exit code, standard output and standard error of each command, with its variables."""

    def output(line):
        environ, words = split(line)
        code, out, err = run(*words, env=environ)
        err = re.sub(r"^Usage: .*\nTry .*\n", "", err, flags=re.MULTILINE)  # which click words
        for number in re.findall(r"(?im)^x-\S*id\S*: (\S+)$", out):  # which no two answers share
            out = out.replace(number, "~")
        printed = [*([out] if out else []), *([f"to standard error:\n{err}"] if err else [])]
        return "".join([f"exit code {code}\n", *printed]).rstrip("\n")

    golden("commands.txt", output)


def test_sentences(golden, run):
    """One plain sentence says which requests, what they get and how often."""

    def words(text):
        return "\n".join(each["words"] for each in json.loads(run("check", text, "--json")[1])["rules"])

    golden("sentences.txt", words)


def test_vocabulary(request):
    """The file from which `check -h` has the vocabulary says what the rooms say."""
    said = "\n\n".join("\n".join([title, *("\t".join(row) for row in rows)]) for title, rows in sections())
    if request.config.option.update_golden:
        VOCABULARY.write_text(f"{said}\n", encoding="utf-8")
    written = VOCABULARY.read_text(encoding="utf-8")
    assert written == f"{said}\n", "pytest --update-golden writes it anew"


def test_choices(request):
    """Options take every name of their rooms, in the same order; the module loads no room."""
    lines = []
    for option, names in CHOICES.items():
        lines += [f'    "{option}": (', *(f'        "{name}",' for name in names), "    ),"]
    path = Path(inspect.getfile(options))
    written = path.read_text(encoding="utf-8")
    head = "CHOICES = {\n"
    said = "".join([written.partition(head)[0], head, *(f"{line}\n" for line in [*lines, "}"])])
    if request.config.option.update_golden:
        path.write_text(said, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == said, "pytest --update-golden writes it anew"


def test_options_have_their_choices():
    """No option has a list of its own."""
    commands = {name: group.get_command(click.Context(group), name) for name in group.commands}
    found = {
        f"{name} {option.opts[0]}": option.type.choices
        for name, command in commands.items()
        for option in command.params
        if isinstance(option.type, click.Choice)
    }
    assert found == options.CHOICES
