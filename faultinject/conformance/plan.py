"""The plan: phases, each with a fault, and calls; requests for their keys get the fault."""

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
"""The bucket of all keys; in COS, a bucket's name ends with a number."""
CONTENT = b"what the plan stores" * 50
"""The content of every object that a call reads, and of the only part of every upload."""
ETAG = f'"{md5(CONTENT, usedforsecurity=False).hexdigest()}"'
"""The ETag of that content."""
BODY = b"written by the client"
"""The content that the drivers write."""

KINDS = ("get", "put", "post", "complete")
"""The kinds of calls: read an object, write one, begin a multipart upload, end one."""
DEADLINE = 30.0
"""The default time limit of a client in seconds."""
CALIBRATION = "cal"
"""The phase without faults, which comes first."""
OUTAGE = "out"
"""The phase in which every request fails."""
AWS_HINT = "x-amz-retry-after"
"""The header by which AWS's own services ask their clients to wait."""
ENDING = "CompleteMultipartUpload"
"""The operation of S3's API that may fail after it has sent status 200."""


@dataclass(frozen=True, slots=True)
class Codes:
    """The faults of one service.

    Attributes:
        vendor: the vendor of the store.
        words: the texts for the names in braces in a phase's fault. Faults: `throttled` (slow down), `own` and
            `writing` (slow down, for a reader and a writer), `broken` (a server error), `denied`, `missing`, `bad`
            (the request is wrong), `limited` (a 429), `hidden` (an error in an answer with status 200 to the end of a
            multipart upload) and `moved` (another writer replaces the object); if one is empty, its phases are left
            out. Parts of rules: `header`, the header with the wait, and `brief`, which makes the wait one second long
            if the service always asks for more.
        hints: the forms in which the service may ask to wait.
    """

    vendor: str
    words: Mapping[str, str]
    hints: tuple[str, ...]

    @classmethod
    def of(cls, vendor: Vendor) -> Codes:
        """The faults that a vendor documents."""
        # The process of a client imports this module, and must not import a store.
        from faultinject.store.stores import FOR_PLANS

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
"""Seconds; the plan shortens a longer wait that a service always asks for (MinIO: 60)."""


def _asks_to_wait(vendor: Vendor, row: DocumentedError) -> int:
    """The seconds of the Retry-After that an error of the vendor always has; 0: it has none."""
    hints = (
        extra.value.removeprefix("=")
        for extra in vendor.extras
        if extra.name.lower() == "retry-after" and extra.belongs_to(row, row.status or 0)
    )
    return max((int(seconds) for seconds in hints if seconds.isdecimal()), default=0)


class PlannedCall(NamedTuple):
    """One call of the plan.

    Attributes:
        key: the key of its object; no other call has it.
        kind: one of `KINDS`.
        phase: the name of its phase; the client that makes the call has the same name.
        at: its beginning, in seconds after the calibration.
    """

    key: str
    kind: str
    phase: str
    at: float


@dataclass(frozen=True, slots=True)
class Phase:
    """Calls of one client that all get the same fault.

    Attributes:
        name: its name, and the prefix of its keys.
        fault: its rules without conditions, one a line, with the names of `Codes` in braces; empty: no fault.
        calls: the number of calls of each kind.
        title: its fault, for people.
        every: seconds between the beginnings of two calls.
        begin: seconds from the calibration to its first call; `chosen` sets it.
        hint: the form in which the service asks to wait, for services that have it; empty: any service.
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

    def planned(self) -> Iterator[PlannedCall]:
        """The calls of the phase, in order."""
        kinds = [kind for kind, number in self.calls for _ in range(number)]
        for number, kind in enumerate(kinds, 1):
            at = self.begin + (number - 1) * self.every
            yield PlannedCall(f"{self.name}-{number:03}", kind, self.name, at)

    def rule(self, codes: Codes) -> str | None:
        """The text of its rules: empty without a fault, None if the service has no such error."""
        faults = self.fault.format_map(codes.words).split("\n") if self.fault else []
        if any(fault.partition(",")[0] == "" for fault in faults):
            return None
        # Each rule needs its own name.
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
"""The plan; with fewer calls, checks are undecided.

Some clients retry only reads, or only writes: each method is throttled in a phase of its own, with a client that has
its own retry budget.

In a phase whose faults end after one attempt, fewer than five calls fail before the first retry: five failures in a
row open the usual circuit breakers, for 20 s to a minute.
"""
PAUSE = 0.3
"""Seconds between two phases, so that the calls of one do not delay the waits of another."""
SETTLED = 2.0
"""Seconds of pause before the outage: it needs the whole machine, so earlier waits must end."""


@cache
def codes_of(vendor: str) -> Codes:
    """The faults of a service, from its own catalogue.

    Raises:
        ConfigurationError: there is no such vendor, or it is no storage service.
    """
    service = vendors.get(vendor)
    if service.addressing is None:
        raise ConfigurationError(f"{vendor} is no storage service; there are {', '.join(vendors.services())}")
    return Codes.of(service)


def choose_phases(
    codes: Codes, *, aws: bool = False, names: Sequence[str] = (), spread: float = 1.0
) -> list[Phase]:
    """The phases for a client of a service, each with its beginning.

    Phases begin one after another, so that the load of one does not change the measurements of another. A client that
    waits long goes on during the next phase, but then it mostly sleeps.

    Args:
        codes: the faults of the service.
        aws: whether the client documents the header by which AWS asks its own SDKs to wait.
        names: the names of the phases; empty: all phases.
        spread: the factor by which calls begin further apart.
    """
    hints = {"", *codes.hints, AWS_HINT} if aws else {"", *codes.hints} - {AWS_HINT}
    # A malformed header proves nothing if the client does not read that header, so it gets Retry-After then.
    header = "{header}" if aws or codes.words["header"] != AWS_HINT else "retry-after"
    phases: list[Phase] = []
    begin = 0.0
    for phase in PHASES:
        if phase.hint not in hints or (names and phase.name not in names) or phase.rule(codes) is None:
            continue
        if phase.name == CALIBRATION:
            phases.append(phase)
            continue
        begin += SETTLED if phases and phase.name == OUTAGE else 0.0
        fault = phase.fault.replace("{header}", header)
        phases.append(replace(phase, fault=fault, begin=begin, every=phase.every * spread))
        begin += phases[-1].lasts + PAUSE
    return phases


def rules(phases: Iterable[Phase], codes: Codes) -> str:
    """The rules of the phases, one a line; each matches the keys of its phase."""
    return "\n".join(filter(None, (phase.rule(codes) for phase in phases)))
