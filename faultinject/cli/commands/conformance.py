"""`faultinject conformance`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from faultinject.cli.layout import CONTEXT
from faultinject.cli.options import CHOICES, FASTEST, SLOWEST


@click.command(context_settings=CONTEXT)
@click.option(
    "--client",
    "clients",
    multiple=True,
    metavar="CLIENT",
    help="An SDK (see --list), a factory MODULE:NAME, or a command.  [default: every SDK that is installed]",
)
@click.option(
    "--all",
    "whole",
    is_flag=True,
    help="Drive every installed SDK; list the missing ones, and how to install them.",
)
@click.option(
    "--list",
    "lists",
    is_flag=True,
    help="List the SDKs that have a driver, and how to install the missing ones.",
)
@click.option("--contract", is_flag=True, help="Show the protocol that a command of your own follows.")
@click.option(
    "--vendor",
    metavar="VENDOR",
    help="The vendor whose store and documented errors a client of your own gets.  [default: cos]",
)
@click.option(
    "--profile",
    metavar="PROFILE",
    help="The profile to judge the client by.  [default: by its user agent, else rfc]",
)
@click.option(
    "--deadline",
    metavar="DURATION",
    help="The time limit of each client. Calls that have not ended then are not decided; a silent client"
    " fails.  [default: 30s; longer for clients that are known to wait longer]",
)
@click.option(
    "--phase",
    "phases",
    multiple=True,
    type=click.Choice(CHOICES["conformance --phase"]),
    metavar="PHASE",
    help=f"Run only this phase of the plan ({', '.join(CHOICES['conformance --phase'])}). May be given again.",
)
@click.option(
    "--cases",
    metavar="NAME",
    help="Play the cases of a specification instead of the plan: aws-standard-2.0, aws-standard-2.1,"
    " azure-core or google-storage.  [without --client: the service's SDK for Python]",
)
@click.option(
    "--output",
    "-o",
    "outputs",
    multiple=True,
    metavar="FILE",
    help="Write a report to FILE.html, FILE.md, FILE.json, FILE.xml (JUnit), FILE.sarif, FILE.github or"
    " FILE.txt, or a badge to FILE.svg. May be given again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option(
    "--compare", metavar="OLD.json", help="Show what changed since these results. Only a worse result fails."
)
@click.option(
    "--journal", metavar="DIRECTORY", help="Keep each client's journal there, for `faultinject report`."
)
@click.option(
    "--require",
    multiple=True,
    metavar="CHECK",
    help="Exit with 3 if this check is not decided; all: every check. May be given again.",
)
@click.option(
    "--tls",
    is_flag=True,
    help="Speak TLS, with a self-signed certificate that the client's environment trusts.",
)
@click.option(
    "--speed",
    type=click.FloatRange(SLOWEST, FASTEST),
    metavar="N",
    help="Let the client's clocks and waits run N times as fast, by libfaketime, and judge it by its own"
    " clock. Leaves out the phases retry-after-date and slow, which need real time.",
)
@click.option("--strict", is_flag=True, help="A warning is a failure.")
@click.option(
    "--verbose",
    "-v",
    is_flag=True,
    help="Say what each undecided check needs, and how calls, waits and faults were measured.",
)
def conformance(**given: Any) -> int:
    """Let a client make about 250 calls with every kind of fault, and judge its retries.

    With --cases the client plays the test cases of a specification instead of the plan; one case that fails makes
    the exit code 1.

    Everything is on loopback and in memory; each SDK runs in its own process, one after the other, for about 20
    seconds. Exits with 1 when a check says FAIL (with --strict also WARN), or a client that was ready dies, stops
    answering or breaks the contract; with 3 when nothing could be judged for a client, or a check of --require was
    not decided. Ctrl-C ends the running client, writes the results of the clients before it, and exits with 130.

    \b
    Examples:
      faultinject conformance --client boto3
      faultinject conformance --client 'node driver.js' --vendor s3 -o results.xml
      faultinject conformance --client boto3 --cases aws-standard-2.1
    """  # noqa: D301 - click reads this mark
    from faultinject.cli.conformance import conformance as body

    return body(**given)
