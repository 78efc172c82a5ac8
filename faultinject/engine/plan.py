"""A compiled scenario: the rules that may match a request, the one that fires, its action.

`Plan.decide` is one plain method: all that it needs from outside (clocks, the counts, the journal) is handed to the
plan, and it returns one action for an adapter to carry out. Its rules are closures and numbers instead of text, each
made when it is first a candidate.

The one source of chance is a keyed digest of the subject of the draw, so that a seed replays. For one match it is
`blake2b(label ‖ 0 ‖ identity ‖ 0 ‖ n, key=blake2b(seed).digest(), digest_size=32)`. Bytes 0-7 decide, 8-15 choose the
row of a group, 16-23 the delay; 24-31, stretched, the ids, the bytes that `corrupt` changes and the keys of a
DeleteObjects that fail. No number serves two decisions.
"""

from __future__ import annotations

import collections
from _thread import allocate_lock
from copy import copy
from functools import cached_property, partial
from hashlib import blake2b
from itertools import product
from math import exp
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from faultinject.engine.actions import PASSED, Action, Pass
from faultinject.engine.counting import Counter, Counts, MatchKey, Take
from faultinject.engine.request import ASGIRequest, Entry, Request, WSGIRequest
from faultinject.http.patterns import literal_prefix
from faultinject.vendors.operations import headers_of
from faultinject.vendors.vendor import (
    HOSTS_REMEMBERED,
    LONGEST_HOST,
    Addressing,
    Vendor,
    common,
    split_mount,
    without_port,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from faultinject.counts.shared_counts import SharedCounts
    from faultinject.injector.asked import Asked
    from faultinject.injector.failure_watch import FailureWatch
    from faultinject.rules.rule import Rule

    Draw = Callable[[str, int], bytes | None]
    Scope = Callable[[Request, Addressing, str], str]
    Check = Callable[[Request], bool]

    # An environ or a scope.
    Place = Mapping[str, Any]
    # The numbers of the rules that may match, in the order written; None: none may.
    Found = Sequence[int] | None
    Finder = Callable[[Place], Found]
    # By method, and of the methods that no rule names, for which there may be none.
    Finders = tuple[dict[str, Finder], Finder | None]
    # By a literal the numbers of the rules that have it, in the order written.
    Postings = dict[str | None, list[int]]
    Methods = dict[tuple[str, ...], frozenset[str]]

LOOK = 0.5
"""Seconds after which a wait checks again whether it is over."""


class Waits(Protocol):
    """A test's replacement of the time that passes."""

    def monotonic(self) -> float:
        """Give the seconds by which waits and durations are measured."""

    def wait(self, seconds: float, sleep: Callable[[float], object]) -> object:
        """Called by a thread that would call `sleep(seconds)`.

        It may do so, or let the clock go on by itself. A thread that is woken early looks at the clock, and waits for
        the rest.
        """


class Services:
    """All that a plan needs from outside: clocks, the journal and its injector's settings.

    Attributes:
        journal: takes a line.
        clock: unix seconds, for ids, rates, and, unless `steady`, begin and end.
        steady: whether the age of a scenario is measured by `monotonic`, which a test that moves its clock does not
            move.
        monotonic: seconds of the clock that durations are measured by.
        waits: replaces the system's wait for a thread that waits, or None.
        marked: whether injected answers carry `x-faultinject` and `Cache-Control`.
        guarded: whether they carry `GUARDS`, as their rules may have come over HTTP.
        endpoints: the user's own host suffixes.
        most_active: the most faults that may be under way at once.
        record_all: whether to record requests that no rule matches.
        expires: unix seconds from which nothing is injected, or None.
        deadline: the same on the monotonic clock: unix time may be set back.
        failed: called with an error inside faultinject itself, and the rule's name if it is known.
        expired: called with that moment when a request comes after it.
        finish: called when a fault is over: its slot is free again.
        refuse: called when there is no slot for one.
        look: notices changes by other processes, which may end a wait; None if there are none.
    """

    def __init__(
        self,
        journal: Callable[[Entry], None],
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        failed: Callable[[Exception, str], None],
        expired: Callable[[float], None],
        refuse: Callable[[], object],
        *,
        marked: bool = True,
        guarded: bool = False,
        endpoints: tuple[str, ...] = (),
        most_active: int = 100,
        record_all: bool = False,
        expires: float | None = None,
        steady: bool = False,
        waits: Waits | None = None,
    ) -> None:
        self.journal = journal
        self.steady = steady
        self.clock = clock
        self.monotonic = monotonic if waits is None else waits.monotonic
        self.waits = waits
        self.marked = marked
        self.guarded = guarded
        self.endpoints = endpoints
        self.most_active = most_active
        self.record_all = record_all
        self.look: Callable[[], None] | None = None
        self.expires: float | None = None
        self.deadline = float("inf")
        self.expire(expires)
        self.failed = failed
        self.expired = expired
        self.refuse = refuse
        # As many as may begin. A list, because to take one off or to put one back is one step for threads.
        self._free_slots: list[None] = [None] * most_active
        self.finish: Callable[[], None] = partial(self._free_slots.append, None)
        self._refused = Counter()

    def expire(self, moment: float | None) -> None:
        """Inject nothing from that moment on, in unix seconds; None: always.

        The same moment again changes nothing.
        """
        if moment != self.expires:
            self.deadline = float("inf") if moment is None else self.monotonic() + moment - self.clock()
            self.expires = moment

    def rest(self, seconds: float, sleep: Callable[[float], object]) -> object:
        """Let a thread wait, by that system call or the test's replacement, and return its result."""
        return sleep(seconds) if self.waits is None else self.waits.wait(seconds, sleep)

    def begin(self) -> bool:
        """Take a slot for one more fault under way; no if all are taken."""
        try:
            self._free_slots.pop()
        except IndexError:
            self._refused.next()
            self.refuse()
            return False
        return True

    @property
    def active(self) -> int:
        """The number of faults under way."""
        return self.most_active - len(self._free_slots)

    @property
    def refused(self) -> int:
        """The number of requests that got no fault because all slots were taken."""
        return self._refused.value


_OPTIONS = frozenset(("OPTIONS",))


class CompiledRule:
    """One rule of a plan, ready to be asked about requests.

    Args:
        rule: the rule as written.
        number: the number under which it is counted.
        name: its name in the journal and in `x-faultinject`.
        duplicate: the number of earlier rules of the scenario with the same label.
        key: the seed's key.
        seed: the same without the part that differs between processes that count for themselves.
        reading: how it reads bucket, key and operation.
        services: clocks, journal and settings.
        shared: takes notes for other processes, if there may be any.

    Attributes:
        number: the number under which it is counted.
        name: its name in the journal and in `x-faultinject`.
        rule: the rule as written.
        reading: how it reads bucket, key and operation.
        above: the rate as (limit, period in seconds), or None.
        takes_preflights: whether it is for CORS preflights as well.
        skips: a function from the number of a match in its scope to whether skip, from and every leave it alone; None
            for never.
        scope: a function to the name of the scope that counts are kept in; None for the rule as a whole.
        fired: the number of decisions for its fault.
        undone: the number of these that were not carried out.
        failed: the number of errors of ours that kept it from carrying out its decision.
        times: the most injections in its scope; None for no limit.
        lock_free_after: takes after which it no longer needs the shared counts: 0 for a rule that always or never
            fires, and draws nothing but ids; None: one always does.
        act: the action of the fault on a request that the rule fires for.
        matches: whether all conditions hold for a request, and no `unless` does.
        always_fires: whether the probability is 1.
        drawn: the digest of the nth match of an identity, or None if chance decides against it.
        window: a function from the scenario's age in seconds to whether begin and end are open; None for always.
    """

    def __init__(
        self,
        rule: Rule,
        number: int,
        name: str,
        *,
        duplicate: int,
        key: bytes,
        seed: bytes,
        reading: Addressing,
        services: Services,
        shared: SharedCounts | None,
    ) -> None:
        self.rule = rule
        self.number = number
        self.name = name
        self.services = services
        self.reading = reading
        self.above: tuple[int, float] | None = rule.value("above")
        self.skips = _skips(rule.value("skip") + rule.value("from") - 1, rule.value("every"))
        self.times: int | None = rule.value("times")
        self.scope = SCOPES[rule.value("per")]
        self.window = _window(rule.value("begin"), rule.value("end"))
        self.takes_preflights = asks_for_options(rule, self.reading)
        self.fired = Counter()
        self.undone = Counter()
        self.failed = Counter()
        self._note_injected = None if shared is None else shared.note_injected
        limit = threshold(rule.value("probability"))
        self.always_fires = limit >= ONE
        label = f"{rule.label}#{duplicate + 1}" if duplicate else rule.label
        self.drawn = drawer(key, label, limit) if limit else _never
        self.lock_free_after = self._lock_free_after(limit)
        self.act = rule.resolved.prepare(self)
        self.matches = rule.compile(self.reading, seed)

    def _lock_free_after(self, limit: int) -> int | None:
        if not limit or self.times == 0:
            return 0
        counted = self.skips is not None or self.above is not None or not self.always_fires
        if counted or self.rule.resolved.draws(self.rule):
            return None
        return self.times or 0

    def take_back(self) -> None:
        """Note that a fault was decided on and is not carried out."""
        self.undone.next()
        if self._note_injected is not None:
            self._note_injected(self.number, -1)


def asks_for_options(rule: Rule, reading: Addressing) -> bool:
    """Whether a rule names OPTIONS, or an operation of that method alone, as `OptionsObject`.

    A pattern names none.
    """
    if any(text.removeprefix("=").upper() == "OPTIONS" for text in rule.conditions.get("method", ())):
        return True
    texts = [text for text in rule.conditions.get("operation", ()) if text[:1] == "=" or "*" not in text]
    return any(reading.operations.methods(reading.operations.meant((text,))) == _OPTIONS for text in texts)


def _never(identity: str, n: int) -> None:
    """The draw of a rule with probability 0."""


def _skips(skip: int, every: int) -> Callable[[int], bool] | None:
    if every == 1:
        return None if skip == 0 else lambda place: place < skip
    return lambda place: place < skip or (place - skip + 1) % every != 0


def _window(begin: float, end: float | None) -> Callable[[float], bool] | None:
    if end is None:
        return None if begin == 0 else lambda age: age >= begin
    return lambda age: begin <= age < end


SCOPES: dict[str, Scope | None] = {
    "rule": None,
    "call": lambda _request, _reading, exact: exact,
    "key": lambda request, reading, _exact: "/{}/{}".format(
        *(each or "" for each in reading.read_address(request))
    ),
    "bucket": lambda request, reading, _exact: f"/{reading.read_address(request)[0] or ''}",
    "operation": lambda request, reading, _exact: reading.operation(request) or "none",
    "client": lambda request, _reading, _exact: request.client or "none",
}
"""The values of `per`, and the name of the scope of a request."""


def duplicate_indices(rules: Iterable[Rule]) -> list[int]:
    """For each rule the number of earlier ones with the same label."""
    seen: dict[str, int] = {}
    found = []
    for rule in rules:
        label = rule.label
        seen[label] = earlier = seen.get(label, -1) + 1
        found.append(earlier)
    return found


# The way from a request to the few rules that may match it, whatever their number
#
# Every rule is filed under a literal that a matching request must show: the first whole segments of its path, its
# bucket, its host, else its key, a header, a parameter or its operation. A rule without any is looked at for every
# request of its methods, which its operations tell if it does not. A request is looked up only in the fields that
# some rule is filed under. The index answers with a superset: rules that it leaves out cannot match, those that it
# hands out are checked in full.

# More methods than this tell nothing apart, and each costs a node of its own.
_MOST_METHODS = 16
# Letters up to which a method is known in every mixture of cases; a longer one is also looked for among the others.
_ALL_CASES = 8
# Where more rules than this have a literal, another one of theirs may tell them apart.
_OVERFULL = 8


class Interface:
    """The places of a WSGI environ or an ASGI scope that rules are filed under.

    Attributes:
        path: its key of the path.
        mount: its key of the mount point.
        split: mount point and path below it, from the values of the two.
        host: the raw Host header.
        view: the request as rules see it.
    """

    def __init__(
        self,
        path: str,
        mount: str,
        split: Callable[[str, str], tuple[str, str]],
        host: Callable[[Place], str | bytes | None],
        view: Callable[[Place], Request],
    ) -> None:
        self.path, self.mount, self.split, self.host, self.view = path, mount, split, host, view

    def paths(self, place: Place) -> tuple[str, str]:
        """The whole path and that below the mount point, as the server decoded them."""
        mount, below = self.split(place[self.mount], place.get(self.path, ""))
        if below[:1] in ("/", ""):
            return mount + below, below
        request = self.view(place)
        return request.path, request.below


def together(found: Sequence[int], more: Found) -> Sequence[int]:
    """The rules of both, in the order written, each once."""
    return found if more is None else sorted({*found, *more})


def _put(postings: dict[Any, list[int]], literal: str | None, number: int) -> None:
    numbers = postings.setdefault(literal, [])
    if numbers[-1:] != [number]:
        numbers.append(number)


class Prefixes:
    """By the first segments of the path, also below the mount point.

    They are a tree; a node's rules stand under None.
    """

    def __init__(self) -> None:
        self._root: dict[str | None, Any] = {}
        self._depth = 0

    def file(self, literal: str, number: int) -> None:
        """Add a rule."""
        # WSGI has UTF-8 as Latin-1.
        forms = (literal,) if literal.isascii() else (literal, literal.encode().decode("latin-1"))
        for form in forms:
            segments = form.split("/")[1:]
            self._depth = max(self._depth, len(segments))
            node = self._root
            for segment in segments:
                node = node.setdefault(segment, {})
            _put(node, None, number)

    def look(self, on: Interface) -> Finder:
        """A function from an environ or a scope to the rules that may match."""
        root, parts, where, mount = self._root, self._depth + 1, on.path, on.mount

        def by_prefix(place: Place, path: str | None = None) -> Found:
            if path is None:
                if place.get(mount):
                    return mounted(place)
                path = place.get(where, "")
            segments = path.split("/", parts)
            node = root.get(segments[1]) if len(segments) > 1 else None
            if node is None:
                return None
            found: Found = node.get(None)
            for segment in segments[2:]:
                node = node.get(segment)
                if node is None:
                    break
                if None in node:
                    found = together(node[None], found)
            return found

        def mounted(place: Place) -> Found:
            path, below = on.paths(place)
            found, more = by_prefix(place, path), by_prefix(place, below)
            return found if more is None else together(more, found)

        return by_prefix


class Hosts:
    """By the host, and by its first label with a dot after it.

    In virtual-host style a bucket begins with that label.
    """

    def __init__(self) -> None:
        self._postings: Postings = {}

    def file(self, literal: str, number: int) -> None:
        """Add a rule."""
        _put(self._postings, literal, number)

    def look(self, on: Interface) -> Finder:
        """A function from an environ or a scope to the rules that may match."""
        postings, raw_host = self._postings, on.host
        remembered: dict[str | bytes | None, list[int]] = {}

        def learn(raw: str | bytes | None) -> list[int]:
            host = without_port((raw.decode("latin-1") if isinstance(raw, bytes) else raw) or "")
            found = sorted({*postings.get(host, ()), *postings.get(host.partition(".")[0] + ".", ())})
            if raw is None or len(raw) <= LONGEST_HOST:
                if len(remembered) >= HOSTS_REMEMBERED:
                    remembered.clear()
                remembered[raw] = found
            return found

        def by_host(place: Place) -> Found:
            raw = raw_host(place)
            found = remembered.get(raw)
            return (learn(raw) if found is None else found) or None

        return by_host


class Values:
    """By any other value that a rule asks for literally, read off the request's view."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, Any], Postings] = {}

    def file(self, literal: tuple[tuple[str, Any], str], number: int) -> None:
        """Add a rule."""
        what, value = literal
        _put(self._read.setdefault(what, {}), value, number)

    def look(self, on: Interface) -> Finder:
        """A function from an environ or a scope to the rules that may match."""
        view = on.view
        reads = [(READS[word], which, postings) for (word, which), postings in self._read.items()]

        def by_value(place: Place) -> Found:
            found: Found = None
            request = view(place)
            for read, which, postings in reads:
                for value in read(request, which):
                    if value in postings:
                        found = together(postings[value], found)
            return found

        return by_value


if TYPE_CHECKING:
    IndexedField = Prefixes | Hosts | Values
    # Literals of a rule, of which a request that matches it shows at least one.
    Literals = Sequence[tuple[type[IndexedField], Any]]

READS: dict[str, Callable[[Request, Any], Sequence[str | None]]] = {
    "bucket": lambda request, how: how.read_address(request)[:1],
    "key": lambda request, how: how.read_address(request)[1:],
    "operation": lambda request, how: (how.operation(request),),
    "header": lambda request, name: request.header(name),
    "query": lambda request, name: request.query_values(name),
}
"""Readers of a request's values.

For bucket, key and operation `which` is the reading (`Addressing`), for the others it is the name.
"""


def _host_in_scope(scope: Place) -> bytes | None:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    for name, value in headers:
        if name == b"host":
            return value
    return None


ENVIRON = Interface(
    "PATH_INFO",
    "SCRIPT_NAME",
    lambda mount, path: (mount, path),
    lambda environ: environ.get("HTTP_HOST"),
    WSGIRequest,
)
SCOPE = Interface("path", "root_path", split_mount, _host_in_scope, ASGIRequest)


def survives_decoding(text: str) -> bool:
    """Whether a text of a path also stands in the path that a server decoded.

    It may stand anywhere in the path that rules see. In that path `%2F` is kept apart, and text that is no UTF-8, or
    no byte, is replaced.
    """
    if not text.isascii() and any(sign == "\ufffd" or "\ud800" <= sign <= "\udfff" for sign in text):
        return False
    return "?" not in text and ("%" not in text or "%2F" not in text.upper())


def index(
    rules: Sequence[Rule],
    reading: Callable[[Vendor | None], Addressing],
    *,
    record_all: bool,
    off: Collection[int],
) -> tuple[Finders, Finders]:
    """File all rules of a plan, and return the finders for environs and for scopes.

    A finder returns None when no rule can match.

    Args:
        rules: in the order written; finders return their numbers.
        reading: how requests are read as a vendor's.
        record_all: find an empty sequence instead of None, so that every request is looked at.
        off: the numbers of rules that are left out.
    """
    known: Methods = {}
    kept: Sequence[int] = range(len(rules))
    if off:
        kept = [number for number in kept if number not in off]
    asked = [_methods(rules[number], reading, known) for number in kept]
    methods = {method for wanted in {*asked} if wanted for method in wanted}
    if len(methods) > _MOST_METHODS:
        methods = set()
    numbers: dict[str, list[int]] = {method: [] for method in methods}
    other: list[int] = []
    everywhere = [*numbers.values(), other]
    any_method = False
    long = {method for method in methods if len(method) > _ALL_CASES}
    for number, wanted in zip(kept, asked, strict=True):
        if wanted is None or not methods:
            any_method = True
            for filed in everywhere:
                filed.append(number)
        else:
            for method in wanted:
                numbers[method].append(number)
            if not long.isdisjoint(wanted):
                any_method = True
                other.append(number)

    def ready(find: Finder) -> Finder:
        return (lambda place: find(place) or ()) if record_all else find

    environ: dict[str, Finder] = {}
    scope: dict[str, Finder] = {}
    for method, some in numbers.items():
        node, spellings = Node(some, rules, reading), _spellings(method)
        environ.update(dict.fromkeys(spellings, ready(node.finder(ENVIRON))))
        scope.update(dict.fromkeys(spellings, ready(node.finder(SCOPE))))
    if not (any_method or record_all):
        return (environ, None), (scope, None)
    node = Node(other, rules, reading)
    return (environ, ready(node.finder(ENVIRON))), (scope, ready(node.finder(SCOPE)))


def _methods(
    rule: Rule, reading: Callable[[Vendor | None], Addressing], known: Methods
) -> frozenset[str] | None:
    """The methods that a rule is for; None: any.

    `known` remembers those of texts: many rules have the same.
    """
    conditions = rule.conditions
    methods = None
    if "method" in conditions:
        texts = conditions["method"]
        if texts in known:
            methods = known[texts]
        elif not any("*" in text for text in texts):
            methods = known[texts] = frozenset(text.upper().removeprefix("=") for text in texts)
    if "operation" in conditions:
        operations = reading(rule.vendor).operations
        possible = operations.methods(operations.meant(conditions["operation"]))
        return possible if methods is None else methods & possible
    return methods


def _spellings(method: str) -> set[str]:
    """All spellings of a method by case: the first look must be one look into a dict."""
    if len(method) > _ALL_CASES:
        return {method, method.lower(), method.title()}
    return {"".join(letters) for letters in product(*({each.upper(), each.lower()} for each in method))}


def _literals(rule: Rule, reading: Callable[[Vendor | None], Addressing]) -> Iterator[Literals]:
    """The literals of a rule, field by field, the cheapest field to look up first."""
    conditions = rule.conditions
    prefixes = [_prefix(path) for path in conditions.get("path", ())]
    if prefixes and all(prefixes):
        yield [(Prefixes, prefix) for prefix in prefixes]
    addressed = "bucket" in conditions or "key" in conditions or "operation" in conditions
    how = reading(rule.vendor) if addressed else None
    buckets = _plain_literals(conditions.get("bucket", ()))
    if how is not None and buckets:
        if how.s3 and all(bucket.isascii() and survives_decoding(bucket) for bucket in buckets):
            # A Host is looked up by its first label, which may be but a part of the bucket's name.
            labels = [(Hosts, bucket.partition(".")[0] + ".") for bucket in buckets]
            yield [*((Prefixes, f"/{bucket}") for bucket in buckets), *labels]
        else:
            yield _values("bucket", how, buckets)
    hosts = _plain_literals(conditions.get("host", ()))
    if hosts and all(map(str.isascii, hosts)):
        yield [(Hosts, host.lower()) for host in hosts]
    if how is not None and "key" in conditions:
        keys = how.keys(conditions["key"])
        if not any(text[:1] != "=" and ("?" in text or text[-1] == "/") for text in keys):
            yield _values("key", how, _plain_literals(keys))
    for key, texts in conditions.items():
        word, _, name = key.partition(".")
        # Of a header that is not ASCII two readings are asked.
        if word == "query" or (word == "header" and all(map(str.isascii, texts))):
            yield _values(word, name, () if "" in texts else _plain_literals(texts))
    if how is not None and "operation" in conditions:
        yield _values("operation", how, tuple(how.operations.meant(conditions["operation"])))


def _values(word: str, which: Any, texts: Sequence[str]) -> Literals:
    return [(Values, ((word, which), each)) for each in texts]


def _plain_literals(texts: Sequence[str]) -> Sequence[str]:
    """The texts of patterns in which `*` matches anything; nothing if one of them has a `*`."""
    if any("*" in text and text[:1] != "=" for text in texts):
        return ()
    return [text.removeprefix("=") for text in texts]


def _prefix(pattern: str) -> str:
    """The whole segments at the start of a path pattern, as far as a decoded path shows them."""
    prefix = literal_prefix(pattern)[0]
    return prefix if survives_decoding(prefix) else ""


class Node:
    """Rules, each filed under its literals of one field.

    Args:
        numbers: the rules' numbers, in the order written.
        rules: all rules.
        reading: how requests are read as a vendor's.
    """

    def __init__(
        self,
        numbers: Sequence[int],
        rules: Sequence[Rule],
        reading: Callable[[Vendor | None], Addressing],
    ) -> None:
        self._always: list[int] = []
        self._fields: dict[type[IndexedField], IndexedField] = {}
        chosen = _chosen({number: _literals(rules[number], reading) for number in numbers})
        for number in numbers:
            if number not in chosen:
                self._always.append(number)
                continue
            for kind, literal in chosen[number]:
                if kind not in self._fields:
                    self._fields[kind] = kind()
                self._fields[kind].file(literal, number)

    def finder(self, on: Interface) -> Finder:
        """A function from an environ or a scope to the rules that may match."""
        always = self._always or None
        looks = [field.look(on) for field in self._fields.values()]
        if not looks:
            return lambda _: always
        if len(looks) == 1 and not always:
            return looks[0]
        if len(looks) == 2 and not always:
            first, second = looks

            def by_both(place: Place) -> Found:
                found, more = first(place), second(place)
                return found if more is None else together(more, found)

            return by_both

        def by_all(place: Place) -> Found:
            found: Found = always
            for look in looks:
                more = look(place)
                if more is not None:
                    found = together(more, found)
            return found

        return by_all


def _chosen(offered: dict[int, Iterator[Literals]]) -> dict[int, Literals]:
    """For each rule the first of its fields whose literals few others have, else its first.

    A rule without a field has no literals.

    Args:
        offered: the fields of each rule by its number; they are used up as far as is needed.
    """
    chosen: dict[int, Literals] = {}
    while offered:
        tried = {
            number: first for number, fields in offered.items() if (first := next(filter(None, fields), None))
        }
        sizes = collections.Counter(literal for literals in tried.values() for literal in literals)
        overfull = {literal for literal, size in sizes.items() if size > _OVERFULL}
        for number, literals in tried.items():
            if overfull.isdisjoint(literals):
                del offered[number]
                chosen[number] = literals
            else:
                chosen.setdefault(number, literals)
        offered = {number: offered[number] for number in tried if number in offered}
    return chosen


class Plan:
    """A scenario ready to decide; immutable but for what it prepares on first use.

    Args:
        rules: the rules in the order written.
        names: what each is called, as long as `rules`.
        seed: the seed's text.
        counts: where matches and takes are counted.
        services: clocks, journal and settings.
        generation: how many scenarios the injector had before.
        watch: told of the app's own answers; None: nobody is.
        asked: gives the plans of rules that requests ask for themselves; None: none may.
        salt: put before the seed where independent processes must not draw alike.
        places: the numbers under which rules are counted, as long as `rules`; by default 0, 1, 2, …
        duplicates: for each rule how many earlier ones have the same label; by default in the order written.
        off: the numbers of rules that no request is to match.
        started: unix seconds at which the scenario took effect; by default now.
        since: the same on the monotonic clock, where that is known.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        names: Sequence[str],
        seed: str,
        *,
        counts: Counts,
        services: Services,
        generation: int = 0,
        watch: FailureWatch | None = None,
        asked: Asked | None = None,
        salt: bytes = b"",
        places: Sequence[int] | None = None,
        duplicates: Sequence[int] = (),
        off: Collection[int] = (),
        started: float | None = None,
        since: float | None = None,
    ) -> None:
        self.rules = tuple(rules)
        self.names = tuple(names)
        self.seed = seed
        self.counts = counts
        self.services = services
        self.generation = generation
        self.watch = watch
        self.asked = asked
        self.special = watch is not None or asked is not None
        """Whether there is a watch, or requests may ask for faults: one look for a request."""
        now = services.clock()
        self.started = now if started is None else started
        self.since = services.monotonic() - (now - self.started) if since is None else since
        self.places = range(len(self.rules)) if places is None else places
        """For each rule the number under which it is counted."""
        self.endings = 0
        """The number of times the scenario was replaced or switched off: older waits end."""
        self.ended = False
        """Set when the scenario is replaced or switched off."""
        self.key = seed_key(seed + salt.hex())
        self.origin = (generation, seed, seed_key(seed))
        self._readings: dict[str, Addressing] = {}
        self.more_headers: dict[str, bool] = {}
        """Headers that tell the operations of another package's vendor, and whether by value.

        They are kept of each request.
        """
        for vendor in {rule.vendor for rule in self.rules if rule.vendor is not None}:
            self.more_headers |= headers_of(vendor)
        (self.environ, self.environ_default), (self.scope, self.scope_default) = index(
            self.rules, self.reading, record_all=services.record_all, off=off
        )
        self._ready: list[CompiledRule | None] = [None] * len(self.rules)
        self._duplicates = duplicates
        # Shared counts know this number as well, and have a lock that is held once a request.
        self._shared = counts.shared
        self._holds = counts.holds
        self.waits = getattr(counts, "waits", False)
        """Whether the counts are on a server."""
        self._lock = allocate_lock()  # nobody waits under it: `faultinject.locks`

    def decide(self, request: Request, candidates: Sequence[int]) -> Action | None:
        """Decide one request: match the candidate rules, and find the one that fires.

        Counts that a match keeps from others are kept no longer than for its takes.

        Returns:
            None when no rule's conditions hold, `Pass` when none fires, else what to do.

        Raises:
            StoreUnavailableError: the counts are unavailable; nothing was counted, or it was taken back.
        """
        services = self.services
        arrived, now = services.monotonic(), services.clock()
        expires = services.expires
        if expires is not None and (now >= expires or arrived >= services.deadline):
            services.expired(expires)
            return None
        matched, keys = self._matching(request, candidates, now, arrived)
        if not matched:
            return None
        counts = self.counts
        hold = False
        lock_free_after: list[int] | None = None
        if self._holds:
            hold = not all(rule.times is None for rule in matched)
            lock_free_after = [rule.lock_free_after for rule in matched if rule.lock_free_after is not None]
            if len(lock_free_after) < len(matched):
                lock_free_after = None
        numbers = counts.match(keys, now - self.started, hold, lock_free_after)
        held = hold and numbers[0][1] >= 0
        taken: Take | None = None
        try:
            counted = zip(matched, keys, numbers)  # noqa: B905 - one key and one number for each rule
            for rule, (_, scope, identity, _), (place, n, exceeds) in counted:
                if not exceeds or (rule.skips is not None and rule.skips(place)):
                    continue
                # If chance has no say, nothing is drawn before the rule may inject.
                digest = b"" if rule.always_fires else rule.drawn(identity, n)
                if digest is None:
                    continue
                if rule.times is not None:
                    taken = Take(rule.number, scope, rule.times)
                    if not counts.take(taken, held):
                        taken = None
                        continue
                if held:
                    held = False
                    counts.release()
                return self._inject(rule, request, identity, n, now, arrived, taken, digest, matched)
        finally:
            if held:
                counts.release()
        rule = matched[0]
        entry = Entry(self, request, rule.reading, now, arrived, rule.name, numbers[0][1])
        if len(matched) > 1:
            entry.matched = [each.name for each in matched]
        if services.record_all:
            return Pass(entry)
        services.journal(entry)
        return PASSED

    def asks(self, request: Request, candidates: Sequence[int]) -> bool:
        """Whether the decision asks a server for a count, so that an event loop would wait."""
        matched, _ = self._matching(request, candidates, *self._now())
        return any(rule.lock_free_after != 0 for rule in matched)

    def _inject(
        self,
        rule: CompiledRule,
        request: Request,
        identity: str,
        n: int,
        now: float,
        arrived: float,
        taken: Take | None,
        digest: bytes,
        matched: Sequence[CompiledRule],
    ) -> Action:
        """Carry out a rule that fires, if one more fault may be under way.

        The count is returned if it does nothing.
        """
        services = self.services
        entry = Entry(self, request, rule.reading, now, arrived, rule.name, n)
        if len(matched) > 1:
            entry.matched = [each.name for each in matched]
        entry.take = taken
        digest = digest or rule.drawn(identity, n) or b""
        action: Action
        if services.begin():
            try:
                action = rule.act(request, entry, digest)
            except Exception as error:
                rule.failed.next()
                services.failed(error, rule.name)
                action = Pass(entry, "failed")
            if not isinstance(action, Pass):
                rule.fired.next()
                if self._shared is not None:
                    self._shared.note_injected(rule.number)
                entry.fired = rule
                return action
            services.finish()
        else:
            entry.fault = rule.rule.fault
            action = Pass(entry, "refused")
        if taken is not None:
            self.counts.give_back(taken)
        return action

    def matches(self, request: Request, candidates: Sequence[int]) -> bool:
        """Whether the conditions of any of these rules hold; nothing is counted."""
        return bool(self._matching(request, candidates, *self._now())[0])

    def age(self, now: float, arrived: float) -> float:
        """The seconds since the scenario took effect.

        Args:
            now: unix seconds.
            arrived: the same moment on the monotonic clock.
        """
        return arrived - self.since if self.services.steady else now - self.started

    def _now(self) -> tuple[float, float]:
        return self.services.clock(), self.services.monotonic()

    def end(self) -> None:
        """End the waits of this plan, which is replaced or switched off."""
        self.ended = True
        self.endings += 1

    def again(self) -> Plan:
        """The same plan with the same counts, for requests after an end; earlier waits stay ended."""
        made = copy(self)
        made.ended = False
        return made

    def over(self, endings: int) -> bool:
        """Whether a wait that began after so many endings is over, in whatever process.

        The scenario was replaced, switched off or expired.
        """
        if self.services.look is not None:
            self.services.look()
        return self.ended or self.endings != endings or self.expired

    @property
    def expired(self) -> bool:
        """Whether the time is over in which faults are injected."""
        services = self.services
        expires = services.expires
        return expires is not None and (
            services.clock() >= expires or services.monotonic() >= services.deadline
        )

    def go_on_from(self, old: Plan) -> None:
        """Keep the work of an older plan with the same counts for the rules that are in both."""
        ready = {rule.number: rule for rule in old._ready if rule is not None}
        if not ready:
            return
        for number, place in enumerate(self.places):
            before = ready.get(place)
            if before is None:
                continue
            if before.name != self.names[number]:
                # Its answers have its name, which may depend on its place in the order.
                before, kept = self._compile(number), before
                before.fired, before.undone, before.failed = kept.fired, kept.undone, kept.failed
            self._ready[number] = before

    def note(self, request: Request) -> Entry:
        """Make an entry for a request that no rule matches, if every request is noted."""
        now, arrived = self._now()
        return Entry(self, request, self._unmatched, now, arrived)

    @cached_property
    def _unmatched(self) -> Addressing:
        """The reading of a request that no rule matches."""
        return self.reading(common(rule.vendor for rule in self.rules))

    def totals(self) -> list[tuple[int, int, int]]:
        """For each rule the requests that met its conditions, got its fault, or were undecided."""
        if self._shared is None:
            matched = self.counts.matched
            totals = [
                (matched(place), 0 if rule is None else rule.fired.value - rule.undone.value, 0)
                for place, rule in zip(self.places, self._ready, strict=True)
            ]
        else:
            totals = self._shared.totals(self.places)
        return [
            (met, injected, failed + (0 if rule is None else rule.failed.value))
            for (met, injected, failed), rule in zip(totals, self._ready, strict=True)
        ]

    def ready(self, number: int) -> CompiledRule:
        """The compiled rule of that number, made when it is first a candidate."""
        found = self._ready[number]
        if found is None:
            with self._lock:
                found = self._ready[number]
                if found is None:
                    found = self._ready[number] = self._compile(number)
        return found

    def _compile(self, number: int) -> CompiledRule:
        rule = self.rules[number]
        if not self._duplicates:
            self._duplicates = duplicate_indices(self.rules)
        return CompiledRule(
            rule,
            self.places[number],
            self.names[number],
            duplicate=self._duplicates[number],
            key=self.key,
            seed=self.origin[2],
            reading=self.reading(rule.vendor),
            services=self.services,
            shared=self._shared,
        )

    def reading(self, vendor: Vendor | None) -> Addressing:
        """The reading of requests as that vendor's; one object a vendor."""
        name = vendor.id if vendor is not None and vendor.addressing else ""
        reading = self._readings.get(name)
        if reading is None:
            reading = self._readings[name] = Addressing(vendor if name else None, self.services.endpoints)
        return reading

    def _matching(
        self, request: Request, candidates: Sequence[int], now: float, arrived: float
    ) -> tuple[list[CompiledRule], list[MatchKey]]:
        matched: list[CompiledRule] = []
        keys: list[MatchKey] = []
        preflight = False
        if not request.ordinary:
            if request.upgrades:
                return matched, keys
            preflight = request.is_preflight
        ready = self._ready
        for number in candidates:
            rule = ready[number] or self.ready(number)
            if (
                (rule.window is None or rule.window(self.age(now, arrived)))
                and (not preflight or rule.takes_preflights)
                and rule.matches(request)
            ):
                exact, identity = rule.reading.identify(request)
                scope = "" if rule.scope is None else rule.scope(request, rule.reading, exact)
                matched.append(rule)
                keys.append((rule.number, scope, identity, rule.above))
        return matched, keys


