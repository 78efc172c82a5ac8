"""`faultinject check`: its options and its help."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from faultinject.cli.layout import CONTEXT
from faultinject.cli.options import MORE_RULES

VOCABULARY = Path(__file__).with_name("vocabulary.txt")
"""The vocabulary: sections with a title, and a line of word, tab and meaning for each word.

`pytest --update-golden tests/cli/test_cli_outputs.py` writes it from the docstrings of the rooms.
"""


class RuleCommand(click.Command):
    """A command whose help ends with the vocabulary of rules."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the faults and all keys, each with its meaning and an example."""
        for title, rows in _vocabulary():
            with formatter.section(title):
                formatter.write_dl([(word, meaning) for word, meaning in rows])
        super().format_epilog(ctx, formatter)


def _vocabulary() -> Iterable[tuple[str, Iterable[Sequence[str]]]]:
    """The sections of the vocabulary: titles, each with pairs of a word and its meaning.

    They come from the file, unless another package has faults or vendors of its own.
    """
    if _is_extended():
        from faultinject.cli.vocabulary import sections

        return sections()
    printed = (text.splitlines() for text in VOCABULARY.read_text(encoding="utf-8").split("\n\n"))
    return [(title, [row.split("\t") for row in rows]) for title, *rows in printed]


def _is_extended() -> bool:
    """Whether an installed package has an entry point of faultinject.

    `importlib.metadata` also finds packages in archives, but takes longer than click.
    """
    files = (file for folder in sys.path for file in Path(folder).glob("*-info/entry_points.txt"))
    return any(b"[faultinject." in file.read_bytes() for file in files)


@click.command(
    cls=RuleCommand,
    context_settings=CONTEXT,
)
@click.argument("rules", nargs=-1, metavar="[RULE]...")
@MORE_RULES
@click.option("--file", metavar="FILE", help="Rules of a TOML file (or JSON, when it is named .json).")
@click.option(
    "--request", metavar="'METHOD /PATH'", help="Show how this request is read and which rule would fire."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The Host of that request.")
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="A header of that request; may be given again.",
)
@click.option(
    "--mount", metavar="/APP", default="/", help="The mount point of the app, at the beginning of that path."
)
@click.option("--seed", help="With --request: show what the first five attempts get with this seed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(**given: Any) -> int:
    """Check rules: explain each in words, their rates, and which can never fire.

    Without RULE and --file: the environment, as a server would see it. Exits with 1 when a rule can never fire or
    when no rule matches the request, with 2 when something is wrong.
    """
    from faultinject.cli.check import check as body

    return body(**given)
