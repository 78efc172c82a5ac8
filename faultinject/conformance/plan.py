"""What a client is asked to do and what is done to it: phases, each with a fault and calls of its own keys."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import md5
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

BUCKET = "conformance-1250000000"
"""Where all keys are; COS wants a number at the end of a bucket's name."""
CONTENT = b"what the plan stores" * 50
"""The content of every object that a call reads, and of the one part of every upload that a call completes."""
ETAG = f'"{md5(CONTENT, usedforsecurity=False).hexdigest()}"'
"""The ETag of that content."""

KINDS = ("get", "put", "post", "complete")
"""What a call may be: read an object, write one, begin a multipart upload, end one."""
CALIBRATION = "cal"
"""The phase that comes first and alone."""
OUTAGE = "out"
"""The phase in which nothing ever works."""


@dataclass(frozen=True, slots=True)
class Codes:
    """The faults of one service, as rules spell them; an empty one leaves its phases out.

    Attributes:
        vendor: whose dialect the store speaks: one of `faultinject.store.SERVICES`.
        throttled: slow down.
        broken: an error of the server's own.
        denied: forbidden.
        missing: not there.
        bad: the request is wrong.
        hidden: an error in an answer with status 200.
        limited: a 429.
        own: how the service itself asks to slow down, where that is another error.
    """

    vendor: str
    throttled: str
    broken: str
    denied: str
    missing: str
    bad: str
    hidden: str
    limited: str = "gateway:TooManyRequests"
    own: str = ""


class PlannedCall(NamedTuple):
    """One call that a client is asked for.

    Attributes:
        key: what it is about, and its name: no other call has this key.
        kind: one of `KINDS`.
        phase: the phase's name, and the name of the client that makes it.
        at: seconds after the beginning of the plan.
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
        fault: fault, triggers and effects of its rule, with the names of `Codes` in braces; empty: none.
        calls: how many of each kind.
        every: seconds between the beginnings of two calls.
        begin: seconds after the others that its first call begins.
        title: what it is about, in words.
    """

    name: str
    fault: str
    calls: tuple[tuple[str, int], ...]
    title: str
    every: float = 0.04
    begin: float = 0.0

    def asked(self) -> Iterator[PlannedCall]:
        """Its calls in order."""
        kinds = [kind for kind, number in self.calls for _ in range(number)]
        for number, kind in enumerate(kinds, 1):
            at = self.begin + (number - 1) * self.every
            yield PlannedCall(f"{self.name}-{number:03}", kind, self.name, at)

    def rule(self, codes: Codes) -> str | None:
        """The text of its rule; None where the service has no such error. Empty: nothing is done."""
        named = {name: getattr(codes, name) for name in Codes.__slots__}
        fault = self.fault.format_map(named | {"own": codes.own or codes.throttled})
        if not self.fault:
            return ""
        if fault.partition(",")[0] == "":
            return None
        return f"{fault},path=**/{self.name}-*/**,name={self.name}"


