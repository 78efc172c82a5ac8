"""Where -o says that a text goes."""

from __future__ import annotations

import click


def write_out(text: str, output: str | None) -> None:
    """Write a text to a file, or to the standard output.

    Args:
        text: with its last line's end.
        output: the file; None or `-`: the standard output.

    Raises:
        ConfigurationError: it cannot be written.
    """
    from faultinject.exceptions import ConfigurationError
    from faultinject.rules.files import open_to_write

    if output is None or output == "-":
        click.echo(text, nl=False)
        return
    try:
        with open_to_write(output) as file:
            file.write(text)
    except OSError as error:
        raise ConfigurationError(f"-o: cannot write to {output}: {error.strerror}") from None
