"""The program `faultinject`: its commands, its errors, and its exit codes.

Exit codes: 0 fine, 1 a check failed, 2 wrong use or configuration, 3 nothing could be judged, 130 Ctrl-C.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from io import StringIO
from typing import Any, TextIO

import click

from faultinject import __version__
from faultinject.cli.layout import CONTEXT, abandon_output, readers_may_leave
from faultinject.exceptions import ConfigurationError, ConflictError, FaultInjectError, plain


def fit(stream: TextIO | None) -> None:
    """Make a stream escape the characters that its encoding lacks."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


COMMANDS = {
    "demo": "Watch a real SDK get documented errors for 30 % of its requests.",
    "serve": "Serve an app, or the embedded object store, with faults in front.",
    "proxy": "Put faults in front of any HTTP server.",
    "run": "Run any Python server or script with faults.",
    "control": "Show and change the faults of a running server, by its control API.",
    "explore": "Run a command once for every request that it makes and every fault.",
    "trial": "Run a test suite once for each fault, and compare test by test.",
    "report": "Judge how clients handled the faults in a journal.",
    "conformance": "Drive storage SDKs through a plan of faults, and judge them.",
    "learn": "Turn the errors of access logs into a scenario.",
    "convert": "Convert faults of other tools to rules, and rules for proxies.",
    "vendors": "List vendors, a vendor's documented errors, or one in full.",
    "preview": "Show the exact bytes of a rule's answer.",
    "check": "Check rules: what they mean and how often they fire.",
    "schema": "Print the JSON Schema of rule files, or of a command's JSON.",
}
"""The short help of each command, in the order in which a newcomer needs them.

`faultinject.cli.commands` has a module for each command.
"""


class CommandGroup(click.Group):
    """A group that imports only the command that is run, and turns errors into exit codes."""

    def get_command(  # click's signature
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """Import a command's module."""
        if cmd_name not in self.commands:
            return None
        command: click.Command = getattr(import_module(f"faultinject.cli.commands.{cmd_name}"), cmd_name)
        return command

    def format_commands(  # click's signature
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """List the short help of the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the arguments, and print help and version."""
        with readers_may_leave():
            return super().make_context(*args, **extra)
        # The reader of help or version has left.
        raise click.exceptions.Exit(0)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with readers_may_leave():
            return super().invoke(ctx)
        # The reader of the output has left.
        return 0

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run, and exit unless `standalone_mode` is off; then the code is returned."""
        try:
            run: Callable[..., Any] = super().main
            code = run(*args, standalone_mode=False, **extra) or 0
        except click.ClickException as error:
            message = StringIO()
            error.show(message)
            usage, _, problem = f"\n\n{message.getvalue()}".partition("\n\nError: ")
            click.echo(plain(f"Error: {problem}{usage.strip()}".rstrip()), err=True)
            code = error.exit_code
        except (click.Abort, KeyboardInterrupt):
            click.echo("faultinject: interrupted", err=True)
            code = 130
        except FaultInjectError as error:
            tell(error)
            code = 1 if isinstance(error, ConflictError) else 2
        except OSError as error:
            abandon_output()
            place = "" if error.filename is None else f"{error.filename}: "
            click.echo(plain(f"faultinject: {place}{error.strerror or error}"), err=True)
            code = 2
        if standalone_mode:
            sys.exit(code)
        return code


def tell(error: FaultInjectError) -> None:
    """Print every problem of an error to standard error."""
    for problem in error.problems if isinstance(error, ConfigurationError) else (error,):
        click.echo(f"faultinject: {plain(str(problem))}", err=True)


@click.group(
    cls=CommandGroup,
    commands={
        name: click.Command(name) for name in COMMANDS
    },  # stand-ins: `get_command` imports the commands
    invoke_without_command=True,
    context_settings=CONTEXT,
    epilog="A rule is a fault with keys: cos:SlowDown,probability=0.3,method=PUT. 'faultinject check -h'"
    " lists them.",
)
@click.version_option(__version__, prog_name="faultinject", message="%(prog)s %(version)s")
@click.pass_context
def program(context: click.Context) -> None:
    """Documented storage errors in a real web app, to prove your client's retry logic."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


group = program
"""Another name of the program: `faultinject.cli.program` is this module."""


def main() -> None:
    """Run the program with the arguments of the process."""
    for stream in (sys.stdout, sys.stderr):
        fit(stream)
    program.main(prog_name="faultinject")
