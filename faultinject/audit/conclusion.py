"""The result of a judgement, in a word and in a sentence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from faultinject.audit.checks import CHECKS
from faultinject.audit.checks.words import counted
from faultinject.audit.evidence import Evidence
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, WARN, Finding, standing
from faultinject.exceptions import ConfigurationError
from faultinject.rules.values import listed, most_like, shown

EVERY = "all"
"""The value of `require` for every check."""
DRIVEN = frozenset(("overlap", "retry budget", "retry quota"))
"""Checks that need a driver's plan: without one, `all` leaves them out."""
CODES = {"fail": 1, "undecided": 3}
"""Exit codes of commands; 0 for the other results."""

NOT_GIVEN = {
    "refused": (
        "refused (more at the same time than FAULTINJECT_MAX_ACTIVE allows, or HTTP/2 without http2=yes)"
    ),
    "failed": "failed (see the log, or the client disconnected first)",
    "nothing_to_cut": "without effect (there was nothing to cut, change or fail)",
    "app_failed": "replaced by an error of the app itself",
}
"""Reasons why faults were not injected, in words, by the journal's `did`."""
LEFT_OUT = {
    "open": ("may still have been running", "Add --finished if the client is done."),
    "shared": (
        "ran at the same time as another call for the same object, which mixes their attempts",
        "Use a different key for each concurrent call, or make the calls for one key one after the other.",
    ),
    "followed": (
        "came right before a similar but changed request, which may be a retry",
        "Wrap each call in faults.call().",
    ),
    "repeated": ("recurred as they also do without faults", "Wrap each call in faults.call()."),
    "begun earlier": (
        "began before the journal, or right after a similar call that failed, as a retry does",
        "Start the journal before the client, and wrap each call in faults.call().",
    ),
    "app under test": (
        "asked the app under test, which had the faults behind it",
        "Give faults to requests of the client that is to be judged.",
    ),
    "further clients": ("came from more clients than are judged", "Judge a journal of fewer clients."),
}
"""Reasons for leaving out calls, and advice if no other call can be judged."""
NOT_ENDED = {"open": ("had not ended at the deadline", "Raise the deadline.")}
"""The reasons and advice if a driver made the calls."""


class Conclusion(NamedTuple):
    """The result.

    Attributes:
        result: `fail`, `warn`, `pass` or `undecided`.
        head: the beginning of its sentence, such as `FAIL`.
        reason: the rest of the sentence: the problem, or why nothing could be judged, and what to do.
    """

    result: str
    head: str
    reason: str

    @property
    def sentence(self) -> str:
        """The whole sentence."""
        return f"{self.head}: {self.reason}"

    @property
    def exit_code(self) -> int:
        """The exit code: 1 for a failure; 3 if nothing, or not all required, was judged; else 0."""
        return CODES.get(self.result, 0)


def conclude(
    findings: Sequence[Finding],
    *,
    attempts: int,
    calls: int,
    evidence: Sequence[Evidence],
    left_out: Mapping[str, int],
    not_given: Mapping[str, int],
    require: Collection[str] = (),
    strict: bool = False,
) -> Conclusion:
    """Conclude from findings.

    Args:
        findings: of all clients.
        attempts: requests that were seen.
        calls: calls that they belong to.
        evidence: the evidence on each client.
        left_out: calls that no check judges, by reason.
        not_given: faults that could not be injected, by the value of `did`.
        require: checks that must be decided, also with a subject, such as `retry-after: date`; or `all`.
        strict: whether a warning is a failure.
    """
    driven = any(client.driven for client in evidence)
    standing_findings = standing(findings)
    wrong = [
        finding for verdict in (FAIL, WARN) for finding in standing_findings if finding.verdict == verdict
    ]
    missing = undecided(findings, require, driven=driven)
    if wrong and (strict or wrong[0].verdict == FAIL):
        also = f"; required but not decided: {', '.join(missing)}" if missing else ""
        stricter = "; strict: a warning is a failure" if wrong[0].verdict == WARN else ""
        return Conclusion("fail", FAIL, f"{_worst(wrong)}{stricter}{also}")
    if not any(finding.verdict != INCONCLUSIVE for finding in findings):
        return Conclusion(
            "undecided",
            "Nothing could be judged",
            _nothing(findings, attempts, calls, evidence, left_out, not_given),
        )
    if missing:
        return Conclusion("undecided", "Required but not decided", _missing(missing))
    if wrong:
        return Conclusion("warn", WARN, _worst(wrong))
    passed, unknown = (
        sum(finding.verdict == verdict for finding in standing_findings) for verdict in (PASS, INCONCLUSIVE)
    )
    rest = f", {unknown} not decided" if unknown else ""
    return Conclusion("pass", PASS, f"{counted(passed, 'check')} passed{rest}")


def _worst(wrong: Sequence[Finding]) -> str:
    """Put the first of these findings in words, with the number of others."""
    more = f" (and {counted(len(wrong) - 1, 'more finding')})" if len(wrong) > 1 else ""
    return f"{wrong[0].full_name}: {wrong[0].measured}{more}"


