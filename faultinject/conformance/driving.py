"""Runs a plan: starts each call of a client at its time, and waits until all have ended."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import sqrt
from pkgutil import resolve_name
from threading import Condition
from typing import Any

from faultinject.adapters.asgi import wrap
from faultinject.audit import profiles
from faultinject.audit.calls_by_client import REPLACED
from faultinject.audit.judging import Judgement, judge_run
from faultinject.audit.profiles import Profile
from faultinject.audit.statistics import median
from faultinject.conformance import plan
from faultinject.conformance.breach import find_breach, find_silence
from faultinject.conformance.contract import Factory, InThreads
from faultinject.conformance.plan import Phase, PlannedCall
from faultinject.conformance.process import READY, Process
from faultinject.exceptions import ConfigurationError
from faultinject.injector.injector import Injector, OwnInjector
from faultinject.journal.call_window import CallWindow
from faultinject.journal.driven_run import DrivenRun
from faultinject.journal.outcome import Outcome
from faultinject.journal.reading import of_outcomes
from faultinject.processes import faster
from faultinject.rules.descriptions import count
from faultinject.server.certificates import Certificate
from faultinject.server.connections import Server

SEED = "conformance"
"""The seed of every draw of a run."""


class ServedPlan:
    """A server with the faults of a plan, and their outcomes.

    Attributes:
        url: the server's URL.
        injector: the injector of the faults.
    """

    def __init__(self, url: str, injector: Injector) -> None:
        self.url = url
        self.injector = injector
        self._outcomes: dict[int, Outcome] = {}
        injector.journal.follow(self._note)

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcome of each request, in the order of the decisions."""
        return list(self._outcomes.values())

    def _note(self, outcome: Outcome) -> None:
        self._outcomes[outcome.seq] = outcome


@contextmanager
def serving(
    vendor: str,
    calls: Sequence[PlannedCall],
    rules: str,
    *,
    journal: str | None = None,
    certificate: Certificate | None = None,
) -> Iterator[ServedPlan]:
    """Serve a store with the objects and uploads of the calls, with faults in front.

    Args:
        vendor: the vendor of the store.
        calls: the calls that a client will make.
        rules: the rules, one a line.
        journal: a file for all outcomes, or None.
        certificate: the certificate for TLS; None: the server does not speak TLS.
    """
    from faultinject.store.asgi import asgi, beneath

    injector = OwnInjector(rules, seed=SEED, environ={}, record_all=True, journal=journal)
    filled_store = store(vendor, calls)
    app = beneath(wrap(asgi(filled_store), injector), filled_store)
    context = None if certificate is None else certificate.context
    with Server(app, context=context) as server:
        try:
            yield ServedPlan(server.url, injector)
        finally:
            injector.disable()
    injector.journal.end()


def store(vendor: str, calls: Sequence[PlannedCall]) -> Any:
    """A store with the objects that the calls read, and the uploads that they complete.

    Raises:
        ConfigurationError: there is no store of the vendor.
    """
    from faultinject.store import ObjectStore
    from faultinject.store.stores import FOR_PLANS

    store: Any = resolve_name(FOR_PLANS[vendor])() if vendor in FOR_PLANS else ObjectStore(vendor)
    keys = {kind: [call.key for call in calls if call.kind == kind] for kind in plan.KINDS}
    store.fill(plan.BUCKET, objects=keys["get"], uploads=keys["complete"], content=plan.CONTENT)
    if vendor == "gcs":
        # The path of an upload has no key, so the driver gives each upload its own bucket.
        for bucket in (*keys["put"], *keys["post"]):
            store.fill(bucket, objects=(), uploads=(), content=b"")
    return store


Client = InThreads | Process
"""A client: threads of this process, or another process."""

CUT_PATIENCE = 10.0
"""Seconds to wait for calls whose download was cut, after the ends of all others."""
NAMED = 3
"""The most calls that a message names."""


@dataclass(frozen=True)
class ConformanceRun:
    """A plan that was run.

    Attributes:
        name: the client's name.
        title: the name that the client reports, or None.
        outcomes: the requests.
        windows: the calls as their caller saw them, by the client's clock.
        seconds: the length of the run.
        late: the delay in seconds that 19 of 20 calls did not exceed: how busy the machine was.
        judgement: the verdicts on the client.
        failure: its breach of the contract, in one line; empty: there is none.
        stderr: the end of its standard error.
        deadline: the time limit of the run in seconds.
    """

    name: str
    title: str | None
    outcomes: Sequence[Outcome]
    windows: Sequence[CallWindow]
    seconds: float
    late: float
    judgement: Judgement
    failure: str = ""
    stderr: str = ""
    deadline: float = plan.DEADLINE