# The one source of chance

ONE = 2**64


def seed_key(seed: str) -> bytes:
    """The 64-byte key that a seed's text stands for."""
    return blake2b(seed.encode("utf-8", "surrogatepass")).digest()


def drawer(key: bytes, label: str, limit: int) -> Draw:
    """Make the draw from (identity, n) to 32 bytes for the nth match of that identity, n from 0.

    It returns None if chance decides against it: if bytes 0-7 do not stay below `limit`.
    """
    state = blake2b(label.encode("utf-8", "surrogatepass") + b"\0", key=key, digest_size=32)
    copy = state.copy
    # As bytes compare: the first eight of the digest against the limit, big-endian.
    below = limit.to_bytes(8, "big") if limit < ONE else b"\xff" * 33

    def draw(identity: str, n: int) -> bytes | None:
        state = copy()
        state.update(f"{identity}\0{n}".encode("utf-8", "surrogatepass"))
        digest = state.digest()
        return digest if digest < below else None

    return draw


def threshold(probability: float) -> int:
    """The number that bytes 0-7 must stay below to fire: 0 never does, 1 always."""
    return int(probability * ONE)


def choose(digest: bytes, count: int) -> int:
    """Choose an index below `count`, evenly."""
    return int.from_bytes(digest[8:16], "big") * count // ONE


