"""The console script, run in this process."""

from __future__ import annotations

import re
import signal
import sys
from importlib.metadata import entry_points
from unittest import mock

from click.testing import CliRunner

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
[SCRIPT] = entry_points(group="console_scripts", name="faultinject")


class Console:
    """What a runner of click takes for a command: it enters by the script's own door."""

    name = "faultinject"

    def main(self, args, prog_name, **_):
        with mock.patch.object(sys, "argv", [prog_name, *args]):
            SCRIPT.load()()


def installs(text, extra):
    """Whether a message ends with the command that adds an extra."""
    return re.search(rf" install .*\[{extra}\]'?\n?$", text) is not None


def command(*words, **options):
    """Run it: click's result. What is no exit is raised.

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
