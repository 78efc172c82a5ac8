"""The plan: phases, each with a fault and calls of its own keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import md5
from typing import NamedTuple

from faultinject import vendors
from faultinject.exceptions import ConfigurationError
from faultinject.vendors.documented import DocumentedError
from faultinject.vendors.typical import KINDS as KINDS_OF_FAILURE
from faultinject.vendors.typical import typical
from faultinject.vendors.vendor import Vendor

BUCKET = "conformance-1250000000"
"""The bucket of all keys; COS wants a number at the end of a bucket's name."""
CONTENT = b"what the plan stores" * 50
"""The content of every object that a call reads, and of every upload's one part."""
ETAG = f'"{md5(CONTENT, usedforsecurity=False).hexdigest()}"'
"""The ETag of that content."""
BODY = b"written by the client"
"""The content that the drivers write."""

KINDS = ("get", "put", "post", "complete")
"""The kinds of calls: read an object, write one, begin a multipart upload, end one."""
DEADLINE = 30.0
"""Seconds for all calls of a client, unless it needs longer or the user says so."""
CALIBRATION = "cal"
"""The phase that comes first and alone."""
OUTAGE = "out"
"""The phase in which nothing ever works."""
AWS_HINT = "x-amz-retry-after"
"""The header by which AWS's own services ask their clients to wait."""
ENDING = "CompleteMultipartUpload"
"""The operation of S3 that may begin its answer, a 200, before it fails.

S3's relatives have it too.
"""


@dataclass(frozen=True, slots=True)
class Codes:
    """The faults of one service.

    Attributes:
        vendor: the dialect of the store: one that a store speaks.
        words: the values of the names in braces of a phase's fault: the rules of `throttled` (slow down), `broken`
            (an error of the server's own), `denied`, `missing`, `bad` (the request is wrong), `hidden` (an error in
            an answer with status 200 to the end of a multipart upload), `limited` (a 429), `own` (how it asks a
            reader to slow down), `writing` (how it asks a writer to) and `moved` (another writer replaces the object,
            where the store has one), which leave their phases out where they are empty; `header`, by which it asks to
            wait; and `brief`: that it is to ask for a second, where it always asks for longer than a plan can wait.
        hints: the forms in which it may ask to wait.
    """

    vendor: str
    words: Mapping[str, str]
    hints: tuple[str, ...]

    @classmethod
    def of(cls, vendor: Vendor) -> Codes:
        """The faults that a vendor documents.

        An error in a 200 is only for the end of an upload, and only where that can have one.
        """
        from faultinject.store.stores import FOR_PLANS  # the process of a client has a plan, and no store

        rows = {kind: typical(vendor, kind) for kind in KINDS_OF_FAILURE}
        words = {kind: "" if row is None else row.address for kind, row in rows.items()}
        for kind in ("own", "writing"):
            words[kind] = words[kind] or words["throttled"]
        in_200 = words["broken"] and ENDING in vendor.errors_in_200
        words["hidden"] = f"{words['broken']},status=200" if in_200 else ""
        words["moved"] = "" if vendor.id in FOR_PLANS else "overwrite"
        words["header"] = "retry-after" if "seconds" in vendor.hints else vendor.hints[0]
        row = rows["throttled"]
        asks_long = row is not None and _asks_to_wait(vendor, row) > SHORT
        words["brief"] = f",retry_after={SHORT}s" if asks_long else ""
        return cls(vendor.id, words, vendor.hints)


SHORT = 1
"""Seconds of the hint of a service that always asks to wait.

MinIO's own 60 are longer than a plan lasts.
"""


def _asks_to_wait(vendor: Vendor, row: DocumentedError) -> int:
    """The seconds of the Retry-After that the vendor's row always carries; 0: it has none."""
    hints = (
        extra.value.removeprefix("=")
        for extra in vendor.extras
        if extra.name.lower() == "retry-after" and extra.belongs_to(row, row.status or 0)
    )
    return max((int(seconds) for seconds in hints if seconds.isdecimal()), default=0)