class LogNormal(NamedTuple):
    """A delay whose logarithm is normally distributed.

    Attributes:
        median: half of the waits are shorter, seconds.
        sigma: the standard deviation of the logarithm.
    """

    median: float
    sigma: float


LONGEST_DELAY = 3600.0
"""The most seconds of a delay; a longer draw is cut to it."""


def delays(delay: tuple[float, float] | LogNormal) -> Callable[[bytes], float]:
    """A function from a digest to the seconds that a rule waits."""
    if isinstance(delay, LogNormal):
        from statistics import NormalDist  # loads much, and few rules need it

        exponent = NormalDist(0, delay.sigma).inv_cdf
        # As many bits as leave the share between 0 and 1.
        return lambda digest: min(
            LONGEST_DELAY,
            delay.median * exp(exponent(((int.from_bytes(digest[16:24], "big") >> 12) + 0.5) / 2**52)),
        )
    low, high = delay
    if low == high:
        return lambda _: low
    return lambda digest: low + (high - low) * (int.from_bytes(digest[16:24], "big") / ONE)


def stretched(digest: bytes, number: int) -> bytes:
    """64 more bytes of a match for each number, for `corrupt`, or for the ids of that outcome."""
    return blake2b(b"%b%d" % (digest[24:32], number)).digest()


def fails(digest: bytes, named: tuple[str, str | None], limit: int) -> bool:
    """Whether a key of a DeleteObjects, or a version of it, gets the error.

    Other keys beside it do not matter.

    Bytes 24-31 of the digest are stretched, as for the ids; the `person` keeps the numbers apart.
    Bytes 24-31 of the digest are stretched, as for the ids; the `person` keeps the numbers apart.
    """
    key, version = named
    text = key if version is None else f"{key}\0{version}"
    drawn = blake2b(
        digest[24:32] + text.encode("utf-8", "surrogatepass"), digest_size=8, person=b"faultinj-share"
    )
    return int.from_bytes(drawn.digest(), "big") < limit
