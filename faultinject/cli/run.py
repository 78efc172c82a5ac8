"""`faultinject run`: any Python server or script with faults, its code untouched."""

from __future__ import annotations

import os
import sys

import click

from faultinject.cli.context import CONTEXT


@click.command(
    context_settings={**CONTEXT, "ignore_unknown_options": True},
    short_help="Run any Python server or script with faults.",
)
@click.option("-r", "--rule", "rules", multiple=True, metavar="RULE", help="A rule; may be given again.")
@click.option("--file", metavar="FILE", help="A TOML file with rules.")
@click.option("--seed", help="The seed.  [default: one is chosen and logged]")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND…")
def run(rules: tuple[str, ...], file: str | None, seed: str | None, command: tuple[str, ...]) -> int:
    """Run COMMAND with faults in every Python process that it starts; its exit code is the command's own.

    Without -r and --file the rules are those of the environment. Apps of Flask, FastAPI, Starlette and Django are
    reached whatever serves them, any other app through gunicorn, uvicorn, hypercorn, granian, daphne, waitress,
    cheroot, werkzeug and wsgiref. All its processes share their counts.
    """
    from faultinject.cli.production import refuse_production
    from faultinject.following import Session
    from faultinject.hooks import variables
    from faultinject.settings.environment import read_environment
    from faultinject.settings.scenario import Scenario

    if not command:
        raise click.UsageError("a command is missing: faultinject run -- gunicorn app:app")
    refuse_production()
    environ = dict(os.environ)
    import time

    given: list[str] = list(rules)
    if file is not None:
        given = [*map(str, Scenario.load(file).rules), *given]
    settings = read_environment(environ, now=time.time(), rules_given=bool(given), forced=True)
    scenario = Scenario(given) if given else settings.scenario
    assert scenario is not None
    chosen = seed or scenario.seed or settings.seed or str(int.from_bytes(os.urandom(4), "big"))
    found = _found(command[0], environ)
    session = Session()
    session.publish(scenario, chosen, record=False)
    environ.update(session.variables)
    environ.update(variables(environ))
    for name in ("FAULTINJECT_FILE", "FAULTINJECT_RULES", *[each for each in environ if each.startswith("FAULTINJECT_RULE_")]):
        environ.pop(name, None)
    from faultinject import announcement

    announcement.on(chosen, scenario.rules)
    sys.stdout.flush()
    sys.stderr.flush()
    # The directory is this process's, whose number and beginning the command keeps; a later run clears it away.
    os.execve(found, list(command), environ)  # noqa: S606 - what the user asked for


def _found(name: str, environ: dict[str, str]) -> str:
    """The path of a program.

    Raises:
        UsageError: there is none.
    """
    import shutil

    found = shutil.which(name, path=environ.get("PATH"))
    if found is None:
        raise click.UsageError(f"{name}: command not found")
    return found
