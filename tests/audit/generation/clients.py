"""Generated clients: compositions of behaviours whose faults are known.

A right client is drawn first, behaviour by behaviour. Then, mostly, one behaviour is replaced by a wrong one of
`BUGS`. The seed and the client's number decide all draws, so that one client can be repeated alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import inf
from random import Random

from faultinject.conformance.plan import codes_of

REPEATABLE = frozenset(("GET", "HEAD", "PUT", "DELETE"))
PASSING = frozenset(("throttle", "server", "transport"))
"""Kinds of failure that a right client retries."""
VENDORS = ("http", "cos", "s3", "oss", "tos", "obs", "gcs-xml")
"""The vendors whose errors clients get; `http`: plain answers."""
PLAIN = {
    "throttled": "http:503",
    "broken": "http:500",
    "denied": "http:403",
    "missing": "http:404",
    "bad": "http:400",
    "limited": "http:429",
    "hidden": "",
}
ONCE = "times=1,per=call"


@dataclass(frozen=True)
class Phase:
    """Calls that meet one kind of fault.

    Attributes:
        name: what their keys begin with.
        fault: the rule, with the names of `PLAIN` in braces; empty: none.
        methods: what they ask for, in turn.
        calls: how many there are.
        apart: seconds between their beginnings, where they are not made one by one.
    """

    name: str
    fault: str
    methods: tuple[str, ...]
    calls: int
    apart: float = 0.2

    def rule(self, words: Mapping[str, str]) -> str:
        """The rule for their keys; empty: nothing is done to them."""
        fault = self.fault.format_map(words)
        return f"{fault},path=/bucket/{self.name}-*" if fault and not fault.startswith(",") else ""


PHASES = (
    Phase("throttled", "{throttled}", ("PUT",), 20, 0.04),
    Phase("broken", "{broken}", ("GET", "PUT"), 16, 0.04),
    Phase("cut-off", "reset", ("GET", "PUT"), 12, 0.3),
    Phase("once", f"{{throttled}},{ONCE}", ("PUT", "GET"), 10),
    Phase("twice", "{broken},times=2,per=call", ("PUT", "GET", "DELETE"), 12),
    Phase("reset", f"reset,{ONCE}", ("GET", "PUT"), 8),
    Phase("denied", "{denied}", ("GET", "PUT"), 6),
    Phase("missing", "{missing}", ("GET",), 5),
    Phase("bad", "{bad}", ("PUT",), 5),
    Phase("limited", f"{{limited}},{ONCE}", ("GET",), 6),
    Phase("seconds", f"{{throttled}},{ONCE},retry_after=3s,hint=seconds", ("GET", "PUT"), 8),
    Phase("date", f"{{throttled}},{ONCE},retry_after=3s,hint=date", ("GET", "PUT"), 8),
    Phase("junk", f"{{throttled}},{ONCE},set.retry-after=soon", ("GET",), 5),
    Phase("lost-put", f"reset,when=after,method=PUT,{ONCE}", ("PUT",), 6),
    Phase("lost-post", f"reset,when=after,{ONCE}", ("POST",), 6),
    Phase("lost-delete", f"reset,when=after,{ONCE}", ("DELETE",), 5),
    Phase("hidden", f"{{hidden}},{ONCE}", ("PUT",), 5),
    Phase("slow", f"latency,delay=400ms,{ONCE}", ("GET", "PUT"), 12),
    Phase("expired", f"http:401,{ONCE}", ("PUT", "GET"), 10),
    Phase("replaced", f"truncate,{ONCE}", ("GET",), 5),
    Phase("waited-for", "", ("HEAD",), 4, 1.0),
    Phase("some", "{broken},probability=0.3", ("PUT", "GET"), 60, 0.1),
    Phase("outage", "{broken}", ("GET",), 110, 0.02),
)  # fmt: skip
"""The operations that clients may perform; a client performs some of them."""


@dataclass(frozen=True)
class Client:
    """A client and its callers, as a composition of behaviours, with times in seconds.

    Attributes:
        number: its number.
        seed: of all that is drawn while it runs.
        vendor: whose errors it gets.
        phases: what it is asked for.
        told: whether a test names each call.
        workers: how many callers take the next call when they are done with one; 0: each call has a caller of its own.
        asks_again: how often a caller makes its call again after an error, and after how long.
        retried: the kinds of failure that it retries: `throttle`, `server`, `transport`, `refused`.
        methods: those that it retries.
        attempts: how many a call makes at most.
        shape: how its waits go on: `none`, `constant`, `linear`, `exponential`.
        base: the first wait at most.
        cap: the longest wait.
        jitter: `none`, `full`, `equal` (half of it), `quarter`.
        hints: the forms of Retry-After that it obeys.
        reads_junk: whether an unreadable Retry-After is nothing to it; else the call ends with it.
        deadline: a call does not begin a wait that would end later.
        budget: how many retries it may make in all; each success gives one back where it is refilled.
        refills: whether it is.
        breaker: failures in a row that open a circuit breaker; 0: there is none.
        closes: seconds after which the breaker lets a request through.
        outer: attempts of a second layer above.
        outer_kinds: the kinds of failure that it retries.
        resends: whether the transport sends an idempotent request again at once on a used connection that was lost.
        body: what a retry sends: `same`, `nothing`, `rest`.
        token: its reaction to a 401: `ends`, `renews`, `repeats`, `loses body` (a new token, and no body).
        hedge: seconds after which it sends a copy of a GET; 0: none.
        hedges: the methods that it copies.
        patience: seconds that it waits for an answer.
        reads_errors: whether it notices an error in a 200.
        after_lost_post: `ends`, `same key`, `repeats`, `other key`.
        conditional: whether it writes with `If-None-Match: *`.
        after_refusal: what it makes of a 412 to its retry: `looks`, `conflict`, `success`, `removes`.
        resumes: what it does about a cut download: `anew`, `if-range`, `blindly`.
        honest: whether its callers hear of its errors.
        ids: how it marks its attempts: `none`, `invocation`, `key`, `retry mark`, `new id` (one for each attempt).
        overhead: seconds that it takes for one request.
    """

    number: int
    seed: str
    vendor: str
    phases: tuple[Phase, ...]
    told: bool
    workers: int = 1
    asks_again: tuple[int, float] = (0, 0.0)
    retried: frozenset[str] = PASSING
    methods: frozenset[str] = REPEATABLE
    attempts: int = 4
    shape: str = "exponential"
    base: float = 0.3
    cap: float = 20.0
    jitter: str = "full"
    hints: frozenset[str] = frozenset(("seconds", "date"))
    reads_junk: bool = True
    deadline: float = inf
    budget: float = inf
    refills: bool = True
    breaker: int = 0
    closes: float = 20.0
    outer: int = 1
    outer_kinds: frozenset[str] = frozenset()
    resends: bool = False
    body: str = "same"
    token: str = "renews"
    hedge: float = 0.0
    hedges: frozenset[str] = frozenset()
    patience: float = 30.0
    reads_errors: bool = True
    after_lost_post: str = "ends"
    conditional: bool = False
    after_refusal: str = "looks"
    resumes: str = "anew"
    honest: bool = True
    ids: str = "none"
    overhead: float = 0.0005

    @property
    def words(self) -> Mapping[str, str]:
        """The values of the names in braces of a phase's rule."""
        return PLAIN if self.vendor == "http" else codes_of(self.vendor).words

    @property
    def rules(self) -> list[str]:
        """The rules of its phases."""
        return [rule for each in self.phases if (rule := each.rule(self.words))]

    def __str__(self) -> str:
        usual = {each.name: each.default for each in fields(self)}
        own = {name: value for name, value in vars(self).items() if value != usual[name] and name != "phases"}
        said = [
            f"{name}={sorted(value) if isinstance(value, frozenset) else value}"
            for name, value in own.items()
        ]
        phases = ", ".join(f"{each.name} {each.calls}" for each in self.phases)
        return f"{' '.join(said)}\nphases: {phases}"


