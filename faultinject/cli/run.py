"""`faultinject run`: any Python server or script with faults, its code untouched."""

from __future__ import annotations

import os
import sys

import click

from faultinject.cli.context import CONTEXT


@click.command(
    context_settings={**CONTEXT, "allow_interspersed_args": False},
    short_help="Run any Python server or script with faults.",
)
@click.option("-r", "--rule", "rules", multiple=True, metavar="RULE", help="A rule; may be given again.")
@click.option("--file", metavar="FILE", help="Rules of a TOML file; they come before those of -r.")
@click.option("--seed", help="The seed.  [default: the file's, else $FAULTINJECT_SEED, else one is chosen]")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND…")
def run(*, rules: tuple[str, ...], file: str | None, seed: str | None, command: tuple[str, ...]) -> int:
    """Run COMMAND with faults in every Python process that it starts; its exit code is the command's own.

    Rules come from -r and --file, else from FAULTINJECT_FILE, FAULTINJECT_RULES and FAULTINJECT_RULE_*. Apps of
    Flask, FastAPI, Starlette and Django are reached whatever serves them, any other app through gunicorn, uvicorn,
    hypercorn, granian, daphne, waitress, cheroot, werkzeug and wsgiref. All processes share their counts. A Python that
    is started with -E, -I or -S, or has no faultinject, is not reached.
    """
    import shutil

    from faultinject import announcement
    from faultinject.cli import rules as reading
    from faultinject.exceptions import ConfigurationError
    from faultinject.settings.hooks import hooking
    from faultinject.settings.names import is_rule
    from faultinject.settings.scenario import Scenario

    if not command:
        raise click.UsageError("a command is missing, as in: faultinject run -- gunicorn app:app")
    if os.name == "nt":  # pragma: no cover - Windows
        raise ConfigurationError(
            "run needs a system where a process can become another, which Windows cannot"
        )
    settings = reading.surroundings()
    reading.refuse_switched_off(settings)
    reading.refuse_production(settings)
    scenario = reading.given(rules, file) or Scenario.from_env(os.environ)
    if not scenario.rules:
        raise ConfigurationError("there is no rule: give one, such as -r cos:SlowDown,times=2")
    chosen = seed or scenario.seed or settings.seed or str(int.from_bytes(os.urandom(4), "big"))
    program = shutil.which(command[0])
    if program is None:
        raise ConfigurationError(f"{command[0]}: command not found")
    environ = {name: value for name, value in os.environ.items() if not is_rule(name)}
    for name in ("FAULTINJECT_FILE", "FAULTINJECT_RULES", "FAULTINJECT_SEED", "FAULTINJECT_SESSION"):
        environ.pop(name, None)
    environ |= hooking(os.environ)
    session = None
    if settings.store is None:
        from faultinject.following import Session

        # It is this process's, whose number the command keeps; when that has ended, a later start clears it away.
        session = Session()
        session.publish(scenario, chosen, record=False)
        environ |= session.variables
    else:
        text = "\n".join(map(str, scenario.rules))
        environ |= {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": text, "FAULTINJECT_SEED": chosen}
    announcement.on(chosen, scenario.rules, scenario.display_names)
    if not _is_python(program):
        click.echo(f"{command[0]} is not Python itself: only Pythons that it starts get faults", err=True)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(program, list(command), environ)  # noqa: S606 - what the user asked for
    finally:
        # Only where it could not.
        if session is not None:
            session.close()


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
