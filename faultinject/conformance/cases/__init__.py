"""Cases of a specification of retries, which a client plays.

A case is a server's answers, and the reaction of a client that follows the specification.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby, pairwise
from math import inf
from operator import attrgetter
from threading import Event, Thread
from typing import Any

import msgspec

from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS
from faultinject.audit.statistics import median
from faultinject.audit.waits import UNMEASURED, turnarounds
from faultinject.conformance.breach import requests_by_key
from faultinject.conformance.driving import Calls, make_calls, serving
from faultinject.conformance.plan import PlannedCall
from faultinject.conformance.process import Process
from faultinject.exceptions import ConfigurationError
from faultinject.journal.attempts import Attempt
from faultinject.journal.reading import of_outcomes
from faultinject.rules.descriptions import count
from faultinject.rules.values import nearest

ENDING = ".toml"
STANDARD_ATTEMPTS = 3
"""The attempts of AWS's SDKs in the mode `standard`, unless configured otherwise."""


class CaseAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One answer of the server.

    Attributes:
        status: the status; 200 is the store's own answer, 0 resets the connection.
        code: the code of the error; empty: `InternalError`.
        asked: the value of the header that asks the client to wait; empty: there is no such header.
        header: the name of that header.
        least: the shortest allowed wait before the next attempt, in seconds.
        wait: the longest allowed wait; `inf`: any wait.
    """

    status: int
    code: str = "InternalError"
    asked: str = ""
    header: str = "x-amz-retry-after"
    least: float = 0.0
    wait: float = inf


class SpecificationCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One case: calls that one client makes one after another.

    Attributes:
        name: its name for people.
        do: the kind of the calls: `get` reads an object, `put` writes one.
        calls: the answers to each call, in order. The client makes one attempt for each answer, and reports success if
            and only if the last status is 200.
        attempts: the maximum of attempts, as set by `AWS_MAX_ATTEMPTS`.
        tokens: the client's retry tokens at the beginning; None: those of a new client.
        left: its tokens at the end; None: they are not checked.
        skipped: the reason why the case cannot be played; empty if it can.
    """

    name: str
    do: str = "get"
    calls: tuple[tuple[CaseAnswer, ...], ...] = ()
    attempts: int = STANDARD_ATTEMPTS
    tokens: int | None = None
    left: int | None = None
    skipped: str = ""