class PlannedCall(NamedTuple):
    """One call that a client is asked for.

    Attributes:
        key: the key of its object, and its name: no other call has this key.
        kind: one of `KINDS`.
        phase: the phase's name, and the name of the client that makes it.
        at: seconds after the calibration.
    """

    key: str
    kind: str
    phase: str
    at: float


@dataclass(frozen=True, slots=True)
class Phase:
    """Calls that all meet the same fault, made with one client.

    Attributes:
        name: the beginning of its keys.
        fault: fault, triggers and effects of its rules, one a line, with the names of `Codes` in braces; empty: none.
        calls: the number of each kind.
        title: its subject, in words.
        every: seconds between the beginnings of two calls.
        begin: seconds from the calibration to its first call; `chosen` sets it.
        hint: the form in which it asks to wait: only services that may do so have it. Empty: it does not,
            or not well.
    """

    name: str
    fault: str
    calls: tuple[tuple[str, int], ...]
    title: str
    every: float = 0.04
    begin: float = 0.0
    hint: str = ""

    @property
    def lasts(self) -> float:
        """Seconds from the beginning of its first call to that of its last."""
        return self.every * (sum(number for _, number in self.calls) - 1)

    def asked(self) -> Iterator[PlannedCall]:
        """Its calls in order."""
        kinds = [kind for kind, number in self.calls for _ in range(number)]
        for number, kind in enumerate(kinds, 1):
            at = self.begin + (number - 1) * self.every
            yield PlannedCall(f"{self.name}-{number:03}", kind, self.name, at)

    def rule(self, codes: Codes) -> str | None:
        """The text of its rules: empty without a fault, None where the service has no such error."""
        faults = self.fault.format_map(codes.words).split("\n") if self.fault else []
        if any(fault.partition(",")[0] == "" for fault in faults):
            return None
        # No two rules have the same name.
        return "\n".join(
            f"{fault},path=**/{self.name}-???/**,name={self.name}{'-then' * number}"
            for number, fault in enumerate(faults)
        )