@dataclass(frozen=True)
class Bug:
    """A way to be wrong.

    Attributes:
        change: makes a client wrong.
        phases: names of phases, of which it takes one to show that.
    """

    change: Callable[[Client, Random], Client]
    phases: tuple[str, ...]


FAILING = ("throttled", "broken", "cut-off")
"""Phases in which nothing ever works."""
REFUSING = ("denied", "missing", "bad")

BUGS: dict[str, Bug] = {
    "retries refusals": Bug(lambda it, draw: replace(it, retried=it.retried | {"refused"}), REFUSING),
    "never retries": Bug(
        lambda it, draw: replace(it, attempts=1, outer=1, resends=False), ("once", "twice", "reset")
    ),
    "does not retry a kind": Bug(
        lambda it, draw: replace(
            it, retried=it.retried - {draw.choice(sorted(PASSING))}, outer=1, resends=False
        ),
        ("once", "twice", "reset"),
    ),
    "retries GET only": Bug(
        lambda it, draw: replace(it, methods=frozenset(("GET", "HEAD"))), ("once", "twice")
    ),
    "never gives up": Bug(
        lambda it, draw: replace(
            it, attempts=draw.choice((25, 40)), cap=2.0, deadline=inf, budget=inf, breaker=0, outer=1
        ),
        FAILING,
    ),
    "does not wait": Bug(lambda it, draw: replace(it, shape="none"), FAILING),
    "has no jitter": Bug(lambda it, draw: replace(it, jitter="none", base=max(it.base, 0.2)), FAILING),
    "waits are constant": Bug(
        lambda it, draw: replace(it, shape="constant", base=max(it.base, 0.1)), FAILING
    ),
    "ignores Retry-After": Bug(
        lambda it, draw: replace(
            it,
            hints=it.hints - frozenset(draw.choice((("seconds",), ("date",), ("seconds", "date")))),
            base=min(it.base, 0.5),
        ),
        ("seconds", "date"),
    ),
    "stumbles over Retry-After": Bug(lambda it, draw: replace(it, reads_junk=False), ("junk",)),
    "budget is not refilled": Bug(
        lambda it, draw: replace(it, budget=draw.choice((8, 15, 30)), refills=False, breaker=0), ("some",)
    ),
    "breaker stays open": Bug(
        lambda it, draw: replace(it, breaker=5, closes=inf, told=True), ("outage", "broken")
    ),
    "two layers": Bug(
        lambda it, draw: replace(it, outer=draw.choice((2, 3, 5)), outer_kinds=it.retried), FAILING
    ),
    "body is not rewound": Bug(
        lambda it, draw: replace(it, body=draw.choice(("nothing", "rest"))),
        ("throttled", "once", "twice", "lost-put"),
    ),
    "repeats the token": Bug(lambda it, draw: replace(it, token="repeats"), ("expired",)),
    "loses the body with the token": Bug(lambda it, draw: replace(it, token="loses body"), ("expired",)),
    "copies writes": Bug(
        lambda it, draw: replace(it, hedge=draw.choice((0.1, 0.2)), hedges=REPEATABLE), ("slow",)
    ),
    "copies at once": Bug(lambda it, draw: replace(it, hedge=0.001, hedges=frozenset(("GET",))), ("slow",)),
    "is impatient": Bug(
        lambda it, draw: replace(it, patience=0.25, retried=it.retried | {"timeout"}, hedge=0.0), ("slow",)
    ),
    "takes errors for success": Bug(lambda it, draw: replace(it, reads_errors=False), ("hidden",)),
    "repeats lost POSTs": Bug(
        lambda it, draw: replace(it, after_lost_post=draw.choice(("repeats", "other key"))), ("lost-post",)
    ),
    "takes its own write for a conflict": Bug(
        lambda it, draw: replace(it, conditional=True, after_refusal="conflict"), ("lost-put",)
    ),
    "takes a conflict for its own write": Bug(
        lambda it, draw: replace(it, conditional=True, after_refusal="success"), ("lost-put",)
    ),
    "undoes its own write": Bug(
        lambda it, draw: replace(it, conditional=True, after_refusal="removes"), ("lost-put",)
    ),
    "mixes versions": Bug(lambda it, draw: replace(it, resumes="blindly"), ("replaced",)),
    "swallows errors": Bug(lambda it, draw: replace(it, honest=False), (*FAILING, *REFUSING)),
}
"""By what is wrong: a client with it, made of a right one."""


