"""Judges a journal: groups attempts into calls, and judges the calls of each client."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import filterfalse

from msgspec import to_builtins

from faultinject.audit import profiles
from faultinject.audit.app_under_test import APP_UNDER_TEST, asked_of_app, refusals
from faultinject.audit.calls_by_client import CallsByClient
from faultinject.audit.checks import CHECKS
from faultinject.audit.checks.effects import HEARD
from faultinject.audit.conclusion import NOT_GIVEN, Conclusion, check_names, conclude, names
from faultinject.audit.documents import CONTRACT, EvidenceKind
from faultinject.audit.evidence import ANY, OUTAGE, Evidence, Silence, answered_at, opening
from faultinject.audit.findings import (
    FAIL,
    INCONCLUSIVE,
    VERDICTS,
    FaultsOfRule,
    Finding,
    Report,
    ReportedTurnaround,
)
from faultinject.audit.grouping import SOON, AttemptInContext, group_requests, is_named, with_context
from faultinject.audit.matching import alike, changed, thing_of
from faultinject.audit.profiles import Profile
from faultinject.audit.statistics import MANY, grouped, median
from faultinject.audit.waits import LONGEST_TURNAROUND, Turnaround, turnarounds
from faultinject.journal.attempts import Attempt
from faultinject.journal.call_window import CallWindow, error_class
from faultinject.journal.calls import TOLD, Call
from faultinject.journal.driven_run import DrivenRun
from faultinject.journal.lines import TORN

CALIBRATION = "cal"
"""The name of a driver's first calls, made one at a time to measure the client's speed."""


NO_FAULT = "no fault"
"""The key in `failed_after` of calls that failed without a fault."""


@dataclass
class Judgement:
    """The judgement of a journal on the clients in it.

    Attributes:
        client: the client with the most calls that count, from its user agent: `Boto3/1.44.5`.
        calls: how many calls there were.
        attempts: how many requests.
        seconds: from the first request to the last.
        signal: how many calls each signal grouped: `SDK id`, `retry mark`, `fingerprint`, `told`.
        left_out: how many calls the checks do not judge, or judge only in part because they go on, by reason:
            `shared`, `repeated`, `followed`, `open`, `begun earlier`, `further clients`.
        skipped: how many lines of the journal were not read, by reason.
        not_given: how many chosen faults could not be injected, by the value of `did`.
        rules: for each rule that chose a fault, the faults, and how many were injected, refused and failed.
        awaited: for each open call, the time by which it must be over, seconds of the journal's monotonic clock.
        findings: every verdict, the worst first.
        evidence: the basis of the verdicts on `client`, such as its profile and its speed when it does not wait.
        others: the evidence on further clients, by name; findings on them have that name.
        require: checks that must be decided.
        strict: whether a warning is a failure.
        title: a driver's name for the client; empty: the name from its user agent.
        began: when the first request came, unix seconds; None without requests.
        ended: when the last request came, unix seconds; None without requests.
        failed_after: how many calls failed for good, by the last fault that they got, such as `503 SlowDown`, or `no
            fault`. Their last answer was a failure, or the caller got an error.
    """

    client: str
    calls: int
    attempts: int
    seconds: float
    signal: dict[str, int]
    left_out: dict[str, int]
    findings: list[Finding]
    evidence: Evidence
    others: dict[str, Evidence] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    not_given: dict[str, int] = field(default_factory=dict)
    rules: dict[str, FaultsOfRule] = field(default_factory=dict)
    awaited: Sequence[float] = ()
    require: Collection[str] = ()
    strict: bool = False
    title: str = ""
    began: float | None = None
    ended: float | None = None
    failed_after: dict[str, int] = field(default_factory=dict)

    @property
    def failed_calls(self) -> int:
        """The number of calls that failed for good."""
        return sum(self.failed_after.values())

    @property
    def conclusion(self) -> Conclusion:
        """The result: whether it is a failure, and whether anything was judged at all."""
        return conclude(
            self.findings,
            attempts=self.attempts,
            calls=self.calls,
            evidence=(self.evidence, *self.others.values()),
            left_out=self.left_out,
            not_given=self.not_given,
            require=self.require,
            strict=self.strict,
        )

    def reported(self) -> Report:
        """The report that is printed in JSON."""
        turnaround, conclusion = self.evidence.turnaround, self.conclusion
        return Report(
            v=1,
            result=conclusion.result,
            reason=conclusion.reason,
            client=self.client,
            calls=self.calls,
            attempts=self.attempts,
            seconds=round(self.seconds, 3),
            signal=self.signal,
            left_out=self.left_out,
            skipped=self.skipped,
            not_given=self.not_given,
            failed_after=self.failed_after,
            rules=self.rules,
            turnaround=ReportedTurnaround(
                turnaround.median, turnaround.p95, turnaround.n, turnaround.zero, turnaround.noise
            ),
            profile=self.evidence.profile.name,
            findings=[finding.reported() for finding in self.findings],
        )

    def to_dict(self) -> dict[str, object]:
        """The report as plain data."""
        return dict(to_builtins(self.reported()))


def judge(
    attempts: Iterable[Attempt],
    *,
    profile: Profile | str | None = None,
    driven: bool = False,
    until: float | None = None,
    ignore: str | Collection[str] = (),
    require: str | Collection[str] = (),
    windows: Collection[CallWindow] = (),
    skipped: Mapping[str, int] | None = None,
    speed: float = 1.0,
) -> Judgement:
    """Judge the clients of a journal.

    Args:
        attempts: the requests, in order of arrival.
        profile: the client's promises: a profile, its name, or the path of a TOML file; None: found by user agent,
            else `rfc`.
        driven: whether a driver made the calls by the plan: each has its own key, and `windows` has all.
        until: the time at which the journal was read, in seconds of its monotonic clock; infinity if its client is
            done; None: the time of its last request, which also counts if the journal's last line is torn.
        ignore: names of checks to leave out, such as `jitter`, or with a subject, such as `retry-after: date`; or a
            single name.
        require: names of checks that must be decided, or `all`.
        windows: the calls that a test or a driver names, with their beginnings, ends and results.
        skipped: how many lines were not read, by reason; it is complete when all attempts are read.
        speed: the speed of the journal's clock: with 2.0 it runs twice as fast as the machine's.

    Raises:
        ConfigurationError: there is no such profile, or no such check to ignore or to require.
    """
    chosen = profiles.get(profile) if isinstance(profile, str) else profile
    ignore, require = names(ignore), names(require)
    check_names(ignore, require)
    attempts = list(attempts)
    asked = [] if driven else asked_of_app(attempts)
    windows = (*windows, *refusals(asked, windows))
    requests = with_context(filterfalse(set(asked).__contains__, attempts), windows)
    read = [request.attempt for request in requests]  # once all are read, `skipped` is complete
    until = None if skipped and TORN in skipped else until
    calls = group_requests(requests, driven=driven, until=until)
    by_client = CallsByClient(requests, calls, driven=driven)
    calibration_end = max(
        (window.ended or 0.0 for window in windows if window.name == CALIBRATION), default=0.0
    )
    calibration = (
        [attempt for attempt in read if attempt.arrived <= calibration_end]
        if driven and calibration_end
        else read
    )
    measured = turnarounds(calibration, by_client.client, driven=driven, speed=speed)
    late = _late(requests, windows) if driven else 0.0
    main, *others = by_client.names
    # A call without a request shows no client. It is reported with the client that has the most calls, but a circuit
    # breaker of any client may be its cause.
    silence = _silence(requests, windows, driven=driven)
    pairs = ((window, request.attempt) for request in requests for window in request.windows)
    by_window = {
        window: [attempt for _, attempt in same]
        for window, same in grouped(pairs, lambda pair: pair[0]).items()
    }
    unclear = {window for request in requests if not is_named(request.windows) for window in request.windows}
    named_calls = _named_calls_by_client(by_window, unclear, by_client.client)
    evidence = {
        name: by_client.evidence(
            name,
            replace(measured.get(name, Turnaround(speed=speed)), late=late),
            chosen,
            silence if name == main else Silence(openings=silence.openings, errors=silence.errors),
            named_calls.get(name, ()),
            {window: by_window[window] for window in unclear if window.name is not None},
        )
        for name in by_client.names
    }
    titles = by_client.titles()
    times, arrived = [attempt.time for attempt in read], [attempt.arrived for attempt in read]
    return Judgement(
        client=titles[main],
        calls=len(calls),
        attempts=len(read),
        seconds=max(arrived, default=0.0) - min(arrived, default=0.0),
        signal=dict(Counter(call.signal for call in calls).most_common()),
        left_out=by_client.left_out | ({APP_UNDER_TEST: len(asked)} if asked else {}),
        findings=_findings(evidence, titles, ignore),
        evidence=evidence[main],
        others={titles[other]: evidence[other] for other in others},
        skipped=dict(skipped or {}),
        not_given=dict(Counter(attempt.did for attempt in read if attempt.did in NOT_GIVEN)),
        rules=_faults_of_rules(read),
        awaited=[call.over for call in calls if not (call.closed or call.cut or call.shared)],
        require=require,
        began=min(times, default=None),
        ended=max(times, default=None),
        failed_after=_failed_after(calls),
    )


def judge_run(
    attempts: Iterable[Attempt],
    run: DrivenRun,
    *,
    profile: Profile | str | None = None,
    ignore: str | Collection[str] = (),
    require: str | Collection[str] = (),
    skipped: Mapping[str, int] | None = None,
) -> Judgement:
    """Judge the client of a driver, after its run or later from its journal.

    A request without a key, such as one for a token or for an address to upload to, belongs to no call and is not
    judged. All times are those of the client's own clock.

    Args:
        attempts: the requests, in order of arrival; those of other processes and of earlier runs are left out.
        run: the driver's record of the run.
        profile: as for `judge`; None: the driver's.
        ignore: as for `judge`.
        require: as for `judge`.
        skipped: as for `judge`.

    Raises:
        ConfigurationError: as of `judge`.
    """
    keys = {call.key for call in run.calls}
    began = min((call.began for call in run.calls), default=0.0)
    own = (
        run.attempt_by_client(attempt)
        for attempt in attempts
        if attempt.pid == run.pid
        and attempt.arrived >= began
        and not keys.isdisjoint(attempt.path.split("/"))
    )
    judgement = judge(
        own,
        profile=profile or run.profile,
        driven=True,
        until=run.by_client(run.until),
        ignore=ignore,
        require=require,
        windows=run.calls_by_client(),
        skipped=skipped,
        speed=run.speed,
    )
    if run.failure and HEARD not in names(ignore):
        judgement.findings.insert(
            0,
            Finding(
                check=HEARD,
                verdict=FAIL,
                n=len(run.calls),
                message=run.failure,
                action="Answer every call by its result, as the contract says.",
                reference=str(CONTRACT),
                evidence=(EvidenceKind.TOLD, EvidenceKind.DOCUMENT),
                documents=(CONTRACT,),
            ),
        )
    return replace(judgement, awaited=())


def _named_calls_by_client(
    by_window: Mapping[CallWindow, Sequence[Attempt]],
    unclear: Collection[CallWindow],
    client: Callable[[Attempt], str],
) -> dict[str, list[Call]]:
    """All requests of each named call that overlaps no other, as one call, by client.

    The client is the one that got the last fault of the call.
    """
    named_calls: dict[str, list[Call]] = {}
    for window, attempts in by_window.items():
        if window not in unclear:
            call = Call(
                attempts, TOLD, name=window.name, returned=window.returned, window=window, windows=(window,)
            )
            faulted = next((attempt for attempt in reversed(attempts) if attempt.injected), call.first)
            named_calls.setdefault(client(faulted), []).append(call)
    return named_calls


def _findings(
    evidence: Mapping[str, Evidence], titles: Mapping[str, str], ignore: Collection[str]
) -> list[Finding]:
    """The findings on all clients, the worst first; if there are several, each has its client."""
    findings: list[Finding] = []
    for client, own in evidence.items():
        checks = (check for name, check in CHECKS.items() if name not in ignore)
        for finding in (finding for check in checks for finding in check(own) if finding.name not in ignore):
            # A check without any data is reported only for the first client.
            if finding.n or finding.verdict != INCONCLUSIVE or client == next(iter(evidence)):
                finding.client = titles[client] if len(evidence) > 1 else None
                findings.append(finding)
    return sorted(findings, key=lambda finding: VERDICTS.index(finding.verdict))


def _failed_after(calls: Sequence[Call]) -> dict[str, int]:
    """Count the calls that failed for good, by their last fault; earlier faults were retried.

    Their last answer is a failure, or their caller got an error. A call is not counted if a changed request, or one
    under another id, may be its retry, if its caller got a result, or if a copy at the same time succeeded. Each
    success excuses one copy.
    """
    succeeded = grouped((call for call in calls if call.succeeded), thing_of)
    copied = Counter(thing_of(call) for call in calls if call.shared and call.succeeded)
    faults: Counter[str] = Counter()
    for call in calls:
        failed = call.last.failed if call.returned is None else not call.returned
        known = bool(call.windows) and all(window.returned for window in call.windows)
        followed = call.followed or call.again is not None
        if not call.closed or not failed or known or followed or _is_corrected(call, succeeded):
            continue
        thing = thing_of(call)
        if call.shared and copied[thing]:
            copied[thing] -= 1
        else:
            fault = next(
                (attempt.answer for attempt in reversed(call.attempts) if attempt.injected), NO_FAULT
            )
            faults[fault] += 1
    return dict(faults.most_common())


def _is_corrected(call: Call, succeeded: Mapping[Hashable, Sequence[Call]]) -> bool:
    """Whether the call was refused, and the same request succeeded right afterwards.

    The app itself had refused it, or the client had changed its token, precondition or the like.

    Args:
        call: the call.
        succeeded: the calls that succeeded, by target.
    """
    last, same = call.last, succeeded.get(thing_of(call), ())
    number = bisect_right(same, last.arrived, key=lambda later: later.first.arrived)
    refused = call.returned is None and last.kind == "client"
    return refused and any(
        later.first.arrived - last.arrived <= SOON
        and alike(last, later.first)
        and (not last.answered_by_fault or changed(last, later.first))
        for later in same[number : number + 1]
    )


def _faults_of_rules(attempts: Iterable[Attempt]) -> dict[str, FaultsOfRule]:
    """The results of the faults that each rule chose."""
    results: dict[str, FaultsOfRule] = {}
    for attempt in attempts:
        if attempt.rule is not None and (attempt.injected or attempt.did in NOT_GIVEN):
            results.setdefault(attempt.rule, FaultsOfRule([], 0, 0, 0)).see(attempt)
    return results


def _late(requests: Sequence[AttemptInContext], windows: Iterable[CallWindow]) -> float:
    """The median lateness of the first request of a driver's calls, seconds.

    It is compared with the fastest call of the calibration. It is 0 for a client that is slow even there, such as a
    program that is started for each call. Outages are left out: they have more calls than a machine can make at once.
    """
    # In reversed order the first request of each call overwrites the others.
    arrived = {
        id(window): request.attempt.arrived for request in reversed(requests) for window in request.windows
    }
    by_name = grouped((window for window in windows if id(window) in arrived), lambda window: window.name)
    took = {name: [arrived[id(window)] - window.began for window in same] for name, same in by_name.items()}
    best = min(took.pop(CALIBRATION, ()), default=LONGEST_TURNAROUND)
    others = [seconds for same in took.values() if len(same) < OUTAGE for seconds in same]
    return max(0.0, median(others) - best) if len(others) >= MANY and best < LONGEST_TURNAROUND else 0.0


def _is_near(window: CallWindow, openings: Mapping[tuple[str | None, str | None], Sequence[float]]) -> bool:
    """Whether a breaker whose callers get the same error opened about the time of a call."""
    opened = openings.get((None, error_class(window.error)), ())
    place = bisect_left(opened, window.began - SOON)
    return place < len(opened) and (window.ended is None or opened[place] <= window.ended + SOON)


def _silence(requests: Iterable[AttemptInContext], windows: Iterable[CallWindow], *, driven: bool) -> Silence:
    """Find the named calls that made no request, and measure the row of them at the end.

    A driver gives all calls of one client the same name; a test may give each call its own.
    """
    heard = {id(window) for request in requests for window in request.windows}
    named = sorted((window for window in windows if window.name is not None), key=lambda window: window.began)
    unasked = [window for window in named if id(window) not in heard]
    silent = [window for window in unasked if window.returned is False]
    # A client that hides errors hides those of its breaker, too. Then another call of that name with requests
    # shows that this call should have made one.
    asking = {window.name for request in requests for window in request.windows}
    since = max((window.began for window in named if id(window) in heard), default=float("-inf"))
    last = [window.began for window in silent if window.began > since]
    by_client: dict[str | None, list[Attempt]] = {}
    for answered in sorted(requests, key=lambda request: answered_at(request.attempt)):
        for name in {window.name if driven else None for window in answered.windows}:
            by_client.setdefault(name, []).append(answered.attempt)
    openings: dict[tuple[str | None, str | None], list[float]] = {}
    for call in unasked:
        client = call.name if driven else None
        may_be = call.error or (call.returned and call.name in asking)
        opened = opening(call, by_client.get(client, ())) if may_be else None
        if opened is not None:
            error = error_class(call.error)
            for key in {(client, error), (client, ANY), (None, error)}:
                openings.setdefault(key, []).append(opened)
    for moments in openings.values():
        moments.sort()
    elsewhere = {
        error_class(window.error)
        for request in requests
        for window in request.windows
        if window.returned is False
        and window.error
        and (request.attempt.kind == "client" or not _is_near(window, openings))
    }
    heard_when_open = {error for _, error in openings if error and error is not ANY}
    return Silence(
        calls=len(named),
        silent=len(silent),
        last=len(last),
        seconds=last[-1] - last[0] if last else 0.0,
        error=next((window.error for window in silent if window.error), None),
        openings=openings,
        errors=frozenset(heard_when_open - elsewhere if elsewhere else ()),
    )
