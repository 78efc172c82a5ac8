"""`faultinject convert`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from faultinject.cli.layout import CONTEXT
from faultinject.cli.options import CHOICES


@click.command(context_settings=CONTEXT)
@click.argument("files", nargs=-1, metavar="[FILE]…")
@click.option(
    "--from",
    "source",
    type=click.Choice(CHOICES["convert --from"]),
    help="The tool that FILE is from.  [default: detected from its content]",
)
@click.option(
    "--to",
    "target",
    type=click.Choice(CHOICES["convert --to"]),
    help="The proxy whose configuration to write.  [default: rules]",
)
@click.option(
    "-r", "--rule", "rules", multiple=True, metavar="RULE", help="A rule for --to; may be given again."
)
@click.option("--file", metavar="FILE", help="Rules of a TOML file for --to; they come before those of -r.")
@click.option(
    "--listen",
    default="127.0.0.1:8080",
    show_default=True,
    metavar="HOST:PORT",
    help="The address at which the proxy listens.",
)
@click.option(
    "--upstream",
    default="127.0.0.1:8000",
    show_default=True,
    metavar="HOST:PORT",
    help="The app behind the proxy.",
)
@click.option("-o", "--output", metavar="FILE", help="Write it there.  [default: standard output]")
@click.option("--json", "as_json", is_flag=True, help="Print rules, text and remarks as JSON.")
def convert(**given: Any) -> int:
    """Write the faults of another tool as rules, or rules as the configuration of a proxy.

    FILE is the configuration of one of the tools of --from, in JSON; `-` is the standard input. With --to the rules
    of FILE, of -r and --file, or of the environment become the configuration of that proxy.

    It names on standard error everything that it cannot express or that changes its meaning, with its place. It
    leaves out a whole rule if otherwise other requests would get the fault, or get it more often, and if it can never
    fire.
    """
    from faultinject.cli.convert import convert as body

    return body(**given)
