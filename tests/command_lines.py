"""The reference of the command line: every command with its options, from the click program."""

import re
from collections import Counter
from collections.abc import Collection, Iterator

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


SHARED = 2
"""An option that so many commands have in the same words is explained once."""


def commands() -> str:
    """The options that several commands have, and one section a command."""
    whole = click.Context(program, info_name="faultinject", **program.context_settings)
    listed = list(contexts(program, whole))
    counted = Counter(row for context in listed for row in options(context))
    most_common = {flag: row for row, _ in reversed(counted.most_common()) for flag in row[:1]}
    shared = [row for row, times in counted.items() if times >= SHARED and most_common[row[0]] == row]
    rows = table(("option", "meaning"), shared)
    common = f"## Options of several commands\n\nEvery command has `-h`, `--help`.\n\n{rows}"
    return "\n\n".join((common, *(section(context, shared) for context in listed)))


def contexts(group: click.Group, parent: click.Context) -> Iterator[click.Context]:
    """One context a command; the commands of a group follow it."""
    for name in group.commands:
        command = group.get_command(parent, name)
        context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
        yield context
        if isinstance(command, click.Group):
            yield from contexts(command, context)


def options(context: click.Context) -> list[tuple[str, str]]:
    """One row an option; help, and arguments that the usage shows, have none."""
    records = [each.get_help_record(context) for each in context.command.get_params(context)]
    return [
        (flags(record[0]), escaped(record[1]))
        for record in records
        if record and record[1] and not record[0].startswith("-h,")
    ]


def section(context: click.Context, shared: Collection[tuple[str, str]]) -> str:
    """Usage, help and options of a command."""
    command = context.command
    usage = " ".join((context.command_path, *command.collect_usage_pieces(context)))
    paragraphs = (command.help or "").partition("\f")[0].split("\n\n")
    rows = options(context)
    own = [row for row in rows if row not in shared]
    also = ", ".join(row[0] for row in rows if row in shared)
    return "\n\n".join(
        (
            f"## {context.command_path.partition(' ')[2]}",
            f"```text\n{usage}\n```",
            *map(paragraph, paragraphs),
            *([table(("option", "meaning"), own)] if own else []),
            *([f"Also {also}."] if also else []),
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
