"""`faultinject explore`: runs a command once for each of its requests and each fault.

The command may be of any language.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property, partial
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING

import click

from faultinject import vendors
from faultinject.adapters import asgi
from faultinject.audit.checks.words import seconds
from faultinject.audit.reports.junit import ERROR, FAILURE, RESULT, SKIPPED, Case, Suite, document
from faultinject.cli import layout, listening
from faultinject.cli import rules as reading
from faultinject.cli.progress import Progress
from faultinject.cli.side_by_side import SideBySide
from faultinject.engine.shown import quoted
from faultinject.exceptions import ConfigurationError, ExplorationFailedError, ProgramFailedError
from faultinject.injector.injector import OwnInjector
from faultinject.journal.outcome import Outcome
from faultinject.processes import cause_in, faster
from faultinject.rules.rule import Rule
from faultinject.rules.values import listed
from faultinject.rules.vocabulary import reading_as
from faultinject.server.connections import url_of
from faultinject.testing.exploration.bounds import Bounds, LeftOut
from faultinject.testing.exploration.choices import QUICK, choices_of
from faultinject.testing.exploration.programs import Program, ended_by
from faultinject.testing.exploration.report import (
    group_lines,
    groups,
    incomplete,
    rows,
    warning_lines,
    warnings,
)
from faultinject.testing.runs import Contents, Exploration, RunFaults

if TYPE_CHECKING:
    from faultinject.adapters.types import ASGIApp, Receive, Scope, Send
    from faultinject.proxy.target import Target
    from faultinject.proxy.upstream import UpstreamFailure
    from faultinject.rules.scenario import Scenario
    from faultinject.testing.storage import Storage


SETTLE_SECONDS = 30.0
"""Seconds to wait for a killed client's last requests, which a busy server still answers."""


