"""`faultinject trial`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from faultinject.cli.layout import CONTEXT
from faultinject.cli.options import CHOICES, FASTEST, SLOWEST


@click.command(context_settings={**CONTEXT, "allow_interspersed_args": False})
@click.option(
    "-r",
    "--rule",
    "rules",
    multiple=True,
    metavar="RULE",
    help="A fault instead of the standard set; it gets times=1,per=call unless it has triggers. May be given again.",
)
@click.option(
    "--vendor",
    metavar="VENDOR",
    help="Storage API that the suite speaks; without -r the faults are its standard set.  [default: that of"
    " the first rule, else s3]",
)
@click.option("--app", is_flag=True, help="Inject into the apps that the suite starts itself, as run does.")
@click.option(
    "--port",
    default=0,
    metavar="PORT",
    type=click.IntRange(0, 65535),
    help="Port of the store.  [default: any]",
)
@click.option(
    "--results", "junit", metavar="FILE", help="Read the results from this JUnit XML that COMMAND writes."
)
@click.option("--only", metavar="TEST", help="Judge this test alone; pytest also runs it alone.")
@click.option(
    "--within",
    metavar="DURATION",
    help="The time that a run may take.  [default: 10 × the time of a run without faults, plus 5 min]",
)
@click.option(
    "--speed",
    type=click.FloatRange(SLOWEST, FASTEST),
    metavar="N",
    help="Let the clocks and waits of COMMAND run N times as fast, by libfaketime. A run in which tests fail"
    " is repeated in real time.",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FILE",
    help="Also write the result to FILE.xml (JUnit), FILE.md, FILE.sarif, FILE.html, FILE.json, FILE.github"
    " or FILE.txt. May be given again.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(CHOICES["trial --format"]),
    default="text",
    show_default=True,
    help="The format of the result.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON: as --format json.")
@click.option("-v", "--verbose", is_flag=True, help="List all tests, and the requests of each.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND…")
def trial(**given: Any) -> int:
    """Run the test suite COMMAND twice without faults, then once for each fault, and compare.

    In a run with a fault, the first request of every call fails, and a retry succeeds; under pytest the calls are
    counted anew in each test. Under pytest two more runs have a fault that stays while the body of a test runs:
    writes that fail, and credentials that have expired. Such a fault breaks a test only if the test fails with
    another error than one of storage, or asks for an object whose write failed.

    The suite's requests go to a store that is empty before each run. Its address is in ENDPOINT and, with
    credentials, in the variables that SDKs read, such as AWS_ENDPOINT_URL, STORAGE_EMULATOR_HOST and
    AZURE_STORAGE_CONNECTION_STRING. Inside moto's mock_aws, moto keeps the requests, and gets the faults. With --app
    the faults are injected into the servers that the suite itself starts, such as moto's.

    The exit code is 0 when no fault broke a test; 1 when a fault broke a test, or a test did not run; 3 when a rule
    of -r was injected in no run, every failing test also fails without faults, the command fails although no test
    does, or no test passed both runs without faults. Ctrl-C judges the runs that have ended.

    \b
    Examples:
      faultinject trial -- pytest tests
      faultinject trial --vendor gcs -- npm test
      faultinject trial -r s3:SlowDown -r reset,when=after --results out.xml -- ./gradlew test
    """  # noqa: D301 - click reads this mark
    from faultinject.cli.trial import trial as body

    return body(**given)