class Calls:
    """The calls that have begun, and their ends.

    Args:
        watch: called after each end of a call, with the number of ended calls.
    """

    def __init__(self, watch: Callable[[int], None] | None) -> None:
        self._watch = watch
        self._changed = Condition()
        self._windows: dict[str, CallWindow] = {}
        self._open: set[str] = set()

    def begin(self, call: PlannedCall) -> None:
        """Record the beginning of a call."""
        with self._changed:
            self._windows[call.key] = CallWindow(call.phase, time.monotonic(), None, key=call.key)
            self._open.add(call.key)

    def end(self, key: str, returned: bool, error: str | None) -> None:
        """Record the end of a call; a key that is not running is ignored."""
        with self._changed:
            if key not in self._open:
                return
            self._open.discard(key)
            window = self._windows[key]
            window.ended, window.returned, window.error = time.monotonic(), returned, error
            number_ended = len(self._windows) - len(self._open)
            self._changed.notify_all()
        if self._watch is not None:
            self._watch(number_ended)

    def stop(self) -> None:
        """Ignore all later ends, as the faults are off."""
        with self._changed:
            self._open.clear()

    def wake(self) -> None:
        """Let waiting threads check again."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, until: float, over: Callable[[], bool]) -> bool:
        """Wait until a time, or until `over` is true, and return its last value."""
        with self._changed:
            return self._changed.wait_for(over, max(0.0, until - time.monotonic()))

    def all_ended(self, *, but: str | None = None) -> bool:
        """Whether all calls have ended, except those of one phase."""
        return all(self._windows[key].name == but for key in self._open)

    @property
    def windows(self) -> list[CallWindow]:
        """The calls in the order of their beginnings."""
        with self._changed:
            return list(self._windows.values())


def run(
    client: Factory | Sequence[str],
    *,
    name: str,
    vendor: str = "cos",
    aws: bool = False,
    deadline: float = plan.DEADLINE,
    profile: Profile | str | None = None,
    configured: bool = True,
    require: Collection[str] = (),
    phases: Sequence[Phase] | None = None,
    journal: str | None = None,
    watch: Callable[[int], None] | None = None,
    certificate: Certificate | None = None,
    ready: float = READY,
    speed: float = 1.0,
) -> ConformanceRun:
    """Run the plan against a client and judge it.

    A client fails if it ends before the plan, breaks the contract or stops answering: the first finding says so. A
    request without a key, such as one for a token or for an upload's address, belongs to no call and is not judged.

    Args:
        client: a function that makes a client from the endpoint and the bucket; or the words of a command that keeps
            to the contract in `faultinject.conformance.process`.
        name: the client's name.
        vendor: the vendor of the store: one of `vendors.services()`.
        aws: whether the client documents the header by which AWS asks its own SDKs to wait.
        deadline: the time limit in seconds; calls that are still running are then undecided, unless the client has
            stopped answering.
        profile: the promises of the client; None: its User-Agent chooses them.
        configured: whether the user may have configured the client: a difference from the profile of its User-Agent
            is then measured and not judged.
        require: checks that must be decided, or `all`.
        phases: the phases; None: the whole plan.
        journal: a file for all outcomes, or None.
        watch: called after each end of a call, with the number of ended calls.
        certificate: the store's certificate for TLS, or None; a command gets the variables by which clients trust it.
        ready: seconds until a command must be ready.
        speed: the factor by which a command's clocks run faster, by libfaketime. The client is judged by its own
            clock; `faultinject.conformance.driving.check_reach` checks whether that is possible.

    Raises:
        ConfigurationError: the client could not be started, there is no such profile or check, or no libfaketime.
    """
    codes = plan.codes_of(vendor)
    phases = plan.choose_phases(codes, aws=aws) if phases is None else phases
    calls = Calls(watch)
    variables = {**faster(speed), **({} if certificate is None else certificate.trust)}
    planned = [call for phase in phases for call in phase.planned()]
    with serving(
        vendor, planned, plan.rules(phases, codes), journal=journal, certificate=certificate
    ) as served:
        names = [phase.name for phase in phases]
        opened: Client = (
            InThreads(client, served.url, plan.BUCKET, names, calls.end)
            if callable(client)
            else Process(client, served.url, names, calls.end, calls.wake, variables, ready)
        )
        began = time.monotonic()
        late: list[float] = []
        try:
            _make_planned_calls(planned, opened, calls, began + deadline, late)
        finally:
            until = time.monotonic()
            calls.stop()
            served.injector.disable()
            opened.close()
        outcomes = served.outcomes
        attempts, windows = of_outcomes(outcomes), calls.windows
        failure = opened.failure
        if failure:
            failure += _open_calls([window for window in windows if window.ended is None])
        elif silent := find_silence(windows, attempts, until=until, deadline=deadline):
            failure = f"it stopped answering: no answer for {silent.seconds:.1f} s{_open_calls(silent.calls)}"
        else:
            failure = find_breach(planned, windows, attempts)
        if profile is None and not configured:
            agents = Counter(attempt.user_agent for attempt in attempts)
            profile = profiles.detect(max(agents, key=agents.__getitem__, default=None))
        driven = DrivenRun(os.getpid(), windows, until, _builtin_name(profile), failure, speed)
        judgement = judge_run(attempts, driven, profile=profile, require=require)
        if journal is not None:
            with suppress(OSError):  # the journal's other lines have met this error, too, and it is logged
                driven.write(journal)
    return ConformanceRun(
        name,
        opened.title,
        outcomes,
        driven.calls_by_client(),
        until - began,
        sorted(late)[len(late) * 19 // 20] if late else 0.0,
        judgement,
        failure,
        opened.stderr,
        deadline,
    )


def _builtin_name(profile: Profile | str | None) -> str | None:
    """The name of a built-in profile; None for a profile in a file."""
    name = profile if profile is None or isinstance(profile, str) else profile.name
    return name if name in profiles.names() else None


def _open_calls(calls: Sequence[CallWindow]) -> str:
    """Name the calls that had not ended, for the end of a sentence; empty if there are none.

    For instance `; 2 calls had not ended: throttled-001 of phase throttled, not-found-002 of phase not-found`.
    """
    if not calls:
        return ""
    named = ", ".join(f"{call.key} of phase {call.name}" for call in calls[:NAMED])
    more = f" and {len(calls) - NAMED} more" if len(calls) > NAMED else ""
    return f"; {count(len(calls), 'call')} had not ended: {named}{more}"


def make_calls(
    client: Client, calls: Calls, planned: Iterable[PlannedCall], until: float, apart: float = 0.0
) -> bool:
    """Start calls, wait for their ends, and return whether all end in time.

    A call starts `apart` seconds after the one before, or as soon as all have ended.
    """

    def idle() -> bool:
        return bool(client.failure) or calls.all_ended()

    for call in planned:
        calls.begin(call)
        client.start(call)
        calls.wait(min(until, time.monotonic() + apart), idle)
    return calls.wait(until, idle) and not client.failure


def _make_planned_calls(
    planned: Sequence[PlannedCall], client: Client, calls: Calls, until: float, late: list[float]
) -> None:
    """Start the calls of the calibration one after another, then all others by the clock."""
    possible = [call for call in planned if call.kind in client.kinds]
    first = [call for call in possible if call.phase == plan.CALIBRATION]
    if not make_calls(client, calls, first, until, apart=until):
        return
    began = time.monotonic()
    for call in sorted(
        (call for call in possible if call.phase != plan.CALIBRATION), key=lambda call: call.at
    ):
        if calls.wait(min(began + call.at, until), lambda: bool(client.failure)) or time.monotonic() >= until:
            return
        late.append(time.monotonic() - began - call.at)
        calls.begin(call)
        client.start(call)
    calls.wait(until, lambda: bool(client.failure) or calls.all_ended(but=REPLACED))
    # Some clients never stop waiting for the rest of a cut download.
    make_calls(client, calls, (), min(until, time.monotonic() + CUT_PATIENCE))


PROBE = ("retry-after", "one")
"""The phases whose first waits are compared in real time and at a speed."""
REAL_TIME = ("retry-after-date", "slow")
"""The phases that need real time.

