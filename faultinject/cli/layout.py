"""The common part of all commands: help, tables, JSON, and the output of -o."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
from click.core import ParameterSource

from faultinject.exceptions import ConfigurationError

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""The settings of every command: click uses the help option of the first one that it calls."""


def refuse(mistakes: Mapping[str, object]) -> None:
    """Raise an error if a command is used wrongly.

    Args:
        mistakes: the messages, each with the condition under which it is raised.

    Raises:
        UsageError: a condition is true; the message is that of the first.
    """
    for message, condition in mistakes.items():
        if condition:
            raise click.UsageError(message)


def command_again(context: click.Context, without: Collection[str] = ()) -> str:
    """The arguments of the program that run this command again, with its options.

    Args:
        context: the context of the command.
        without: names of options that are left out.
    """
    words = [context.info_name or ""]
    for parameter in context.command.params:
        name = parameter.name or ""
        if (
            not isinstance(parameter, click.Option)
            or name in without
            or context.get_parameter_source(name) != ParameterSource.COMMANDLINE
        ):
            continue
        value, option = context.params[name], parameter.opts[0]
        if parameter.is_flag:
            words.append(option)
        else:
            words += [
                word for item in (value if parameter.multiple else [value]) for word in (option, str(item))
            ]
    return shlex.join(words)


def seconds_of(option: str, text: str | None) -> float | None:
    """The seconds of an option's duration; None if the option was not given.

    Raises:
        UsageError: it is not a duration, or not above 0.
    """
    # Imported here, as --version and -h do not need it.
    from faultinject.rules.values import Mistake, duration

    if text is None:
        return None
    try:
        seconds = duration(text)
    except Mistake as mistake:
        raise click.UsageError(f"{option}: {mistake}") from None
    refuse({f"{option}: {text} is not above 0": not seconds})
    return seconds


def program_of(word: str) -> str:
    """The path of a program.

    Raises:
        ConfigurationError: there is no such program, or it cannot be run.
    """
    import shutil
    from pathlib import Path

    if program := shutil.which(word):
        return program
    # As in a shell, a word without a slash is searched on the PATH alone.
    path, reason = Path(word), "command not found"
    if os.sep in word and path.is_dir():
        reason = "it is a folder"
    elif os.sep in word and path.is_file():
        reason = f"it may not be run; chmod +x {word} allows it"
    raise ConfigurationError(f"{word}: {reason}")


@contextmanager
def readers_may_leave() -> Iterator[None]:
    """End the block if the reader of standard output leaves, as `head -1` does.

    A command that prints a verdict in such a block still returns its exit code.
    """
    try:
        yield
    except BrokenPipeError:
        abandon_output()


def abandon_output() -> None:
    """Send the rest of a closed output, and later writes to it, to the null device."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def show(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: with rich on a terminal, otherwise as aligned text."""
    if sys.stdout is None or not (sys.stdout.isatty() and _show_rich(columns, rows)):
        click.echo("\n".join(aligned([columns, *rows])))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines whose columns begin below each other.

    >>> aligned([("code", "status"), ("SlowDown", "503")])
    ['code      status', 'SlowDown  503']
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [in_columns(row, widths) for row in rows]


def in_columns(row: Sequence[str], widths: Sequence[int]) -> str:
    """A line with cells of at least the given widths."""
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _show_rich(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    try:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Column, Table
        from rich.text import Text
    except ImportError:
        return False
    # A word that is wider than its column is folded, not cut: users copy rules and names.
    columns_that_fold = (Column(title, overflow="fold") for title in columns)
    table = Table(*columns_that_fold, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
    return True


def print_json(data: object) -> None:
    """Print structs or plain data as JSON."""
    click.echo(printed_json(data))


def printed_json(data: object) -> str:
    """Structs or plain data as indented JSON; a rule is an object with its keys."""
    # Imported here, as --version and -h do not need it.
    from msgspec import to_builtins

    from faultinject.rules.printed_json import json_text

    return json_text(to_builtins(data, enc_hook=_plain), 2)


def _plain(value: Any) -> object:
    return value.to_dict()


def write_out(text: str, output: str | None) -> None:
    """Write a text to a file, or to the standard output.

    Args:
        text: the text, with the end of its last line.
        output: the file; None or `-`: the standard output.

    Raises:
        ConfigurationError: it cannot be written.
    """
    if output is None or output == "-":
        with readers_may_leave():
            click.echo(text, nl=False)
        return
    from faultinject.rules.files import open_to_write

    try:
        with open_to_write(output) as file:
            file.write(text)
    except OSError as error:
        raise ConfigurationError(f"-o: cannot write to {output}: {error.strerror}") from None


def writer(path: str, formats: Mapping[str, Callable[..., str]]) -> Callable[..., None]:
    """A function that writes a result into a file; the suffix of the name chooses the format.

    Args:
        path: the file; its folder is checked at once, before the long work.
        formats: by suffix, the function that makes the text of the result.

    Raises:
        ConfigurationError: there is no format with this suffix.
        OSError: there is no such folder.
    """
    from pathlib import Path

    from faultinject.rules.files import known_ending, open_to_write

    Path(path).parent.stat()
    form = formats[known_ending("--output", path, formats)]

    def write(*result: object) -> None:
        with open_to_write(path) as file:
            file.write(form(*result))

    return write