class Specification(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cases that belong together.

    Attributes:
        title: the name of their document.
        source: the URL of their document.
        case: the cases.
        vendor: the service of the clients.
        client: the default client.
        capacity: the retry tokens of a new client; 0: it has none.
        cost: the tokens that a retry after a 5xx costs.
    """

    title: str
    source: str
    case: tuple[SpecificationCase, ...]
    vendor: str = "s3"
    client: str = "boto3"
    capacity: int = 0
    cost: int = 1


def specifications() -> list[str]:
    """The names of all specifications."""
    names = (file.name for file in files(__name__).iterdir())
    return sorted(name.removesuffix(ENDING) for name in names if name.endswith(ENDING))


@cache
def specification(name: str) -> Specification:
    """The specification of that name.

    Raises:
        ConfigurationError: there is no such specification; the message has the nearest name.
    """
    known = specifications()
    if name not in known:
        hint = nearest(name, known) or f"; there are {', '.join(known)}"
        raise ConfigurationError(f"--cases: there is no {name!r}{hint}")
    text: Any = files(__name__).joinpath(name + ENDING).read_bytes()
    return msgspec.toml.decode(text, type=Specification)


CLIENTS_AT_ONCE = 9
"""Clients that play a case at the same time, to measure its waits.

A busy machine can only lengthen a wait, so the third shortest of the nine waits is judged. If a client draws its waits
from a range that is ten times too long, the third shortest is too long in 19 of 20 cases.
"""
THIRD = 2
"""The index of the third shortest wait among the sorted waits."""
APART = 0.04
"""Seconds between the starts of two clients, so that their first requests do not queue."""
LATE = 0.1
"""The least seconds by which nine clients at once are assumed to lengthen a wait."""
CASE_DEADLINE = 120.0
"""The default time limit of a case in seconds."""
SPARE = 4
"""The number of further calls, which show that no retry follows the last token."""
BEAT = 0.02
"""Seconds between two readings of the clock; a gap twice as long is a stop of the machine."""
EARLY = 0.005
"""Seconds by which a client's timer may be early."""
KEPT = "CONFORMANCE_SETTINGS"
"""The variable with the names of the AWS settings that the driver keeps in its environment."""
OLD_OR_NEW = "AWS_NEW_RETRIES_2026"
"""The variable by which some AWS SDKs choose version 2.0 or 2.1 of the specification."""


class CaseResult(msgspec.Struct, frozen=True):
    """The result of a case.

    Attributes:
        case: its name.
        verdict: `PASS`, `FAIL` or `INCONCLUSIVE`.
        message: the difference from the specification, the reason why it is undecided, or the measurements.
    """

    case: str
    verdict: str
    message: str


class ClientCases(msgspec.Struct, frozen=True):
    """The results of all cases for one client.

    Attributes:
        client: its name.
        version: its version, or None.
        cases: the results of the cases.
    """

    client: str
    version: str | None
    cases: list[CaseResult]

    @property
    def failed(self) -> int:
        """The number of cases that it fails."""
        return sum(played.verdict == FAIL for played in self.cases)

    @property
    def passed(self) -> int:
        """The number of cases that it passes."""
        return sum(played.verdict == PASS for played in self.cases)


class CasesResult(msgspec.Struct, frozen=True):
    """The document that `conformance --cases --json` prints.

    Attributes:
        v: the version of this form.
        specification: the name of the cases.
        source: where the cases are from, an address.
        clients: the results of each client.
    """

    specification: str
    source: str
    clients: list[ClientCases]
    v: int = 1


@dataclass(frozen=True, slots=True)
class Script:
    """The calls of one client in a case.

    Attributes:
        name: the prefix of all its keys.
        case: the case.
        client: the client's name. Clients that only measure waits are used in all cases, because a new one takes
            long to make.
        spend: the number of failing calls at the beginning, which use up the tokens.
        earn: the number of successful calls after them, each of which returns one token.
        counts: the number of failing calls at the end, which count the tokens; 0: the tokens are not counted.
    """

    name: str
    case: SpecificationCase
    client: str
    spend: int = 0
    earn: int = 0
    counts: int = 0

    def keys(self, step: str, number: int) -> list[str]:
        """The keys of the calls of one step."""
        return [f"{self.name}-{step}-{place}" for place in range(1, number + 1)]

    def planned(self) -> Iterator[PlannedCall]:
        """All calls of the script."""
        numbers = {"spend": self.spend, "earn": self.earn, "call": len(self.case.calls), "count": self.counts}
        for step, number in numbers.items():
            for key in self.keys(step, number):
                yield PlannedCall(key, self.case.do if step == "call" else "get", self.client, 0.0)

    def rules(self) -> str:
        """The rules of its answers, one a line: each answer is sent once, in order."""
        lines = [f"{_fault(CaseAnswer(500))},path=**/{self.name}-{step}-*" for step in ("spend", "count")]
        for key, answers in zip(self.keys("call", len(self.case.calls)), self.case.calls, strict=True):
            lines += [
                f"{_fault(answer)},times=1,path=**/{key}/**" for answer in answers if answer.status != 200
            ]
        return "\n".join(lines)


def _fault(answer: CaseAnswer) -> str:
    if not answer.status:
        return "reset"
    body = f"<Error><Code>{answer.code}</Code><Message>{answer.code}</Message></Error>"
    hint = f",set.{answer.header}={answer.asked}" if answer.asked else ""
    return f'http:{answer.status},content_type=application/xml,message="{body}"{hint}'


class Stops:
    """The times in which the machine was stopped.

    A stop lengthens the waits of all nine clients of a case, as they wait at the same time.
    """

    def __init__(self) -> None:
        self._stops: list[tuple[float, float]] = []

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Read the clock until the block ends."""
        ended = Event()
        watch = Thread(target=self._watch, args=(ended,), daemon=True)
        watch.start()
        try:
            yield
        finally:
            ended.set()
            watch.join()

    def _watch(self, ended: Event) -> None:
        due = time.monotonic() + BEAT
        while not ended.wait(BEAT):
            now = time.monotonic()
            if now > due + BEAT:
                self._stops.append((due, now))
            due = now + BEAT

    def within(self, since: float, until: float) -> float:
        """The seconds between two times in which the machine was stopped."""
        return sum(max(0.0, min(end, until) - max(begin, since)) for begin, end in list(self._stops))


CALIBRATION = Script("cal", SpecificationCase("calibration", calls=((CaseAnswer(200),),) * 25), "cal")
"""Calls without a fault, which come first and measure the client's own speed."""


def play(
    command: Sequence[str],
    cases: Specification,
    *,
    vendor: str = "s3",
    keeps_tokens: bool = True,
    deadline: float = CASE_DEADLINE,
    watch: Callable[[int], None] | None = None,
) -> list[CaseResult]:
    """Play all cases of a specification against a client.

    Args:
        command: the words of a command that follows the contract in `faultinject.conformance.process`.
        cases: the specification.
        vendor: the vendor of the store.
        keeps_tokens: whether one client makes several calls; a program that starts anew for each call keeps no tokens.
        deadline: the time limit of a case in seconds; after it, this case and all later ones are undecided.
        watch: called after each case, with the number of finished cases.

    Raises:
        ConfigurationError: the client could not be started, or reads no objects.
    """
    results = {
        case.name: CaseResult(case.name, INCONCLUSIVE, case.skipped) for case in cases.case if case.skipped
    }
    playable = sorted((case for case in cases.case if not case.skipped), key=attrgetter("attempts"))
    for attempts, group in groupby(playable, key=attrgetter("attempts")):
        for played in _play(command, cases, list(group), attempts, vendor, keeps_tokens, deadline):
            results[played.case] = played
            if watch is not None:
                watch(len(results))
    return [results[case.name] for case in cases.case]


def _scripts(
    cases: Specification, case: SpecificationCase, number: int, *, keeps_tokens: bool
) -> list[Script]:
    """The scripts of a case, one for each client.

    Only one client plays a case whose tokens are used up first, or in which no wait can be too long.
    """
    retries = cases.capacity // cases.cost
    calls = -(-retries // (case.attempts - 1)) + SPARE
    name = f"case{number}"
    if case.tokens is not None:
        earn = max(0, case.tokens - cases.capacity % cases.cost)
        return [Script(name, case, name, spend=calls, earn=earn)]
    counts = calls if case.left is not None and keeps_tokens else 0
    if all(answer.wait == inf for answers in case.calls for answer in answers):
        return [Script(name, case, name, counts=counts)]
    others = [Script(f"{name}-{place}", case, f"client{place}") for place in range(2, CLIENTS_AT_ONCE + 1)]
    return [Script(name, case, name, counts=counts), *others]


def _play(
    command: Sequence[str],
    cases: Specification,
    group: Sequence[SpecificationCase],
    attempts: int,
    vendor: str,
    keeps_tokens: bool,
    deadline: float,
) -> Iterator[CaseResult]:
    """Let one process of the client play the cases with the same maximum of attempts."""
    scripts = {
        case.name: _scripts(cases, case, number, keeps_tokens=keeps_tokens)
        for number, case in enumerate(group, 1)
    }
    everything = [CALIBRATION, *(script for by_client in scripts.values() for script in by_client)]
    settings = {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": str(attempts)}
    settings[KEPT] = " ".join([*settings, OLD_OR_NEW])
    calls = Calls(None)
    stops = Stops()
    planned = [call for script in everything for call in script.planned()]
    rules = "\n".join(script.rules() for script in everything)
    with serving(vendor, planned, rules) as served, stops.watched():
        client = Process(
            command,
            served.url,
            sorted({script.client for script in everything}),
            calls.end,
            calls.wake,
            settings,
        )
        try:
            if "get" not in client.kinds:
                raise ConfigurationError(
                    "--cases: the client has no get among its kinds, and all cases read objects"
                )
            ended = make_calls(
                client, calls, CALIBRATION.planned(), time.monotonic() + deadline, apart=deadline
            )
            pace = turnarounds(of_outcomes(served.outcomes), lambda _: "", driven=True).get("")
            late = UNMEASURED if pace is None else max(LATE, pace.noise)
            for case in group:
                if case.tokens is not None and not keeps_tokens:
                    yield CaseResult(
                        case.name, INCONCLUSIVE, "each call is a process of its own, which keeps no tokens"
                    )
                    continue
                if case.do not in client.kinds:
                    yield CaseResult(case.name, INCONCLUSIVE, f"the client has no {case.do} among its kinds")
                    continue
                ended = ended and _enact(client, calls, scripts[case.name], deadline)
                if client.failure:
                    yield CaseResult(case.name, FAIL, client.failure)
                    continue
                if not ended:
                    reason = (
                        f"calls of this case, or of one before, had not ended after {deadline:g} s;"
                        " give --deadline more"
                    )
                    yield CaseResult(case.name, INCONCLUSIVE, reason)
                    continue
                judge = _Judge(cases, scripts[case.name], of_outcomes(served.outcomes), calls, stops, late)
                yield CaseResult(case.name, *judge.verdict())
        finally:
            calls.stop()
            served.injector.disable()
            client.close()


def _enact(client: Process, calls: Calls, scripts: Sequence[Script], deadline: float) -> bool:
    """Let the clients of a case make their calls, and return whether all calls have ended.

    The calls that prepare the case all start at the same time. The calls of the case come one after another.
    """
    for step_name in ("spend", "earn", "call", "count"):
        by_client = [
            [call for call in script.planned() if f"-{step_name}-" in call.key] for script in scripts
        ]
        steps = (
            zip(*by_client, strict=True)
            if step_name == "call"
            else [[call for calls_of_one in by_client for call in calls_of_one]]
        )
        for step in steps:  # all clients make their first call of the case, then all make their second
            until = time.monotonic() + deadline
            if not make_calls(client, calls, step, until, apart=APART if step_name == "call" else 0.0):
                return False
    return True


class _Judge:
    """Compares the calls of the clients with the case.

    Args:
        cases: the specification.
        scripts: the scripts of the clients.
        attempts: all requests so far.
        calls: all calls so far.
        stops: the times in which the machine was stopped.
        late: the seconds by which a measured wait may be longer than the real one.
    """

    def __init__(
        self,
        cases: Specification,
        scripts: Sequence[Script],
        attempts: Sequence[Attempt],
        calls: Calls,
        stops: Stops,
        late: float,
    ) -> None:
        self._cases = cases
        self._scripts = scripts
        self._case = scripts[0].case
        self._stops = stops
        self._late = late
        self._windows = {window.key: window for window in calls.windows}
        self._requests = requests_by_key(calls.windows, attempts)

    def verdict(self) -> tuple[str, str]:
        """The verdict and its reason."""
        if ignored := self._ignored_setting():
            return INCONCLUSIVE, ignored
        busy = self._busy()
        differences = [
            *self._wrong_attempts(),
            *self._wrong_waits(self._late + 2 * busy),
            *self._wrong_tokens(),
        ]
        if differences:
            return FAIL, "; ".join(differences)
        if doubtful_waits := [*self._wrong_waits(self._late)]:
            reason = f"the machine was busy: calls began {busy:.2g} s late. Play the cases on an idle machine"
            return INCONCLUSIVE, f"{'; '.join(doubtful_waits)}; {reason}"
        return PASS, self._measurements()

    def _busy(self) -> float:
        """The seconds by which the case's calls reached the server later than the fastest call."""
        soonest = min((self._start(key) for key, requests in self._requests.items() if requests), default=0.0)
        starts = [self._start(key) for key in self._keys(0) if self._requests[key]]
        return max(0.0, median(starts) - soonest) if starts else 0.0

    def _start(self, key: str) -> float:
        return self._requests[key][0].arrived - self._windows[key].began

    def _ignored_setting(self) -> str:
        """The reason why the case is undecided: the client reports another maximum of attempts."""
        hints = [request.attempt_hint or {} for key in self._keys(0) for request in self._requests[key]]
        reported = {hint["max"] for hint in hints if "max" in hint} - {self._case.attempts}
        if not reported:
            return ""
        return f"the client says that it makes {min(reported)} attempts at most, and does not read AWS_MAX_ATTEMPTS"

    def _keys(self, number: int) -> list[str]:
        """The key of the call with this number, for each client."""
        return [script.keys("call", len(self._case.calls))[number] for script in self._scripts]

    def _wrong_attempts(self) -> Iterator[str]:
        for number, answers in enumerate(self._case.calls):
            attempts = sorted(len(self._requests[key]) for key in self._keys(number))
            call = f"call {number + 1}: " if len(self._case.calls) > 1 else ""
            if set(attempts) != {len(answers)}:
                yield f"{call}{_attempts_text(attempts)} instead of {len(answers)}"
            elif any(self._windows[key].returned is not _succeeds(answers) for key in self._keys(number)):
                expected = "success" if _succeeds(answers) else "an error"
                yield f"{call}the caller did not get {expected}"

    def _waits(self) -> list[tuple[CaseAnswer, float, float]]:
        """The third shortest wait after each answer, and the same without the machine's stops."""
        waits: list[tuple[CaseAnswer, list[float], list[float]]] = [
            (answer, [], []) for answer in self._case.calls[0][:-1]
        ]
        for key in self._keys(0):
            for (_, measured, without_stops), (before, after) in zip(
                waits, pairwise(self._requests[key]), strict=False
            ):
                if before.answered is not None:
                    measured.append(after.arrived - before.answered)
                    without_stops.append(measured[-1] - self._stops.within(before.answered, after.arrived))
        return [
            (answer, _third(measured), _third(without_stops))
            for answer, measured, without_stops in waits
            if measured
        ]

    def _wrong_waits(self, late: float) -> Iterator[str]:
        for number, (answer, waited, without_stops) in enumerate(self._waits(), 1):
            # The wait of a single client may be long only because the machine is busy.
            if len(self._scripts) == CLIENTS_AT_ONCE and without_stops > answer.wait + late:
                yield f"backoff {number}: {waited:.3g} s instead of at most {answer.wait:g} s"
            elif waited < answer.least - EARLY:
                yield f"backoff {number}: {waited:.3g} s instead of at least {answer.least:g} s"

    def _wrong_tokens(self) -> Iterator[str]:
        script, cost = self._scripts[0], self._cases.cost
        for step, calls, tokens in (
            ("spend", script.spend, self._cases.capacity),
            ("count", script.counts, self._case.left or 0),
        ):
            if calls and (retries := self._retries(step, calls)) != tokens // cost:
                allowed = tokens // cost
                yield f"{retries} retries in an outage instead of {allowed}, which is what {tokens} tokens allow"

    def _retries(self, step: str, number: int) -> int:
        requests = (self._requests[key] for key in self._scripts[0].keys(step, number))
        return sum(max(0, len(request) - 1) for request in requests)

    def _measurements(self) -> str:
        """The measurements, for the message of a PASS."""
        attempts = ", ".join(str(len(answers)) for answers in self._case.calls)
        measurements = [f"attempts: {attempts}"]
        if waits := self._waits():
            measurements.append("backoff: " + ", ".join(f"{waited:.3g} s" for _, waited, _ in waits))
        if self._scripts[0].counts:
            measurements.append(f"retries in an outage: {self._retries('count', self._scripts[0].counts)}")
        return "; ".join(measurements)


def _succeeds(answers: Sequence[CaseAnswer]) -> bool:
    return answers[-1].status == 200


def _third(waits: Sequence[float]) -> float:
    return sorted(waits)[: THIRD + 1][-1]


def _attempts_text(attempts: Sequence[int]) -> str:
    if attempts[0] != attempts[-1]:
        return f"{attempts[0]} to {attempts[-1]} attempts"
    return count(attempts[0], "attempt")
