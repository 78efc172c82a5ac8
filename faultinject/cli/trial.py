"""`faultinject trial`: runs a test suite once for each fault, and compares test by test."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import click

from faultinject import vendors
from faultinject.cli import listening
from faultinject.cli import rules as reading
from faultinject.cli.layout import program_of, readers_may_leave, refuse, seconds_of, writer
from faultinject.cli.progress import Progress
from faultinject.cli.trial_reports import BY_ENDING, FORMATS, lines
from faultinject.exceptions import ConfigurationError
from faultinject.processes import faster
from faultinject.testing.trial.comparison import report_of, spelled
from faultinject.testing.trial.running import SuiteCommand, SuiteTrial, faults_of

BEGINNING = 65_536
"""The bytes at the start of a test report in which its first suite begins."""


def trial(
    *,
    rules: tuple[str, ...],
    vendor: str | None,
    app: bool,
    port: int,
    junit: str | None,
    only: str | None,
    within: str | None,
    speed: float | None,
    outputs: tuple[str, ...],
    format_: str,
    as_json: bool,
    verbose: bool,
    command: tuple[str, ...],
) -> int:
    """Run the suite with each fault, and return the exit code."""
    refuse(
        {
            "a command is missing, as in: faultinject trial -- pytest tests": not command,
            "--port is the port of the store, and with --app there is none": app and port,
        }
    )
    settings = reading.services()
    reading.refuse_switched_off()
    reading.refuse_production(settings)
    program_of(command[0])
    form = "json" if as_json else format_
    writers = [writer(output, BY_ENDING) for output in outputs]
    results = None if junit is None else Path(junit)
    # Each run begins without the file: what is no result of tests is the user's own, or a device such as /dev/null.
    if results and results.exists() and not (results.is_file() and _may_be_replaced(results)):
        raise ConfigurationError(
            f"--results: {junit} holds no results of tests, and each run begins without it; name the file that"
            " COMMAND writes"
        )
    texts = rules or (vendor or "s3",)
    vendor = vendor or _vendor_of(texts)
    runs = faults_of(texts, vendor)
    variables = faster(speed or 1.0)
    repeated_words = [
        *("faultinject", "trial", "--vendor", vendor),
        *(["--app"] if app else []),
        *(["--port", str(port)] if port else []),
        *(["--results", junit] if junit else []),
    ]

    def replay(test: str, rule: str) -> str:
        return shlex.join([*repeated_words, "--only", test, "-r", rule, "--", *command])

    listening.handle_signals()  # else the command would go on
    sock = None if app else listening.listen("127.0.0.1", port)
    began, stopped = time.monotonic(), ""
    with SuiteCommand(command, vendor, settings.endpoints, sock=sock, junit=junit, faster=variables) as suite:
        progress = Progress(lambda: trying.how_far())  # noqa: PLW0108 - it is made next
        trying = SuiteTrial(
            suite, runs, only=only, within=seconds_of("--within", within), watch=progress.show
        )
        try:
            with progress:
                trying.carry_out()
        except KeyboardInterrupt:
            if trying.comparison is None:
                raise
            stopped = f"interrupted in {trying.doing}"
    assert trying.comparison is not None
    report = report_of(
        trying.comparison,
        time.monotonic() - began,
        replay,
        trying.smallest,
        trying.tried,
        trying.too_fast,
        stopped,
    )
    injected_rules = {fault.rule for fault in report.faults if fault.injected}
    tried = texts if report.faults and not stopped else ()
    not_injected = [
        text for text in tried if injected_rules.isdisjoint(map(spelled, faults_of([text], vendor)))
    ]
    for write in writers:
        write(report, not_injected)
    with readers_may_leave():
        if form == "text":
            click.echo("\n".join(lines(report, not_injected, verbose=verbose)))
        else:
            click.echo(FORMATS[form](report, not_injected), nl=False)
    if stopped:
        raise KeyboardInterrupt
    if report.broken or any(fault.missing for fault in report.faults):
        return 1
    return 3 if not_injected or report.broken_before or report.ended or not report.faults else 0


def _may_be_replaced(results: Path) -> bool:
    """Whether a file begins as a report of tests, or is empty."""
    with results.open("rb") as file:
        beginning = file.read(BEGINNING)
    return not beginning or b"<testsuite" in beginning


def _vendor_of(rules: Sequence[str]) -> str:
    """The first storage vendor that a rule names, else S3."""
    heads = (text.strip().partition(",")[0].partition(":")[0] for text in rules)
    return next((head for head in heads if vendors.known(head) and vendors.get(head).addressing), "s3")