ONCE = "times=1,per=call"
PHASES = (
    Phase(CALIBRATION, "", (("get", 25),), "no fault: how fast the client is"),
    Phase("thr", "{throttled}", (("put", 20),), "every attempt gets a throttle error"),
    Phase("srv", "{broken}", (("put", 12),), "every attempt gets a server error"),
    Phase("one", f"{{throttled}},{ONCE}", (("put", 10),), "one throttle error", every=0.02),
    Phase("rst", f"reset,{ONCE}", (("get", 6),), "one connection reset"),
    Phase("den", "{denied}", (("get", 3),), "forbidden"),
    Phase("nf", "{missing}", (("get", 3),), "not found"),
    Phase("bad", "{bad}", (("get", 3),), "invalid request"),
    Phase("t429", f"{{limited}},{ONCE}", (("get", 4),), "one 429"),
    Phase("vthr", f"{{own}},{ONCE}", (("get", 4),), "one throttle error, at a read"),
    Phase("ra", f"{{throttled}},{ONCE},retry_after=3s", (("get", 5),), "one Retry-After of 3 s"),
    Phase("rad", f"{{throttled}},{ONCE},retry_after=3s,hint=date", (("get", 3),), "one Retry-After with a date"),
    Phase("raz", f"{{throttled}},{ONCE},set.x-amz-retry-after=3000", (("get", 5),), "one x-amz-retry-after"),
    Phase("junk", f"{{throttled}},{ONCE},set.retry-after=soon", (("get", 3),), "one malformed Retry-After"),
    Phase("lost", f"reset,when=after,{ONCE}", (("put", 4), ("post", 4)), "one lost answer: the store has done it"),
    Phase("okerr", f"{{hidden}},{ONCE}", (("put", 3), ("complete", 3)), "one error in a 200"),
    Phase("slow", f"latency,delay=400ms,{ONCE}", (("get", 6),), "one slow answer"),
    Phase(OUTAGE, "{broken}", (("get", 120),), "an outage of the whole service", every=0.02, begin=1.0),
)  # fmt: skip
"""The plan. The numbers of calls are what the checks need; fewer make them undecided."""

AWS_ONLY = frozenset(["raz"])
"""Phases that only clients of AWS's own can know the meaning of."""

_GCS = '{{"error":{{"code":{0},"message":"{1}","errors":[{{"message":"{1}","domain":"global","reason":"{2}"}}]}}}}'


def _json(status: int, message: str, reason: str) -> str:
    """A plain answer in Google's form (https://cloud.google.com/storage/docs/json_api/v1/status-codes)."""
    body = _GCS.format(status, message, reason).replace('"', '\\"')
    return f'http:{status},message="{body}",content_type=application/json'


def _kodo(status: int, message: str) -> str:
    """A plain answer in Qiniu's form (https://developer.qiniu.com/kodo/3928/error-responses)."""
    return f'http:{status},message="{{\\"error\\":\\"{message}\\"}}",content_type=application/json'


CODES = {
    "cos": Codes(
        "cos", "cos:SlowDown", "cos:InternalError", "cos:AccessDenied", "cos:NoSuchKey", "cos:InvalidArgument",
        "cos:InternalError,status=200",
    ),
    "qingstor": Codes(
        "qingstor", "qingstor:service_unavailable", "qingstor:internal_error", "qingstor:permission_denied",
        "qingstor:object_not_exists", "qingstor:invalid_argument", "qingstor:internal_error,status=200",
        "qingstor:fetch_throttled",
    ),
    "gcs": Codes(
        "gcs", _json(503, "Slow down", "rateLimitExceeded"), _json(500, "Backend error", "backendError"),
        _json(403, "Forbidden", "forbidden"), _json(404, "Not found", "notFound"), _json(400, "Invalid", "invalid"),
        "qiniu-mix:InternalError,status=200", _json(429, "Rate limit exceeded", "rateLimitExceeded"),
    ),
    "kodo": Codes(
        "kodo", _kodo(503, "service unavailable"), _kodo(599, "server fault"), _kodo(403, "forbidden"),
        _kodo(404, "not found"), _kodo(400, "bad request"), "qiniu-mix:InternalError,status=200",
        _kodo(429, "too many requests"), _kodo(573, "bucket request limit exceeded"),
    ),
}  # fmt: skip
"""By the service's name: its faults."""


def chosen(codes: Codes, *, aws: bool = False, names: Sequence[str] = ()) -> list[Phase]:
    """The phases for a client of that service.

    Args:
        codes: the service's.
        aws: whether the client is one for AWS, which has a header of its own for waits.
        names: only these; empty: all.
    """
    return [
        each
        for each in PHASES
        if (aws or each.name not in AWS_ONLY)
        and (not names or each.name in names)
        and each.rule(codes) is not None
    ]


def rules(phases: Iterable[Phase], codes: Codes) -> str:
    """The rules of the phases, each told by the keys, one a line."""
    return "\n".join(filter(None, (each.rule(codes) for each in phases)))
