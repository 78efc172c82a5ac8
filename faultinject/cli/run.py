"""`faultinject run`: runs any Python server or script with faults, its code unchanged."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import click

from faultinject.cli import rules as reading
from faultinject.cli.layout import program_of, refuse
from faultinject.cli.watching import watch
from faultinject.counts.private import session_path
from faultinject.exceptions import ConfigurationError
from faultinject.injector.session_sync import Session, hooks_path
from faultinject.journal import log
from faultinject.processes import why_not_run
from faultinject.rules.environment import Environment
from faultinject.rules.names import is_rule
from faultinject.rules.scenario import Scenario


def run(
    *,
    rules: tuple[str, ...],
    file: str | None,
    seed: str | None,
    journal: str | None,
    strict: bool,
    command: tuple[str, ...],
) -> int:
    """Replace this process by the command; returns only if that fails."""
    refuse({"a command is missing, as in: faultinject run -- gunicorn app:app": not command})
    if os.name == "nt":  # pragma: no cover - Windows
        raise ConfigurationError("run does not work on Windows, where a process cannot replace itself")
    settings = reading.services()
    scenario = reading.read_rules_of(rules, file) or Scenario.from_env(os.environ)
    program = program_of(command[0])
    reason = _reason_for_off(settings, scenario)
    if reason and strict:
        reading.refuse_switched_off()
        raise ConfigurationError(reason)
    if reason:
        click.echo(f"faultinject: {command[0]} runs untouched, without faults: {reason}", err=True)
        _become(program, command, os.environ)
    if settings.control is not None:
        from faultinject.control.mount import check_installed

        check_installed(settings.control)
    journal = reading.journal(journal, settings)
    chosen = seed or scenario.seed or settings.seed or str(int.from_bytes(os.urandom(4), "big"))
    environ = {name: value for name, value in os.environ.items() if not is_rule(name)}
    for name in ("FAULTINJECT_FILE", "FAULTINJECT_RULES", "FAULTINJECT_SEED", "FAULTINJECT_SESSION"):
        environ.pop(name, None)
    notes = _notes(needed=strict or settings.store is None)
    environ |= {**hooks_path(os.environ), "FAULTINJECT_RUN": f"{'strict' if strict else 1}:{notes}"}
    interpreter = _interpreter(program, command[1:])
    if unreached := _reason_without_faults(command[0], interpreter, environ, ask=strict):
        if strict:
            raise ConfigurationError(unreached)
        click.echo(f"faultinject: {unreached}", err=True)
    if interpreter is None:
        click.echo(
            f"{command[0]} is not Python: only the Python processes that it starts get faults", err=True
        )
    in_session = settings.store is None and settings.control is None
    log_text = io.StringIO()
    if in_session:
        with contextlib.redirect_stderr(log_text):
            log.log_enabled(chosen, scenario.rules, scenario.display_names)
    if notes:
        # The first process that has an app with faults logs this text; with shared counts each logs its own.
        Path(notes).write_text(log_text.getvalue(), encoding="utf-8")
        watch(notes, strict=strict)
    session = None
    if in_session:
        # The session belongs to the process id of the command. After its end, a later start removes the files.
        session = Session()
        session.publish(scenario, chosen, record=False)
        environ |= session.variables
    else:
        text = "\n".join(map(str, scenario.rules))
        environ |= {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": text, "FAULTINJECT_SEED": chosen}
        if scenario.abort is not None:
            # Rules as text have no `abort`, and FAULTINJECT_ABORT would override that of the control API.
            path = f"{session_path()}.toml"
            Path(path).write_text(Scenario.of_rules((), None, scenario.abort).to_toml())
            environ["FAULTINJECT_FILE"] = path
        if settings.store is None:
            # All processes of the command share their counts, so that the control API changes all of them. A later
            # start removes the directory.
            environ["FAULTINJECT_STORE"] = f"file:{session_path()}"
    if journal is not None:
        environ["FAULTINJECT_JOURNAL"] = journal
    try:
        _become(program, command, environ)
    finally:
        # The command could not replace this process.
        if notes:
            Path(notes).unlink()
        if session is not None:
            session.close()


def _notes(*, needed: bool) -> str:
    """The path of the file by which processes report faults; empty on a read-only file system."""
    try:
        return session_path()
    except OSError:  # a container with a read-only file system, and its counts on a server
        if needed:
            raise
        return ""


def _reason_for_off(settings: Environment, scenario: Scenario) -> str:
    """The reason why nothing would be injected, with advice; empty if faults are on."""
    if settings.enabled is False:
        return reading.SWITCHED_OFF
    if reason := reading.in_production(settings):
        return reason
    if settings.expires is not None and settings.expires <= time.time():
        return "FAULTINJECT_EXPIRES has passed; set a later one"
    if scenario.rules or settings.control is not None:
        return ""
    return "there is no rule: give one, such as -r cos:SlowDown,times=2"


def _become(program: str, command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Replace this process by the command."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    try:
        os.execve(program, list(command), environ)  # noqa: S606 - what the user asked for
    except OSError as error:
        raise ConfigurationError(f"{program} cannot be run: {why_not_run(error)}") from None


def _interpreter(program: str, arguments: Sequence[str]) -> list[str] | None:
    """The Python that runs a program, with its options -E, -I and -S.

    None if no Python runs it; empty if the Python is unknown.
    """
    name = os.path.basename(program)  # noqa: PTH119
    if name.startswith(("python", "pypy")):
        return [program, *_options(arguments)]
    if name.startswith("uwsgi"):
        return []
    try:
        with open(program, "rb") as file:  # noqa: PTH123
            head = file.read(1024)
    except (
        OSError
    ):  # pragma: no cover - a program may be executable and not readable, but root reads all files
        return []
    # If the path of the Python is too long for the first line, installers write it into the second.
    lines = head.splitlines()[:2] if head.startswith(b"#!") else []
    for line in lines:
        if b"python" in line:
            return _first_python(os.fsdecode(line.removeprefix(b"#!")))
    return None


def _first_python(line: str) -> list[str]:
    """The Python of a script's first line, such as `/usr/bin/env python3 -I`; empty if unclear."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return []
    for place, word in enumerate(words):
        path = shutil.which(word) if "python" in os.path.basename(word) else None  # noqa: PTH119
        if path is not None:
            return [path, *_options(words[place + 1 :])]
    return []


def _options(words: Sequence[str]) -> list[str]:
    """The options `-E`, `-I` and `-S` among an interpreter's arguments.

    Options may be written together, as in `-Es`; `-W` and `-X` have a value.
    """
    options: list[str] = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            break
        for place, letter in enumerate(word[1:], 2):
            if letter in "cm":
                return options
            if letter in "WX":
                if place == len(word):
                    next(rest, None)
                break
            if letter in "EIS":
                options.append(f"-{letter}")
    return options


def _reason_without_faults(
    command: str, interpreter: Sequence[str] | None, environ: Mapping[str, str], *, ask: bool
) -> str:
    """The reason why the Python of a command gets no faults; empty if it gets them.

    It is also empty if the Python is unknown.
    """
    if not interpreter or not (ask or len(interpreter) > 1):
        return ""
    look = "import sys; sys.exit('faultinject.hooks.watching' not in sys.modules)"
    python = subprocess.run(  # noqa: S603 - the interpreter of what the user asked for
        [*interpreter, "-c", look],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if python.returncode != 1:
        return ""
    words = shlex.join(interpreter)
    if "-S" in interpreter:
        return f"nothing is injected in {command}: {words} loads nothing of faultinject; start it without -S"
    return f"nothing is injected in {command}: {words} has no faultinject; install it there"
