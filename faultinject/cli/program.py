"""The program `faultinject`: its commands, and what becomes of errors.

Exit codes: 0 fine, 1 a check said no, 2 wrong use or configuration, 130 Ctrl-C.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from faultinject import __version__
from faultinject.cli.check import check
from faultinject.cli.demo import demo
from faultinject.cli.preview import preview
from faultinject.cli.serve import serve
from faultinject.cli.vendors import vendors
from faultinject.exceptions import ConfigurationError, FaultInjectError


class Program(click.Group):
    """A group whose errors of every kind end as one message and the right exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names of the commands in the order of a newcomer's way."""
        return list(self.commands)

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run, and exit unless `standalone_mode` is off; then the code is returned."""
        try:
            run: Callable[..., Any] = super().main
            code = run(*args, standalone_mode=False, **extra) or 0
        except SystemExit as end:
            # click's way to say that nobody reads any more, as behind `| head -1`.
            if not isinstance(end.__context__, BrokenPipeError):
                raise
            code = 0
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except (click.Abort, KeyboardInterrupt):
            click.echo("faultinject: interrupted", err=True)
            code = 130
        except FaultInjectError as error:
            tell(error)
            code = 2
        if standalone_mode:
            sys.exit(code)
        return code


def tell(error: FaultInjectError) -> None:
    """Write every problem of an error to standard error."""
    for each in error.problems if isinstance(error, ConfigurationError) else (error,):
        click.echo(f"faultinject: {each}", err=True)


@click.group(
    cls=Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="A rule is a fault with keys: cos:SlowDown,probability=0.3,method=PUT. 'faultinject check -h' lists them.",
)
@click.version_option(__version__, prog_name="faultinject", message="%(prog)s %(version)s")
@click.pass_context
def program(context: click.Context) -> None:
    """Documented storage errors in a real web app, so that you can prove your client's retry logic."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for each in (demo, serve, vendors, preview, check):
    program.add_command(each)


def main() -> None:
    """Run the program with the arguments of the process."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    program.main(prog_name="faultinject")