The client compares a date with its own clock, which is ahead of the server's; and a slow answer comes by the server's
clock.
"""
SPREAD = 2.0
"""With `--speed`, the factor by which calls begin further apart.

Waits are short then: without this factor, calls would queue for the processor.
"""
SHORTEST = 0.2
"""Seconds; with `--speed`, a shorter wait looks like the client's own work."""


def first_waits(run: ConformanceRun) -> dict[str, list[float]]:
    """Each phase's waits before a call's first retry, in seconds by the client's clock."""
    waits: dict[str, list[float]] = {}
    for call in run.judgement.evidence.everyone:
        if call.gaps and call.gaps[0] is not None:
            waits.setdefault(call.name or "", []).append(call.gaps[0])
    return waits


def check_reach(measure: Callable[[float], Mapping[str, Sequence[float]]], speed: float) -> None:
    """Compare the client's wait in real time with its wait at a speed.

    Args:
        measure: the first waits of each phase at that speed, seconds by the client's clock.
        speed: the factor by which its clocks run faster.

    Raises:
        ConfigurationError: libfaketime does not reach the client, or the client does not wait.
    """
    real = {phase: median(waits) for phase, waits in measure(1.0).items()}
    phase = max(real, key=real.__getitem__, default="")
    if real.get(phase, 0.0) < SHORTEST:
        raise ConfigurationError(
            f"--speed {speed:g}: the client waits for less than {SHORTEST:g} s before it retries, or does not"
            " retry, so nothing shows that libfaketime reaches it. Leave out --speed: there is little to gain"
        )
    seen = measure(speed).get(phase)
    if not seen or not real[phase] / sqrt(speed) < median(seen) < real[phase] * sqrt(speed):
        by_own_clock = f"{median(seen):.1f} s" if seen else "without an end"
        raise ConfigurationError(
            f"--speed {speed:g}: the client waits for {real[phase]:.1f} s before it retries, and by its own"
            f" clock {by_own_clock} at this speed. libfaketime does not reach its clocks and waits (a static"
            " program, a wait in a lock), or the client works for longer than it waits. Leave out --speed"
        )
