"""What a client is asked to do and what is done to it: phases, each with a fault and calls of its own keys."""

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
"""Where all keys are; COS wants a number at the end of a bucket's name."""
CONTENT = b"what the plan stores" * 50
"""The content of every object that a call reads, and of the one part of every upload that a call completes."""
ETAG = f'"{md5(CONTENT, usedforsecurity=False).hexdigest()}"'
"""The ETag of that content."""
BODY = b"written by the client"
"""What the drivers write."""

KINDS = ("get", "put", "post", "complete")
"""What a call may be: read an object, write one, begin a multipart upload, end one."""
DEADLINE = 30.0
"""Seconds that a client has for all its calls, unless it is known to need longer or the user says so."""
CALIBRATION = "cal"
"""The phase that comes first and alone."""
OUTAGE = "out"
"""The phase in which nothing ever works."""
AWS_HINT = "x-amz-retry-after"
"""How AWS's own services ask its clients to wait."""
ENDING = "CompleteMultipartUpload"
"""The operation of S3 and its relatives that may have begun its answer, a 200, before it fails."""


@dataclass(frozen=True, slots=True)
class Codes:
    """The faults of one service.

    Attributes:
        vendor: whose dialect the store speaks: one that a store speaks for.
        words: what stands for the names in braces of a phase's fault: the rules of `throttled` (slow down), `broken` (an error
            of the server's own), `denied`, `missing`, `bad` (the request is wrong), `hidden` (an error in an answer with
            status 200 to the end of a multipart upload), `limited` (a 429), `own` (how it asks a reader to slow down),
            `writing` (how it asks a writer to) and `moved` (another writer replaces the object, where the store has one), which
            leave their phases out where they are empty; `header`, by which it asks to wait; and `brief`: that it is to ask for
            a second, where it always asks for longer than a plan can wait.
        hints: the forms in which it may ask to wait.
    """

    vendor: str
    words: Mapping[str, str]
    hints: tuple[str, ...]

    @classmethod
    def of(cls, vendor: Vendor) -> Codes:
        """What a vendor documents; an error in a 200 only for the end of an upload, and only where that can have one."""
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
"""Seconds that a service asks to wait for which always asks to: MinIO's 60 are longer than a plan lasts."""


def _asks_to_wait(vendor: Vendor, row: DocumentedError) -> int:
    """The seconds of the Retry-After that the vendor's row always carries; 0: it has none."""
    asked = (
        each.value.removeprefix("=")
        for each in vendor.extras
        if each.name.lower() == "retry-after" and each.belongs_to(row, row.status or 0)
    )
    return max((int(each) for each in asked if each.isdecimal()), default=0)


