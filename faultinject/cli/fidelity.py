"""`faultinject fidelity`: how far an emulator, or a service, answers mistakes as the documents say."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from faultinject.cli.layout import CONTEXT

if TYPE_CHECKING:
    from faultinject.fidelity.results import Results


@click.command(context_settings=CONTEXT, short_help="Compare an emulator's errors with the documented ones.")
@click.option("--endpoint", required=True, metavar="URL", help="Where the emulator or service listens.")
@click.option(
    "--vendor",
    required=True,
    metavar="VENDOR",
    help="Whose documents count: s3 or a relative of it, azure-blob, gcs.",
)
@click.option("--service", metavar="TEXT", help="What listens there, for the results.  [default: the URL]")
@click.option(
    "--timeout", default="10s", show_default=True, metavar="DURATION", help="The time limit of one request."
)
@click.option(
    "--deadline", default="2m", show_default=True, metavar="DURATION", help="The time limit of all requests."
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option("-o", "--output", metavar="FILE", help="Write the results as JSON to this file.")
@click.option("-v", "--verbose", is_flag=True, help="Show what agrees, too.")
def fidelity(
    *,
    endpoint: str,
    vendor: str,
    service: str | None,
    timeout: str,
    deadline: str,
    as_json: bool,
    output: str | None,
    verbose: bool,
) -> int:
    """Make a client's mistakes at a running emulator, and compare its answers with the documented ones.

    A missing key, a wrong digest, parts out of order, another signature: about 20 to 50 requests, in a bucket of a new
    name that is removed again. Compared are status, code, envelope and headers. Credentials come from AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY, AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY, or CLOUDSDK_AUTH_ACCESS_TOKEN; without them those
    of emulators are used. Exits with 0 when all that was judged agrees, with 1 when something differs, with 3 when
    nothing could be judged.
    """
    import os
    import secrets
    from datetime import UTC, datetime
    from pathlib import Path

    from faultinject import __version__
    from faultinject.cli import listening
    from faultinject.cli.explanation import print_json
    from faultinject.fidelity import results
    from faultinject.fidelity.exchange import endpoint_of
    from faultinject.rules.files import open_to_write
    from faultinject.rules.printed_json import json_text

    place = endpoint_of(endpoint)
    _, probes = results.family(vendor)
    limits = [_seconds("--timeout", timeout), _seconds("--deadline", deadline)]
    if output is not None:
        Path(output).parent.stat()  # now, not when all is done
    shows = not as_json and sys.stderr is not None and sys.stderr.isatty()

    def watch(number: int) -> None:
        click.echo(f"\r{number} of {len(probes)} probes ", nl=False, err=True)

    listening.heed_interrupts()
    try:
        found = results.run(
            place,
            vendor,
            environ=os.environ,
            name=f"faultinject-{secrets.token_hex(8)}",
            timeout=limits[0],
            deadline=limits[1],
            watch=watch if shows else None,
        )
    finally:
        if shows:
            click.echo(f"\r{'':40}\r", nl=False, err=True)
    document = results.document(
        found, service=service or place.url, day=datetime.now(UTC).date().isoformat(), version=__version__
    )
    # Before anything is shown: who reads only the first lines of that has the file all the same.
    if output is not None:
        with open_to_write(Path(output)) as file:
            file.write(f"{json_text(document, 2)}\n")
    if as_json:
        print_json(document)
    else:
        _show(found, document, verbose=verbose)
    for each in found.left_behind:
        click.echo(f"faultinject: {each} could not be removed", err=True)
    if found.stopped is not None:
        more = "more " if found.findings else ""
        click.echo(f"faultinject: nothing {more}could be asked: {found.stopped}", err=True)
    return found.exit_code


def _seconds(option: str, text: str) -> float:
    from faultinject.rules.values import Mistake, duration

    try:
        seconds = duration(text)
    except Mistake as mistake:
        raise click.UsageError(f"{option}: {mistake}") from None
    if seconds <= 0:
        raise click.UsageError(f"{option}: no time is too short for any request")
    return seconds


def _show(found: Results, document: dict[str, Any], *, verbose: bool) -> None:
    """What it comes to, and below a table: a row for each respect in which an answer differs."""
    from faultinject.cli import layout
    from faultinject.fidelity.results import AGREES, DIFFERS

    judged = document["agree"] + document["differ"]
    if not found.findings:
        click.echo(f"{document['service']}: nothing could be judged")
        return
    click.echo(
        f"{document['service']}: {document['agree']} of {judged} answers are as {found.vendor} documents them,"
        f" {document['differ']} differ, {document['not_judged']} not judged"
    )
    parts = (f"{name} {each['agree']} of {each['of']}" for name, each in document["aspects"].items())
    click.echo(f"as documented: {', '.join(parts)}")
    everywhere = found.everywhere
    if everywhere:
        click.echo(f"missing in every refusal, and not in the table: {', '.join(everywhere)}")
    rows = []
    for each in found.findings:
        if each.verdict == DIFFERS:
            name = each.probe.name
            for one in each.differences:
                if one.aspect != "header" or one.documented not in everywhere:
                    rows.append((name, one.aspect, one.documented, one.seen))
                    name = ""
        elif each.verdict == AGREES and verbose:
            rows.append((each.probe.name, "agrees", each.documented or "", str(each.status)))
        elif each.verdict != AGREES:
            rows.append((each.probe.name, "not judged", "", each.reason or ""))
    if rows:
        click.echo()
        layout.show(("error", "aspect", "documented", "seen"), rows)
