"""`faultinject run`: any Python server or script with faults, its code untouched."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from faultinject.cli.layout import CONTEXT

if TYPE_CHECKING:
    from faultinject.rules.environment import Environment
    from faultinject.rules.scenario import Scenario


@click.command(
    context_settings={**CONTEXT, "allow_interspersed_args": False},
    short_help="Run any Python server or script with faults.",
)
@click.option("-r", "--rule", "rules", multiple=True, metavar="RULE", help="A rule; may be given again.")
@click.option("--file", metavar="FILE", help="Rules of a TOML file; they come before those of -r.")
@click.option("--seed", help="The seed.  [default: the file's, else $FAULTINJECT_SEED, else one is chosen]")
@click.option(
    "--journal", metavar="FILE", help="Append every request to this file.  [default: $FAULTINJECT_JOURNAL]"
)
@click.option("--strict", is_flag=True, help="Exit with 2 if nothing would be injected.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND…")
def run(
    *,
    rules: tuple[str, ...],
    file: str | None,
    seed: str | None,
    journal: str | None,
    strict: bool,
    command: tuple[str, ...],
) -> int:
    """Run COMMAND with faults in every Python process that it starts; its exit code is the command's own.

    Rules come from -r and --file, else from FAULTINJECT_FILE, FAULTINJECT_RULES and FAULTINJECT_RULE_*. Apps of
    Flask, FastAPI, Starlette and Django are reached whatever serves them, any other app through gunicorn, uvicorn,
    hypercorn, granian, daphne, waitress, cheroot, werkzeug and wsgiref. All processes share their counts. A Python that
    is started with -E, -I or -S, or has no faultinject, is not reached.

    Where nothing would be injected, because of FAULTINJECT_ENABLED=0, in production, after FAULTINJECT_EXPIRES or without
    a rule, COMMAND runs untouched, and a line on standard error says why. Wrong rules always exit with 2.
    """
    from faultinject.cli import rules as reading
    from faultinject.cli.commands import program_of
    from faultinject.exceptions import ConfigurationError
    from faultinject.injector.session_sync import import_hooks
    from faultinject.journal import log
    from faultinject.rules.names import is_rule
    from faultinject.rules.scenario import Scenario

    if not command:
        raise click.UsageError("a command is missing, as in: faultinject run -- gunicorn app:app")
    if os.name == "nt":  # pragma: no cover - Windows
        raise ConfigurationError("run does not work on Windows, where a process cannot replace itself")
    settings = reading.services()
    scenario = reading.read_rules_of(rules, file) or Scenario.from_env(os.environ)
    program = program_of(command[0])
    why = _why_off(settings, scenario)
    if why and strict:
        reading.refuse_switched_off(settings)
        raise ConfigurationError(why)
    if why:
        click.echo(f"faultinject: {command[0]} runs untouched, without faults: {why}", err=True)
        _become(program, command, os.environ)
    journal = reading.journal(journal, settings)
    chosen = seed or scenario.seed or settings.seed or str(int.from_bytes(os.urandom(4), "big"))
    environ = {name: value for name, value in os.environ.items() if not is_rule(name)}
    for name in ("FAULTINJECT_FILE", "FAULTINJECT_RULES", "FAULTINJECT_SEED", "FAULTINJECT_SESSION"):
        environ.pop(name, None)
    environ |= import_hooks(os.environ)
    session = None
    if settings.store is None and settings.control is None:
        from faultinject.injector.session_sync import Session

        # It is this process's, whose number the command keeps; when that has ended, a later start clears it away.
        session = Session()
        session.publish(scenario, chosen, record=False)
        environ |= session.variables
    else:
        text = "\n".join(map(str, scenario.rules))
        environ |= {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": text, "FAULTINJECT_SEED": chosen}
        if settings.store is None:
            # What the control API changes is in force in all processes of the command, in a directory that is cleared away likewise.
            from faultinject.counts.private import session_path

            environ["FAULTINJECT_STORE"] = f"file:{session_path()}"
    if journal is not None:
        environ["FAULTINJECT_JOURNAL"] = journal
    log.on(chosen, scenario.rules, scenario.display_names)
    if not _is_python(program):
        click.echo(
            f"{command[0]} is not Python: only the Python processes that it starts get faults", err=True
        )
    try:
        _become(program, command, environ)
    finally:
        # Only where it could not.
        if session is not None:
            session.close()


def _why_off(settings: Environment, scenario: Scenario) -> str:
    """Why nothing would be injected, and what would change that; nothing where faults are on."""
    from faultinject.cli import rules as reading

    if settings.enabled is False:
        return reading.SWITCHED_OFF
    if why := reading.in_production(settings):
        return why
    if settings.expires is not None and settings.expires <= time.time():
        return "FAULTINJECT_EXPIRES has passed; set a later one"
    if scenario.rules or settings.control is not None:
        return ""
    return "there is no rule: give one, such as -r cos:SlowDown,times=2"


def _become(program: str, command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Let the command take the place of this process."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(program, list(command), environ)  # noqa: S606 - what the user asked for


def _is_python(program: str) -> bool:
    """Whether a program is an interpreter, a script of one, or has one in it."""
    if os.path.basename(program).startswith(("python", "pypy", "uwsgi")):  # noqa: PTH119
        return True
    try:
        with open(program, "rb") as file:  # noqa: PTH123
            head = file.read(1024)
    except OSError:  # pragma: no cover - it may be run all the same, but root reads every file
        return True
    # An installer writes a shell's line above a path that is too long for the first one.
    return head.startswith(b"#!") and b"python" in b"".join(head.splitlines()[:2])
