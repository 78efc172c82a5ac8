"""`faultinject explore`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from faultinject.cli.layout import CONTEXT
from faultinject.cli.options import FASTEST, SLOWEST

MOST_JOBS = 64
"""The most runs at a time."""


@click.command(
    context_settings={**CONTEXT, "allow_interspersed_args": False},
)
@click.option(
    "-r",
    "--rule",
    "rules",
    multiple=True,
    metavar="RULE",
    help="A fault, and conditions that say where; a vendor stands for its standard set. May be given again.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="Only the faults that find most: lost answers of writes, cut reads, and an outage that begins at each request"
    " and lasts.",
)
@click.option(
    "--depth",
    default=1,
    show_default=True,
    type=click.IntRange(1, 2),
    help="2: also inject a second fault into the requests that follow the first.",
)
@click.option(
    "--max-runs",
    default=500,
    show_default=True,
    type=click.IntRange(1),
    help="The maximum number of runs with faults. If more are needed, that is an error.",
)
@click.option(
    "--vendor",
    metavar="VENDOR",
    help="Storage API that the built-in store (or the --to server) speaks.  [default: the first rule's, else"
    " cos; with --to by its host]",
)
@click.option(
    "--to", "url", metavar="URL", help="Forward the requests of COMMAND to this server, instead of the store."
)
@click.option("--rewrite-host", is_flag=True, help="With --to: send the server its own Host.")
@click.option(
    "--crash",
    is_flag=True,
    help="Kill COMMAND at each request instead, and run it again; its second run gets the faults of -r.",
)
@click.option(
    "--recover",
    metavar="COMMAND",
    help="With --crash: shell command that an operator runs after a crash.  [default: the command itself]",
)
@click.option(
    "--again",
    "run_again",
    metavar="COMMAND",
    help="Shell command that a scheduler runs, without faults, if COMMAND has failed: together they must"
    " leave what one run leaves.",
)
@click.option(
    "--within",
    metavar="DURATION",
    help="The time that a run may take.  [default: 10 × the time of a run without faults, plus 5 min (with"
    " --crash plus 30 s)]",
)
@click.option(
    "--speed",
    type=click.FloatRange(SLOWEST, FASTEST),
    metavar="N",
    help="Let the clocks and waits of COMMAND run N times as fast, by libfaketime. A run that fails is"
    " repeated in real time.",
)
@click.option(
    "--replay",
    metavar="RULES",
    help="Make only the run with these rules, as a report prints them.",
)
@click.option(
    "--jobs",
    default=1,
    show_default=True,
    type=click.IntRange(1, MOST_JOBS),
    metavar="N",
    help="Make N runs at a time, each with a store of its own at its own ENDPOINT. The result is the same; COMMAND"
    " and --reset must not share files.",
)
@click.option("--reset", metavar="COMMAND", help="Shell command that prepares each run, without faults.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="PATTERN",
    help='A check to leave out, such as "non-idempotent retry", or objects of the store that are not'
    ' compared, such as "/bucket/*.log". May be given again.',
)
@click.option("--exhaustive", is_flag=True, help="Also try what the report lists as left out.")
@click.option(
    "--without",
    multiple=True,
    metavar="FAULT",
    help="A fault of a standard set or a group that is not injected, such as s3:SlowDown. May be given"
    " again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FILE",
    help="Also write the result to FILE.txt, FILE.json or FILE.xml (JUnit). May be given again.",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND…")
def explore(**given: Any) -> int:
    """Run COMMAND twice without faults, then once for each of its requests and each fault.

    The variable ENDPOINT has the address of an object store, which is emptied before each run; so have, with
    credentials, the variables that SDKs read, such as AWS_ENDPOINT_URL, unless you have set them. With --to only
    ENDPOINT is set: it has the address of a proxy in front of that server, which --reset must prepare. A run passes
    if COMMAND exits with 0, and leaves the same in the store as without faults: an object that is lost, half
    written, written twice or not removed fails. Its requests and its standard output are checked too. With --again,
    a shell command runs without faults after a COMMAND that fails, as a scheduler does: then the run passes if both
    together leave what one run leaves without faults. The exit code is 1 when a fault broke COMMAND or --max-runs
    cut runs off, 2 when nothing could be explored, and 3 when nothing failed and a fault was injected in no run.

    With --crash, COMMAND is killed (SIGKILL, with all processes that it has started) at each request: before the
    store carries out the request, after that, and in the middle of its body. Then it runs again, and is judged by its
    exit code, its requests, and the final contents of the store: an object that is lost, half written, written twice,
    or left behind.

    \b
    Examples:
      faultinject explore --quick -r s3:AccessDenied -- ./upload.sh
      faultinject explore -r cos -- ./upload.sh
      faultinject explore --vendor s3 -r s3:SlowDown -r reset -o results.xml -- node upload.js
    """  # noqa: D301 - click reads this mark
    from faultinject.cli.explore import explore as body

    return body(**given)