ONCE = "times=1,per=call"
WAIT = f"{{throttled}},{ONCE},retry_after=3s,hint="
PHASES = (
    Phase(CALIBRATION, "", (("get", 25),), "no fault: how fast the client is"),
    Phase("throttled", "{writing}{brief}", (("put", 20),), "every attempt gets a throttle error"),
    Phase("throttled-read", "{own}{brief}", (("get", 20),), "every attempt of a read gets a throttle error"),
    Phase("server-error", "{broken}", (("put", 12),), "every attempt gets a server error"),
    Phase("one", f"{{writing}}{{brief}},{ONCE}", (("put", 4),), "one throttle error", every=0.02),
    Phase("one-read", f"{{own}}{{brief}},{ONCE}", (("get", 4),), "one throttle error, at a read"),
    Phase(
        "one-post", f"{{writing}}{{brief}},{ONCE}", (("post", 4),),
        "one throttle error, where an upload begins",
    ),
    Phase("reset", f"reset,{ONCE}", (("get", 4),), "one connection reset"),
    Phase("denied", "{denied}", (("get", 3),), "forbidden"),
    Phase("not-found", "{missing}", (("get", 3),), "not found"),
    Phase("bad", "{bad}", (("get", 3),), "invalid request"),
    Phase("too-many-requests", f"{{limited}}{{brief}},{ONCE}", (("get", 4),), "one 429"),
    Phase("retry-after", f"{WAIT}seconds", (("get", 4),), "one Retry-After of 3 s", hint="seconds"),
    Phase("retry-after-date", f"{WAIT}date", (("get", 3),), "one Retry-After with a date", hint="date"),
    Phase("x-amz-retry-after", f"{WAIT}{AWS_HINT}", (("get", 4),), f"one {AWS_HINT}", hint=AWS_HINT),
    Phase(
        "x-ms-retry-after-ms", f"{WAIT}x-ms-retry-after-ms", (("get", 3),), "one x-ms-retry-after-ms",
        hint="x-ms-retry-after-ms",
    ),
    Phase(
        "retry-after-ms", f"{WAIT}retry-after-ms", (("get", 3),), "one retry-after-ms",
        hint="retry-after-ms",
    ),
    Phase("junk", f"{{throttled}},{ONCE},set.{{header}}=soon", (("get", 3),), "one malformed Retry-After"),
    Phase(
        "lost", f"reset,when=after,{ONCE}", (("put", 4), ("post", 4)),
        "one lost answer: the store has done it", every=0.25,
    ),
    Phase("error-in-200", f"{{hidden}},{ONCE}", (("complete", 4),), "one error in a 200"),
    Phase("slow", f"latency,delay=400ms,{ONCE}", (("get", 6), ("put", 6)), "one slow answer"),
    # `audit.calls_by_client` (`REPLACED`) knows its calls by this name: `mixed versions` alone judges them.
    Phase(
        "replaced", f"truncate,method=GET,{ONCE}\n{{moved}},method=GET,skip=1,per=call", (("get", 4),),
        "a cut download, and the object replaced before the rest is read",
    ),
    Phase(OUTAGE, "{broken}", (("get", 120),), "an outage of the whole service", every=0.02),
)  # fmt: skip
"""The plan; the checks need these numbers of calls and are undecided with fewer.

Some clients retry reads alone, or writes alone: each method is throttled by itself, with a client that has its own
retry budget.

Where a fault is over after one attempt, fewer than five calls fail before the first is retried: five failures in
a row open the circuit breakers that many use, for 20 s to a minute.
"""
PAUSE = 0.3
"""Seconds between the last call of a phase and the first of the next.

A burst of calls is no part of another's waits.
"""
SETTLED = 2.0
"""Seconds before the outage, in which waits that began earlier end.

The outage is more than two cores do at once.
"""


def services() -> list[str]:
    """The vendors that are storage services, those of other packages among them."""
    return [name for name in vendors.names() if vendors.get(name).addressing is not None]


@cache
def codes_of(vendor: str) -> Codes:
    """The faults of a service, from its own catalogue.

    Raises:
        ConfigurationError: no vendor has that name, which the message corrects, or it is no storage service.
    """
    service = vendors.get(vendor)
    if service.addressing is None:
        raise ConfigurationError(f"{vendor} is no storage service; there are {', '.join(services())}")
    return Codes.of(service)


def chosen(codes: Codes, *, aws: bool = False, names: Sequence[str] = (), spread: float = 1.0) -> list[Phase]:
    """The phases for a client of that service, each with its beginning.

    Phases begin one after the other: one phase's load on the machine is no part of another's measurements. A client
    that waits long goes on in the next phase's time, and then mostly sleeps.

    Args:
        codes: the service's.
        aws: whether the client's documentation has the header by which AWS asks its own SDKs to wait; others are not
            asked that way.
        names: only these; empty: all.
        spread: the factor by which calls begin further apart.
    """
    hints = {"", *codes.hints, AWS_HINT} if aws else {"", *codes.hints} - {AWS_HINT}
    phases: list[Phase] = []
    begin = 0.0
    for phase in PHASES:
        if phase.hint not in hints or (names and phase.name not in names) or phase.rule(codes) is None:
            continue
        if phase.name == CALIBRATION:
            phases.append(phase)
            continue
        begin += SETTLED if phases and phase.name == OUTAGE else 0.0
        phases.append(replace(phase, begin=begin, every=phase.every * spread))
        begin += phases[-1].lasts + PAUSE
    return phases


def rules(phases: Iterable[Phase], codes: Codes) -> str:
    """The rules of the phases, one a line; each matches the keys of its phase."""
    return "\n".join(filter(None, (phase.rule(codes) for phase in phases)))
