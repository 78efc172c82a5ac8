"""Where -o says that a text goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import click

from faultinject.exceptions import ConfigurationError
from faultinject.rules.files import open_to_write


def write_out(text: str, output: str | None) -> None:
    """Write a text to a file, or to the standard output.

    Args:
        text: with its last line's end.
        output: the file; None or `-`: the standard output.

    Raises:
        ConfigurationError: it cannot be written.
    """
    if output is None or output == "-":
        click.echo(text, nl=False)
        return
    try:
        with open_to_write(output) as file:
            file.write(text)
    except OSError as error:
        raise ConfigurationError(f"-o: cannot write to {output}: {error.strerror}") from None


def writer(path: str, formats: Mapping[str, Callable[..., str]]) -> Callable[..., None]:
    """What writes a result into a file, by the end of the file's name.

    Args:
        path: the file; its folder is looked for now, not when all is done.
        formats: by ending, what makes the text of the result.

    Raises:
        ConfigurationError: the name ends otherwise.
        OSError: there is no such folder.
    """
    Path(path).parent.stat()
    form = formats.get(Path(path).suffix.lower())
    if form is None:
        known = ", ".join(f"FILE{ending}" for ending in formats)
        raise ConfigurationError(f"--output: {path} is none of {known}")

    def write(*result: object) -> None:
        with open_to_write(path) as file:
            file.write(form(*result))

    return write
