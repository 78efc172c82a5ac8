"""The console script, run in this process."""

import os
import re
import shlex
import signal
import sys
from importlib.metadata import entry_points
from unittest import mock

import pytest
from click.testing import CliRunner

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
[SCRIPT] = entry_points(group="console_scripts", name="faultinject")


class Console:
    """The program as a command for click's runner, entered through the script's entry point."""

    name = "faultinject"

    def main(self, args, prog_name, **_):
        with mock.patch.object(sys, "argv", [prog_name, *args]):
            SCRIPT.load()()


def installs(text, extra):
    """Whether a message ends with the command that adds an extra."""
    return text.rstrip("\n").endswith(f': pip install "faultinject[{extra}]"')


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """No variable of the machine says anything to faultinject, nor that this is production."""
    for name in [*os.environ]:
        if re.match(r"FAULTINJECT_|K8S_|DJANGO_|DD_|OTEL_|.*(ENV|STAGE)", name):
            monkeypatch.delenv(name)


def split(line):
    """The variables that stand before a command, and its words."""
    words = [each.replace("\\n", "\n") for each in shlex.split(line)]
    at = next(number for number, each in enumerate(words) if each.islower())
    return dict(each.split("=", 1) for each in words[:at]), words[at:]


def command(*words, **options):
    """Run the program, and return click's result; an exception other than an exit is raised.

    Args:
        words: what stands behind `faultinject` on the line.
        options: those of click's `CliRunner.invoke`: `input`, `env`.
    """
    kept = {each: signal.getsignal(each) for each in SIGNALS}
    try:
        result = CliRunner().invoke(Console(), [*map(str, words)], **options)
    finally:
        # Commands that serve or explore say what ends them; what runs in this process afterwards is no command.
        for each, handler in kept.items():
            signal.signal(each, handler)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
