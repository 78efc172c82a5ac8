"""`faultinject check`: what rules mean, what they come to, and whether they are right."""

from __future__ import annotations

import os
import time

import click
from click.core import ParameterSource

from faultinject.cli import environment, explanation
from faultinject.cli import rules as reading
from faultinject.cli.layout import CONTEXT, print_json, refuse
from faultinject.cli.vocabulary import sections
from faultinject.exceptions import ConfigurationError


class RuleCommand(click.Command):
    """A command whose help ends with the vocabulary of rules."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the faults and all keys, each with its meaning and an example."""
        for title, rows in sections():
            with formatter.section(title):
                formatter.write_dl(rows)
        super().format_epilog(ctx, formatter)


@click.command(
    cls=RuleCommand,
    context_settings=CONTEXT,
)
@click.argument("rules", nargs=-1, metavar="[RULE]...")
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
@click.pass_context
def check(
    context: click.Context,
    *,
    rules: tuple[str, ...],
    file: str | None,
    request: str | None,
    host: str,
    headers: tuple[str, ...],
    mount: str,
    seed: str | None,
    as_json: bool,
) -> int:
    """Check rules: explain each in words, their rates, and which can never fire.

    Without RULE and --file: the environment, as a server would see it. Exits with 1 when a rule can never fire or when
    no rule matches the request, with 2 when something is wrong.
    """
    refuse(
        {
            f"--{name.removesuffix('s')} needs a request: add --request 'PUT /photos/cat.jpg'": (
                request is None and context.get_parameter_source(name) is not ParameterSource.DEFAULT
            )
            for name in ("host", "headers", "mount", "seed")
        }
    )
    asked = None if request is None else explanation.parse_request(request, host, mount, headers)
    settings = None
    try:
        scenario = reading.read_rules_of(rules, file)
        if scenario is None:
            settings = environment.ServerOutlook(os.environ, time.time())
            scenario = settings.scenario
    except ConfigurationError as error:
        if as_json:
            print_json(explanation.mistakes(error))
        raise
    found = explanation.Explanation(scenario, asked, seed=seed if seed is not None else scenario.seed)
    if as_json:
        print_json(found.printed(None if settings is None else settings.printed()))
    else:
        if settings is not None:
            settings.show()
        found.show()
    if settings is None or settings.enabled:
        reading.refuse_production(reading.services() if settings is None else settings.environment)
    return 0 if found.ok else 1