class Proxied:
    """A real service behind the proxy; its contents are neither read nor removed.

    Args:
        target: the service.
        rewrite_host: whether the service gets its own Host.
    """

    def __init__(self, target: Target, *, rewrite_host: bool) -> None:
        from faultinject.proxy.app import Proxy

        self._target = target
        self._proxy = Proxy(target, rewrite_host=rewrite_host, on_failure=self._note)
        self._under_way = 0
        self._ended = threading.Condition()
        self._broken: list[UpstreamFailure] = []

    @cached_property
    def url(self) -> str:
        """The proxy's URL, on a free port of this machine; the first use starts the proxy."""
        from faultinject.proxy.client import proxy_server

        app = asgi.wrap(self._proxy, OwnInjector([], environ={}))
        self._server = proxy_server(self._count_requests(app), self._target)
        sock = listening.listen("127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [sock]}, daemon=True)
        self._thread.start()
        return url_of(sock.getsockname())

    def reset(self) -> None:
        """Do nothing: only `--reset` can prepare a real service."""

    def wait_until_idle(self) -> None:
        """Wait until no request of a killed client is under way; the contents are unknown."""
        with self._ended:
            self._ended.wait_for(lambda: not self._under_way, SETTLE_SECONDS)

    def broken(self) -> str:
        """The reason why a request since the last call got no complete answer; empty: all did."""
        failures, self._broken = self._broken, []
        return str(failures[0]) if failures else ""

    def close(self) -> None:
        """End the connections."""
        self._server.should_exit = True
        self._thread.join(10)

    def _note(self, broken: UpstreamFailure) -> None:
        from faultinject.proxy.app import log_failure

        if broken.status >= 500:  # a 4xx is a fault of the request, not of the service
            self._broken.append(broken)
        log_failure(broken)

    def _count_requests(self, app: ASGIApp) -> ASGIApp:
        """The app, which also counts its requests under way."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            with self._ended:
                self._under_way += 1
            try:
                await app(scope, receive, send)
            finally:
                with self._ended:
                    self._under_way -= 1
                    self._ended.notify_all()

        return counted


def reach(target: Target) -> None:
    """Check that the service accepts connections.

    Raises:
        ConfigurationError: it does not; the message says why.
    """
    from faultinject.proxy.upstream import Upstream, UpstreamFailure

    async def connect() -> None:
        context = ssl.create_default_context() if target.tls else None
        (await Upstream.open(target, context)).leave()

    try:
        asyncio.run(connect())
    except UpstreamFailure as broken:
        raise ConfigurationError(f"--to: {broken}") from None


class Command:
    """A command that uses the service at the address in ENDPOINT.

    Args:
        command: the program and its arguments.
        reset: a shell command that prepares each run, or None.
        service: the service; an embedded store is emptied before each run.
        contents: waits for the last request of a killed client, and returns the contents of the service.
        recover: a shell command that runs after the command was killed; None: the command itself.
        again: a shell command that runs after the command has reported an error; None: there is none.
        speed: the factor by which the clocks of all but `reset` run faster.

    Attributes:
        kept: the user's own variables for the addresses of SDKs, which are kept.
        resets: whether a command prepares each run.
        was_fast: whether the last run had this speed. The first run is in real time, and so is one after `doubts`.

    Raises:
        ConfigurationError: libfaketime is not installed.
    """

    def __init__(
        self,
        command: Sequence[str],
        reset: str | None,
        service: Storage | Proxied,
        contents: Contents,
        recover: str | None = None,
        again: str | None = None,
        speed: float = 1.0,
    ) -> None:
        environ: dict[str, str] = {}
        self._environ = environ
        self._real_time = dict(os.environ)
        self._faster = faster(speed)
        self.kept: list[str] = []
        self.resets = reset is not None
        self.was_fast = self._fast = False
        self._program = Program(command, environ)
        self._reset = None if reset is None else Program(reset, self._real_time)
        self._recover = None if recover is None else Program(recover, environ)
        self._again = None if again is None else Program(again, environ)
        self._service = service
        self._contents = contents

    def __enter__(self) -> None:
        service, known = self._service, {}
        if not isinstance(service, Proxied):
            from faultinject.store import stores

            store = stores.find(service.vendor)
            known = store.environment(service.host, service.port)
            self.kept = [name for name, text in store.variables.items() if "{" in text and name in os.environ]
        # What the user has set for the SDKs stays: the command may use another service, too.
        self._real_time |= {**known, **self._real_time, "ENDPOINT": service.url}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._service.close()

    def prepare(self) -> None:
        """Empty an embedded store, and run the command of `--reset`.

        Raises:
            ConfigurationError: the command fails.
        """
        self._service.reset()
        if self._reset is not None:
            code, output = self._reset.run(kill_rest=False)
            if code:
                ended, refused = self.describe_end(ended_by(code), output)
                raise ConfigurationError(f"--reset fails: {ended}\n{refused}{output}".rstrip())

    def describe_end(self, how: str, output: str) -> tuple[str, str]:
        """The end of a command with its cause, and the embedded store's last error, as a line.

        That error is the cause if the output names none: clients such as `curl -f` do not show it.
        """
        error = "" if isinstance(self._service, Proxied) else self._service.app.refused
        refused, cause = error and f"the store's last error: {quoted(error)}", cause_in(output)
        if not cause:
            cause, refused = refused, ""
        return f"{how}: {cause}" if cause else how, refused and f"{refused}\n"

    def run(self, faults: RunFaults) -> None:
        """Run the command, and a second one after a crash or a reported error.

        Raises:
            ProgramFailedError: the last one ended with another exit code than 0, or was ended.
        """
        self.was_fast, self._fast = self._fast, bool(self._faster)
        self._environ.clear()
        self._environ.update(self._real_time, **(self._faster if self.was_fast else {}))
        if faults.crashes:
            second = self._recover or self._program
            faults.kill_and_restart(self._program, second, self._contents, twice=True)
            return
        try:
            faults.check(self._program)
        except ProgramFailedError as error:
            if self._again is None or error.code is None or not faults.names:
                raise
            again = self._again
            faults.run_again(lambda: again.check(faults.patience))

    def faults(self, exploration: Exploration, scenario: Scenario) -> RunFaults:
        """The faults of this command alone; the commands of other jobs have other faults."""
        faults = exploration.faults(scenario, end=self.end, contents=self._contents)
        if not isinstance(self._service, Proxied):
            faults.injector.overrides = self._service.injector
        return faults

    def doubts(self) -> bool:
        """Whether the last run may have failed because of its speed; then the next is in real time."""
        self._fast = self._fast and not self.was_fast
        return self.was_fast

    def end(self, reason: str) -> None:
        """End the running command, with all processes that it has started."""
        for program in (self._program, self._recover, self._again, self._reset):
            if program is not None:
                program.end(reason)


GROUP = "faultinject.explore"
"""The class name of its test cases."""


def _junit(exploration: Exploration) -> str:
    summary = exploration.report().partition("\n")[0]
    return document([Suite("faultinject explore", [*_cases(exploration)], exploration.seconds, {}, summary)])


def _cases(exploration: Exploration) -> Iterator[Case]:
    """A case for each run with faults, and an error for each reason why this is no proof.

    A run whose fault reached no request is skipped. The output of one that passes has its warnings.
    """
    sweep = exploration.sweep
    for reason in incomplete(sweep):
        first, *more = reason.splitlines()
        yield Case(RESULT, GROUP, ERROR, first, "incomplete", more)
    details: dict[int, list[str]] = {}
    for group in groups(sweep.finished):
        details.update((id(run), [f"as after {group[0].text}"]) for run in group)
        details[id(group[0])] = [*group_lines(group, sweep)]
    for run in sweep.finished:
        if run.failed:
            yield Case(run.text, GROUP, FAILURE, run.failure, "FAIL", details[id(run)], run.seconds)
        elif run.reached:
            found = ((quoted(f"{each.check}: {each.message}"), each) for each in warnings(run))
            lines = [line for text, each in found for line in warning_lines(text, each, sweep)]
            yield Case(run.text, GROUP, details=lines, seconds=run.seconds)
        else:
            yield Case(run.text, GROUP, SKIPPED, "not reached: its run made no such request")


FORMATS: dict[str, Callable[[Exploration], str]] = {
    ".txt": lambda exploration: f"{exploration.report()}\n",
    ".json": lambda exploration: f"{exploration.to_json()}\n",
    ".xml": _junit,
}
"""The functions that make the text of a file, by the suffix of its name."""
NOTHING = (
    "the command sent nothing to $ENDPOINT, so there is nothing to explore. Let it send its requests to the"
    " address in the variable ENDPOINT"
)
"""The error if the command succeeds without a request."""
RESET_HINT = (
    "If it needs a bucket or objects, make them before each run: --reset 'curl -s -X PUT $ENDPOINT/photos'"
)
"""The hint if something is missing in the empty store."""
BUCKET_IN_HOST = re.compile(r"[a-z0-9][a-z0-9.-]*\.(?:localhost|127\.0\.0\.1)\b")
"""A bucket's own host name below the store's address; not every system resolves it."""
TOO_FAST = "That run was made with --speed, and the one before in real time: leave out --speed, or give less"
"""The advice if two runs without faults differ, and only one of them was fast."""


def explore(
    *,
    rules: tuple[str, ...],
    quick: bool,
    depth: int,
    max_runs: int,
    vendor: str | None,
    url: str | None,
    rewrite_host: bool,
    crash: bool,
    recover: str | None,
    run_again: str | None,
    within: str | None,
    speed: float | None,
    replay: str | None,
    jobs: int,
    reset: str | None,
    ignore: tuple[str, ...],
    exhaustive: bool,
    without: tuple[str, ...],
    as_json: bool,
    outputs: tuple[str, ...],
    command: tuple[str, ...],
) -> int:
    """Explore the command, and return the exit code."""
    rules += (QUICK,) if quick else ()
    named = {"--recover": recover, "--again": run_again, "--replay": replay}
    layout.refuse(
        {
            "--rewrite-host is for --to": rewrite_host and url is None,
            "--recover is for --crash": recover is not None and not crash,
            f"a fault is missing, as in: faultinject explore -r {vendor or 'cos'} -- ./upload.sh": not (
                rules or crash
            ),
            "--again is for faults alone; with --crash, --recover says what runs again": (
                crash and run_again is not None
            ),
            "--depth is for faults alone; with --crash, those of -r come in the second run": (
                crash and depth > 1
            ),
            "--again is for the embedded store: what a server at --to holds is not known": (
                run_again is not None and url is not None
            ),
            "--jobs is for the embedded store: what a server at --to holds is the same for all runs": (
                jobs > 1 and url is not None
            ),
            "--jobs is for real time: leave out --speed, or --jobs": jobs > 1 and speed is not None,
            **{f"{name} is empty": text is not None and not text.strip() for name, text in named.items()},
            "a command is missing, as in: faultinject explore -r cos -- ./upload.sh": not command,
        }
    )
    writers = [layout.writer(output, FORMATS) for output in outputs]
    settings = reading.services()
    reading.refuse_switched_off()
    reading.refuse_production(settings)
    layout.program_of(command[0])
    service: Storage | Proxied
    contents: Contents
    inconclusive = None
    read_as = vendor
    vendor_is_default = False
    if url is None:
        from faultinject.testing.storage import Storage, contents_of

        vendor = vendor or _vendor_of(rules)
        vendor_is_default, vendor = not vendor, vendor or "cos"
        service = store = Storage(vendor)
        contents = partial(contents_of, store.app)
    else:
        from faultinject.proxy.target import Target

        target = Target(url)
        if rules:
            with reading_as(vendor):
                wanted = [choice.rule for choice in choices_of(rules) if not choice.standard]
                reading.refuse_faults_of_store(wanted, target.url)
        reach(target)
        service = proxied = Proxied(target, rewrite_host=rewrite_host)
        contents, inconclusive = proxied.wait_until_idle, proxied.broken
        vendor = read_as = reading.dialect_of(vendor, target.host)
    repeated_command = layout.command_again(
        click.get_current_context(), ("speed", "jobs", "replay", "as_json", "outputs")
    )
    listening.handle_signals()  # a signal ends the command, too
    running = Command(command, reset, service, contents, recover, run_again, speed or 1.0)
    commands = [running]
    for _ in range(jobs - 1):
        own_store = Storage(store.vendor)
        own_contents = partial(contents_of, own_store.app)
        commands.append(Command(command, reset, own_store, own_contents, recover, run_again))
    dialect = vendors.get(vendor) if vendor else None
    exploration = Exploration(
        rules,
        Bounds(
            depth,
            max_runs,
            ignore=ignore,
            exhaustive=exhaustive,
            without=without,
            crash=crash,
            replay=replay or "",
            within=layout.seconds_of("--within", within),
        ),
        end=running.end,
        vendor=dialect if read_as or crash else None,
        inconclusive=inconclusive,
        contents=contents if url is None else None,
    )
    sweep = exploration.sweep
    if url is not None and reset is None:
        reason = (
            "it still holds what earlier runs wrote, so a lost write may not show; --reset prepares each run"
        )
        sweep.left_out.append(LeftOut("emptying the server", reason))
    sweep.doubts = running.doubts
    sweep.exhaustive_argument = "--exhaustive"
    sweep.replay_line = lambda run: (
        f"faultinject {repeated_command} {shlex.join(['--replay', run.text, '--', *command])}"
    )
    code, prints = 0, True
    with ExitStack() as services:
        for running_command in commands:
            services.enter_context(running_command)
        try:
            _explore(exploration, commands)
        except ExplorationFailedError as error:
            code = 1 if groups(sweep.finished) or sweep.not_run else 3
            if not exploration.over:
                click.echo(f"faultinject: {error}", err=True)
                exploration.sweep.stopped = str(error)
                code, prints = 2, bool(exploration.runs)
        except KeyboardInterrupt:
            if exploration.sweep.stopped:
                _show(exploration, writers, as_json=as_json)
            raise
    _show(exploration, writers, as_json=as_json, prints=prints)
    if vendor_is_default and groups(exploration.sweep.finished):
        click.echo("faultinject: the store spoke cos; --vendor names the service of your client", err=True)
    return code


def _show(
    exploration: Exploration, writers: Sequence[Callable[..., None]], *, as_json: bool, prints: bool = True
) -> None:
    """Write the result into the files, and print it if `prints`."""
    for write in writers:
        write(exploration)
    if prints:
        with layout.readers_may_leave():
            click.echo(exploration.to_json() if as_json else exploration.report())


def _explore(exploration: Exploration, commands: Sequence[Command]) -> None:
    running = commands[0]
    rules: Sequence[Rule] = ()
    requests: Sequence[Outcome] = ()

    def how_far() -> str:
        if not rules:
            return "run without faults"
        under_way, limit = quoted("; ".join(map(str, rules))), seconds(exploration.sweep.patience or 0)
        number = f"run {len(exploration.runs) + 1} of {exploration.sweep.planned}"
        return f"{number} ({under_way}; --within {limit})"

    try:
        with Progress(how_far) as progress, SideBySide(exploration, commands[1:] and commands) as jobs:
            for run in exploration:
                rules = run.scenario.rules
                progress.show()
                if commands[1:]:
                    try:
                        jobs.take(run)
                    finally:
                        requests, running = run.requests, jobs.last or running
                    continue
                running.prepare()
                try:
                    with run:
                        running.run(run.faults)
                finally:
                    requests = run.requests
    except ProgramFailedError as error:
        ended, refused = running.describe_end(str(error), error.output)
        sent = (
            "\n".join(["its requests:", *rows(requests), refused])
            if requests
            else f"it sent no request to $ENDPOINT{_elsewhere(running)}; "
        )
        output = f"its output:\n{error.output}" if error.output else "it wrote no output"
        if named := BUCKET_IN_HOST.search(error.output):
            output += (
                f"\nIf {named[0]} is not found here: let the client put the bucket into the path (path-style"
                " addresses), or add the name to /etc/hosts"
            )
        if not running.resets and any(request.status == HTTPStatus.NOT_FOUND for request in requests):
            output += f"\n{RESET_HINT}"
        raise ExplorationFailedError(f"the command fails without faults: {ended}; {sent}{output}") from None
    except KeyboardInterrupt:
        if rules:
            under_way = "; ".join(map(str, rules))
            exploration.sweep.stopped = f"it was interrupted in the run with {under_way}"
        raise
    except ExplorationFailedError as error:
        if not (requests or exploration.sweep.requests):
            raise ExplorationFailedError(f"{NOTHING}{_elsewhere(running)}") from None
        if running.was_fast and not exploration.runs:
            raise ExplorationFailedError(f"{error}\n{TOO_FAST}") from None
        raise


def _elsewhere(command: Command) -> str:
    """Name the user's variables by which SDKs may send their requests elsewhere."""
    return f"; your own {listed(command.kept, 'and')} may send them elsewhere" if command.kept else ""


def _vendor_of(rules: Sequence[str]) -> str:
    """The first storage vendor of the rules, or ""; one without an embedded store is preferred.

    The embedded store then refuses that vendor, with a message for the user.
    """
    from faultinject.store import stores

    vendors_of_rules = [choice.rule.vendor for choice in choices_of(rules)] if rules else []
    named = [vendor.id for vendor in vendors_of_rules if vendor is not None and vendor.addressing is not None]
    return next((name for name in named if name not in stores.names()), (named or [""])[0])