class PlannedCall(NamedTuple):
    """One call that a client is asked for.

    Attributes:
        key: what it is about, and its name: no other call has this key.
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
        name: what its keys begin with.
        fault: fault, triggers and effects of its rules, one a line, with the names of `Codes` in braces; empty: none.
        calls: how many of each kind.
        every: seconds between the beginnings of two calls.
        begin: seconds after the calibration that its first call begins; `chosen` says when.
        title: what it is about, in words.
        hint: the form in which it asks to wait: only services that may do so have it. Empty: it does not, or not well.
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
        """The text of its rules; None where the service has no such error. Empty: nothing is done."""
        faults = self.fault.format_map(codes.words).split("\n") if self.fault else []
        if any(each.partition(",")[0] == "" for each in faults):
            return None
        # A name is one rule's.
        return "\n".join(
            f"{each},path=**/{self.name}-???/**,name={self.name}{'-then' * number}"
            for number, each in enumerate(faults)
        )


ONCE = "times=1,per=call"
WAIT = f"{{throttled}},{ONCE},retry_after=3s,hint="
PHASES = (
    Phase(CALIBRATION, "", (("get", 25),), "no fault: how fast the client is"),
    Phase("throttled", "{writing}{brief}", (("put", 20),), "every attempt gets a throttle error"),
    Phase("server-error", "{broken}", (("put", 12),), "every attempt gets a server error"),
    Phase("one", f"{{writing}}{{brief}},{ONCE}", (("put", 10),), "one throttle error", every=0.02),
    Phase("reset", f"reset,{ONCE}", (("get", 6),), "one connection reset"),
    Phase("denied", "{denied}", (("get", 3),), "forbidden"),
    Phase("not-found", "{missing}", (("get", 3),), "not found"),
    Phase("bad", "{bad}", (("get", 3),), "invalid request"),
    Phase("too-many-requests", f"{{limited}}{{brief}},{ONCE}", (("get", 4),), "one 429"),
    Phase("throttled-read", f"{{own}}{{brief}},{ONCE}", (("get", 4),), "one throttle error, at a read"),
    Phase("retry-after", f"{WAIT}seconds", (("get", 5),), "one Retry-After of 3 s", hint="seconds"),
    Phase("retry-after-date", f"{WAIT}date", (("get", 3),), "one Retry-After with a date", hint="date"),
    Phase("x-amz-retry-after", f"{WAIT}{AWS_HINT}", (("get", 5),), f"one {AWS_HINT}", hint=AWS_HINT),
    Phase("x-ms-retry-after-ms", f"{WAIT}x-ms-retry-after-ms", (("get", 3),), "one x-ms-retry-after-ms", hint="x-ms-retry-after-ms"),
    Phase("retry-after-ms", f"{WAIT}retry-after-ms", (("get", 3),), "one retry-after-ms", hint="retry-after-ms"),
    Phase("junk", f"{{throttled}},{ONCE},set.{{header}}=soon", (("get", 3),), "one malformed Retry-After"),
    Phase("lost", f"reset,when=after,{ONCE}", (("put", 4), ("post", 4)), "one lost answer: the store has done it"),
    Phase("error-in-200", f"{{hidden}},{ONCE}", (("complete", 6),), "one error in a 200"),
    Phase("slow", f"latency,delay=400ms,{ONCE}", (("get", 6), ("put", 6)), "one slow answer"),
    # `audit.calls_by_client` (`REPLACED`) knows its calls by this name: `mixed versions` alone judges them.
    Phase("replaced", f"truncate,method=GET,{ONCE}\n{{moved}},method=GET,skip=1,per=call", (("get", 4),), "a cut download, and the object replaced before the rest is read"),
    Phase(OUTAGE, "{broken}", (("get", 120),), "an outage of the whole service", every=0.02),
)  # fmt: skip
"""The plan. The numbers of calls are what the checks need; fewer make them undecided."""
PAUSE = 0.3
"""Seconds between the last call of a phase and the first of the next: a burst of calls is no part of another's waits."""
SETTLED = 2.0
"""Seconds before the outage, which is more than two cores do at once: waits that began before it are over by then."""


def services() -> list[str]:
    """The vendors that are storage services, those of other packages among them."""
    return [each for each in vendors.names() if vendors.get(each).addressing is not None]


@cache
def codes_of(vendor: str) -> Codes:
    """The faults of a service, by what its own catalogue says.

    Raises:
        ConfigurationError: there is none of that name, which the message corrects, or it is no storage service.
    """
    found = vendors.get(vendor)
    if found.addressing is None:
        raise ConfigurationError(f"{vendor} is no storage service; there are {', '.join(services())}")
    return Codes.of(found)


def chosen(codes: Codes, *, aws: bool = False, names: Sequence[str] = (), spread: float = 1.0) -> list[Phase]:
    """The phases for a client of that service, each with its beginning.

    Phases begin one after the other: what one phase does to the machine is no part of what another one measures. A
    client that waits long goes on in the next phase's time, and then mostly sleeps.

    Args:
        codes: the service's.
        aws: whether the client's documentation has the header by which AWS asks its own SDKs to wait; others are not asked
            that way.
        names: only these; empty: all.
        spread: how many times as far apart calls begin.
    """
    hints = {"", *codes.hints, AWS_HINT} if aws else {"", *codes.hints} - {AWS_HINT}
    found: list[Phase] = []
    begin = 0.0
    for each in PHASES:
        if each.hint not in hints or (names and each.name not in names) or each.rule(codes) is None:
            continue
        if each.name == CALIBRATION:
            found.append(each)
            continue
        begin += SETTLED if found and each.name == OUTAGE else 0.0
        found.append(replace(each, begin=begin, every=each.every * spread))
        begin += found[-1].lasts + PAUSE
    return found


def rules(phases: Iterable[Phase], codes: Codes) -> str:
    """The rules of the phases, each told by the keys, one a line."""
    return "\n".join(filter(None, (each.rule(codes) for each in phases)))
