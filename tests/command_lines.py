"""The reference of the command line: every command with its options, from the click program."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from faultinject.cli.program import group as program
from tests.documents import escaped, table

EXIT_CODES = {
    "serve": {0: "also after Ctrl-C, SIGTERM and SIGHUP"},
    "proxy": {0: "also after Ctrl-C, SIGTERM and SIGHUP"},
    "run": {"any": "the code of the command that it runs"},
    "control": {
        1: "with `--generation`: another generation is in force, and nothing was changed",
        2: "also: the server does not answer, refuses the token, or has no control API",
    },
    "explore": {
        1: "a fault broke the command, or not every run was made",
        2: "nothing could be explored",
        3: "nothing failed, and a fault was injected in no run",
    },
    "trial": {
        1: "a fault broke a test, or a test did not run",
        2: "also: the command reported no test, the tests pass without a request, or there is no test of `--only`",
        3: (
            "no fault broke a test that passes, and a rule of `-r` was injected in no run, or tests fail "
            "without faults; or the command fails without a failing test; or no test passed twice"
        ),
    },
    "report": {
        1: "a check says FAIL; with `--strict` also WARN",
        2: "there is no journal to read",
        3: "nothing could be judged, or a check of `--require` was not decided",
    },
    "conformance": {
        1: (
            "a check says FAIL (with `--strict` also WARN), a case of `--cases` fails, or a client "
            "that was ready dies, stops answering or breaks the contract; with `--compare` only a "
            "worse result counts"
        ),
        3: "nothing could be judged for a client, or a check of `--require` was not decided",
    },
    "learn": {2: "also: there is no error to learn from"},
    "convert": {1: "something could not be expressed and is left out; the rest is written"},
    "check": {1: "a rule can never fire, or no rule matches the request"},
}
"""The meanings of codes that a command has in addition to the common ones."""


def commands() -> str:
    """One section a command."""
    whole = click.Context(program, info_name="faultinject", **program.context_settings)
    return "\n\n".join(sections(program, whole))


def sections(group: click.Group, parent: click.Context) -> Iterator[str]:
    """One section a command; the commands of a group follow it."""
    for name in group.commands:
        command = group.get_command(parent, name)
        context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
        yield section(command, context)
        if isinstance(command, click.Group):
            yield from sections(command, context)


def section(command: click.Command, context: click.Context) -> str:
    """Usage, help and options of a command."""
    usage = " ".join((context.command_path, *command.collect_usage_pieces(context)))
    paragraphs = (command.help or "").partition("\f")[0].split("\n\n")
    records = [each.get_help_record(context) for each in command.get_params(context)]
    rows = [(flags(record[0]), escaped(record[1])) for record in records if record]
    return "\n\n".join(
        (
            f"## {context.command_path.partition(' ')[2]}",
            f"```text\n{usage}\n```",
            *map(paragraph, paragraphs),
            table(("option", "meaning"), rows),
        )
    )


def paragraph(text: str) -> str:
    """A paragraph of a help; one that click does not wrap holds a heading and commands."""
    mark, *lines = text.strip().splitlines()
    if mark != "\b":
        return escaped(" ".join(text.split()))
    heading, *commands = (each.strip() for each in lines)
    return "\n".join((heading, "", "```sh", *commands, "```"))


def flags(text: str) -> str:
    """`-r, --rule RULE` with its flags as code."""
    return re.sub(r"(?<![\w`-])(--?[a-z][\w-]*)", r"`\1`", escaped(text))


def exit_codes() -> str:
    """One row a command and code that has a meaning of its own."""
    assert EXIT_CODES.keys() <= program.commands.keys()
    rows = (
        (f"`{name}`", code, meaning)
        for name in program.commands
        for code, meaning in EXIT_CODES.get(name, {}).items()
    )
    return table(("command", "code", "meaning"), rows)