def drawn(seed: str, number: int) -> Client:
    """The client of that number."""
    draw = Random(f"{seed}/{number}")
    client = _right(f"{seed}/{number}", number, draw)
    for _ in range(draw.choice((0, 1, 1, 1, 2))):
        bug = BUGS[draw.choice([*BUGS])]
        client = _meets(bug.change(client, draw), bug.phases, draw)
    return client


def _meets(client: Client, names: Sequence[str], draw: Random) -> Client:
    """The client, with one of these phases among what it is asked for."""
    if any(each.name in names for each in client.phases):
        return client
    name = draw.choice(names)
    return replace(client, phases=(*client.phases, next(each for each in PHASES if each.name == name)))


def _right(seed: str, number: int, draw: Random) -> Client:
    """A client that does nothing wrong."""
    phases = draw.sample(PHASES, draw.choice((3, 4, 5, 6)))
    if draw.random() > 0.2:
        phases = [each for each in phases if each.name != "outage"]
    attempts = draw.choice((2, 3, 3, 4, 5, 6, 8))
    base = draw.choice((0.05, 0.1, 0.2, 0.3, 0.5, 1.0))
    second_layer = draw.random() < 0.1
    timed = draw.random() < 0.15
    return Client(
        number=number,
        seed=seed,
        vendor=draw.choice(VENDORS),
        phases=tuple(
            replace(
                each,
                calls=max(3, round(each.calls * draw.choice((0.5, 1, 1, 1.5))))
                if each.name != "outage"
                else each.calls,
            )
            for each in phases
        ),
        told=draw.random() < 0.5,
        workers=draw.choice((0, 0, 1, 1, 4)),
        asks_again=draw.choice(((0, 0.0),) * 4 + ((1, 5.0), (2, 30.0))),
        attempts=attempts,
        shape=draw.choice(("exponential", "exponential", "exponential", "linear")),
        base=base,
        cap=draw.choice((5.0, 20.0, 60.0)),
        jitter=draw.choice(("full", "equal", "quarter")),
        hints=frozenset(("seconds", "date")),
        deadline=draw.choice((inf, inf, 30.0, 60.0)),
        budget=draw.choice((inf, inf, 20, 100)),
        breaker=draw.choice((0, 0, 0, 5, 10)),
        closes=draw.choice((5.0, 20.0)),
        retried=PASSING - {"transport"} if second_layer else PASSING,
        outer=3 if second_layer else 1,
        outer_kinds=frozenset(("transport",)) if second_layer else frozenset(),
        resends=draw.random() < 0.15,
        token=draw.choice(("ends", "renews", "renews")),
        hedge=0.0 if timed else draw.choice((0.0, 0.0, 0.0, 0.25)),
        hedges=frozenset(("GET",)),
        patience=draw.choice((2.0, 30.0)),
        after_lost_post=draw.choice(("ends", "same key")),
        conditional=draw.random() < 0.2,
        after_refusal="looks",
        resumes=draw.choice(("anew", "if-range")),
        ids=draw.choice(("none", "none", "none", "invocation", "retry mark")),
        overhead=draw.choice((0.0003, 0.001, 0.003)),
    )