def _missing(missing: Mapping[str, Finding | None]) -> str:
    """Put the first undecided check in words, with its advice and the number of others."""
    name, finding = next(iter(missing.items()))
    why = (
        "nothing of that kind was seen or promised. Let the client get such an answer, or choose"
        " another profile."
        if finding is None
        else why_undecided(finding)
    )
    more = f" ({counted(len(missing) - 1, 'more check')} too)" if len(missing) > 1 else ""
    return f"{name}: {why}{more}"


def why_undecided(finding: Finding) -> str:
    """Put in words why a check is undecided, and what to do."""
    return f"{finding.measured.rstrip('.')}. {finding.action}".rstrip()


def undecided(
    findings: Sequence[Finding], require: Collection[str], *, driven: bool
) -> dict[str, Finding | None]:
    """Find the required checks that are undecided, by name; None for one without a finding."""
    missing: dict[str, Finding | None] = {}
    for name in require:
        every = name == EVERY
        asked = [finding for finding in findings if every or name in (finding.check, finding.name)]
        if not asked and not every:
            missing[name] = None
        for finding in asked:
            spared = every and not driven and finding.check in DRIVEN
            if finding.verdict == INCONCLUSIVE and not spared:
                missing[finding.full_name] = finding
    return missing


def names(given: str | Collection[str]) -> Collection[str]:
    """Read the names in an argument, which may be a single one.

    >>> names("backoff grows")
    ('backoff grows',)
    """
    return (given,) if isinstance(given, str) else given


def instead_of(name: str, known: Collection[str]) -> str:
    """Suggest the nearest name after `… is not a check`, or else list all names.

    Args:
        name: the user's text, which may have a subject: `retry-aftr: date`.
        known: the valid names.

    >>> instead_of("retry-aftr: date", ["retries", "retry-after"])
    "; did you mean 'retry-after: date'?"
    >>> instead_of("x", ["retries", "retry-after"])
    '; there are retries and retry-after'
    """
    check, colon, subject = name.partition(": ")
    meant = most_like(check, known)
    if meant is None:
        return f"; there are {listed(known, 'and')}"
    return f"; did you mean {in_quotes(meant + colon + subject)}?"


def in_quotes(name: str) -> str:
    """Quote a name for a message and for a shell; most names contain a blank."""
    return shown(f"'{name}'")


def check_names(ignore: Collection[str], require: Collection[str]) -> None:
    """Make sure that these checks exist.

    Args:
        ignore: names of checks, or of a check and its subject: `retry-after: date`.
        require: such names, or `all`.

    Raises:
        ConfigurationError: a check does not exist, or is in both.
    """
    for given, known in ((ignore, list(CHECKS)), (require, [*CHECKS, EVERY])):
        for name in given:
            if name.partition(": ")[0] not in known:
                raise ConfigurationError(f"{in_quotes(name)} is not a check{instead_of(name, known)}")
    for name in require:
        if {name, name.partition(": ")[0]} & {*ignore}:
            raise ConfigurationError(f"{in_quotes(name)} is both ignored and required")


def _nothing(
    findings: Sequence[Finding],
    attempts: int,
    calls: int,
    evidence: Sequence[Evidence],
    left_out: Mapping[str, int],
    not_given: Mapping[str, int],
) -> str:
    """Put in words why there is no verdict, and what to do."""
    if not findings:
        return "every check is ignored. Ignore fewer."
    if not attempts:
        return next(
            (f"no request arrived: {one.silence.error}" for one in evidence if one.silence.error),
            "the journal has no requests. Run the client while faults and journal are on.",
        )
    lost = f"; {faults_not_given(not_given)}" if not_given else ""
    driven = any(client.driven for client in evidence)
    judged = sum(
        call.retries > 0 or call.first.failed or call.first.injected
        for one in evidence
        for call in (*one.calls, *one.replaced)
    )
    if judged:
        return (
            f"{counted(judged, 'call')} met a fault or retried, not enough data for any check{lost}. Each"
            " check says what it needs."
        )
    if left_out:
        words = LEFT_OUT | (NOT_ENDED if driven else {})
        why = ", ".join(f"{n:,} that {words[reason][0]}" for reason, n in left_out.items())
        advice = " ".join(words[reason][1] for reason in left_out)
        return f"left out: {sum(left_out.values()):,} of {counted(calls, 'call')}: {why}{lost}. {advice}"
    advice = "Select more of the plan." if driven else "`faultinject check` shows what the rules match."
    return f"no call met a fault, and none retried{lost}. {advice}"


def faults_not_given(not_given: Mapping[str, int]) -> str:
    """Count them by reason: `3 faults could not be injected: 2 refused (…), 1 failed (…)`."""
    why = ", ".join(f"{n:,} {NOT_GIVEN.get(did, did)}" for did, n in not_given.items())
    return f"{counted(sum(not_given.values()), 'fault')} could not be injected: {why}"
