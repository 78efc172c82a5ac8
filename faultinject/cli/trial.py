"""`faultinject trial`: runs a test suite once for each fault, and compares test by test."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from faultinject import vendors
from faultinject.cli import listening
from faultinject.cli import rules as reading
from faultinject.cli.layout import aligned, program_of, readers_may_leave, refuse, seconds_of, writer
from faultinject.cli.progress import Progress
from faultinject.engine.shown import quoted
from faultinject.exceptions import ConfigurationError
from faultinject.processes import faster
from faultinject.rules.descriptions import counted
from faultinject.testing.trial.comparison import BrokenTest, TrialReport, report_of, spelled
from faultinject.testing.trial.running import Suite, Trial, faults_of

BEGINNING = 65_536
"""Bytes of a report of tests in which its first suite stands."""
SHOWN = 10
"""Tests that are listed of each kind, unless -v asks for all."""


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
    writers = _writers(outputs)
    results = None if junit is None else Path(junit)
    # Each run begins without the file: what is no result of tests is the user's own, or a device such as /dev/null.
    if results and results.exists() and not (results.is_file() and _may_be_replaced(results)):
        raise ConfigurationError(
            f"--results: {junit} holds no results of tests, and each run begins without it; name the file that"
            " COMMAND writes"
        )
    given = rules or (vendor or "s3",)
    vendor = vendor or _vendor_of(given)
    found = faults_of(given, vendor)
    variables = faster(speed or 1.0)
    same = [
        *("faultinject", "trial", "--vendor", vendor),
        *(["--app"] if app else []),
        *(["--port", str(port)] if port else []),
        *(["--results", junit] if junit else []),
    ]

    def replay(test: str, rule: str) -> str:
        return shlex.join([*same, "--only", test, "-r", rule, "--", *command])

    listening.handle_signals()  # else the command would go on
    sock = None if app else listening.listen("127.0.0.1", port)
    began, stopped = time.monotonic(), ""
    with Suite(command, vendor, settings.endpoints, sock=sock, junit=junit, faster=variables) as suite:
        progress = Progress(lambda: trying.how_far())  # noqa: PLW0108 - it is made next
        trying = Trial(suite, found, only=only, within=seconds_of("--within", within), watch=progress.show)
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
    came = {fault.rule for fault in report.faults if fault.injected}
    tried = given if report.faults and not stopped else ()
    silent = [text for text in tried if came.isdisjoint(map(spelled, faults_of([text], vendor)))]
    for write in writers:
        write(report, silent)
    with readers_may_leave():
        if form == "text":
            click.echo("\n".join(lines(report, silent, verbose=verbose)))
        else:
            from faultinject.cli import trial_reports

            click.echo(trial_reports.FORMATS[form](report, silent), nl=False)
    if stopped:
        raise KeyboardInterrupt
    if report.broken or any(fault.missing for fault in report.faults):
        return 1
    return 3 if silent or report.broken_before or report.ended or not report.faults else 0


def _writers(outputs: Sequence[str]) -> list[Callable[..., None]]:
    """The functions that write the result into the files."""
    if not outputs:
        return []
    from faultinject.cli.trial_reports import BY_ENDING

    return [writer(output, BY_ENDING) for output in outputs]


def _may_be_replaced(results: Path) -> bool:
    """Whether a file begins as a report of tests, or is empty."""
    with results.open("rb") as file:
        beginning = file.read(BEGINNING)
    return not beginning or b"<testsuite" in beginning


def _vendor_of(rules: Sequence[str]) -> str:
    """The first storage vendor that a rule names, else S3."""
    heads = (text.strip().partition(",")[0].partition(":")[0] for text in rules)
    return next((head for head in heads if vendors.known(head) and vendors.get(head).addressing), "s3")


def lines(report: TrialReport, silent: Sequence[str], *, verbose: bool) -> Iterator[str]:
    """The result in words.

    It has the numbers, each cause with one test, the faults, the tests that are not judged, and silent rules of -r.
    """
    most = None if verbose else SHOWN
    yield (
        f"{counted(report.tests, 'test')} with {counted(report.requests, 'request')},"
        f" {counted(len(report.faults), 'fault')} in {_duration(report.seconds)}"
        f" (the suite alone: {_duration(report.suite)}): {len(report.broken)} broken by a fault,"
        f" {len(report.broken_before)} failing without faults, {len(report.flaky)} flaky"
    )
    alike: dict[str, list[BrokenTest]] = {}
    for test in report.broken:
        alike.setdefault(test.like, []).append(test)
    for first, *others in alike.values():
        yield ""
        yield from broken_lines(first, [other.test for other in others], most)
    if report.faults:
        yield ""
        heads = ("injected", "breaks", "fault")
        numbers = [(str(fault.injected), str(fault.broken), fault.rule) for fault in report.faults]
        yield from map(quoted, aligned([heads, *numbers]))
    for run in report.faults:
        if run.missing:
            yield _listed(f"did not run with {run.rule} ({run.ended or 'exit code 0'})", run.missing, most)
    before = [
        f"fails without faults: {quoted(f'{test}: {error}')}" for test, error in report.broken_before.items()
    ]
    yield from before[:most]
    if before[len(before) if most is None else most :]:
        yield f"  … and {len(before) - SHOWN} more (-v)"
    if report.ended:
        yield f"fails without faults, though no test does: the command ({report.ended}); tests may have been left out"
    if report.flaky:
        yield _listed("flaky", report.flaky, most)
    if report.too_fast:
        yield _listed("flaky, or too fast (give a smaller --speed)", report.too_fast, most)
    if not report.faults and not report.stopped:
        why = (
            "none of the tests passes in both runs without faults"
            if report.requests
            else "no request was seen"
        )
        yield f"no fault was tried: {why}"
    if report.stopped:
        yield f"incomplete: {quoted(report.stopped)}"
    for text in silent:
        yield f"incomplete: {quoted(text)} was injected in no run"


def broken_lines(first: BrokenTest, alike: Sequence[str], most: int | None) -> Iterator[str]:
    """The facts known of a broken test, as lines.

    Args:
        first: the test.
        alike: the tests with the same cause.
        most: how many of them, and of its other faults, are named; None: all.
    """
    yield quoted(f"✕ {first.test}: {first.error}")
    yield from (f"    {request}" for request in first.requests)
    if first.lasts:
        yield f"  breaks the app's own promise: it fails, and not by an error of storage, with {first.smallest}"
    elif first.confirmed:
        yield f"  smallest: {first.smallest}"
    elif first.confirmed is None and not first.tried:
        yield f"  smallest: {first.smallest} (not tried)"
    else:
        yield f"  only with: {first.smallest} ({_why_no_smaller(first)})"
    yield f"  replay: {quoted(first.replay)}"
    if first.rules[1:]:
        yield _listed("  also broken by", first.rules[1:], most)
    if alike:
        yield _listed(f"  and {counted(len(alike), 'test')} like it", alike, most)


def _why_no_smaller(test: BrokenTest) -> str:
    if not test.tried:
        return "no request of its own got the fault"
    if test.confirmed is None:
        return f"{counted(test.tried, 'request')} alone did not break it; not all were tried"
    return "no request of its own alone broke it"


def _listed(head: str, texts: Sequence[str], most: int | None) -> str:
    """A few in the line of their head; all of many with a line each."""
    if most is None and len(texts) > SHOWN:
        return "\n    ".join(map(quoted, [f"{head}:", *texts]))
    more = "" if most is None or len(texts) <= most else f" … and {len(texts) - most} more (-v)"
    return quoted(f"{head}: {', '.join(texts[:most])}") + more


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
