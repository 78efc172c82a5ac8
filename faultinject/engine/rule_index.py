"""The way from a request to the few rules that may match it, whatever their number.

Every rule is filed under a literal that a request which matches it must show: the first whole segments of its path, its
bucket, its host, else its key, a header, a parameter or its operation. A rule without any is looked at for every request
of its methods, which its operations tell where it does not. A request is looked up in what some rule is filed under, and
in nothing else. The index answers with a superset: what it leaves out cannot match, what it hands out is checked in
full.
"""

from __future__ import annotations

from collections import Counter
from itertools import product

from faultinject.engine.request import ASGIRequest, WSGIRequest
from faultinject.http.patterns import literal_prefix
from faultinject.vendors.addressing import HOSTS_REMEMBERED, LONGEST_HOST, split_mount, without_port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from typing import Any

    from faultinject.engine.request import Request
    from faultinject.rules.rule import Rule
    from faultinject.vendors.addressing import Addressing
    from faultinject.vendors.vendor import Vendor

    Place = Mapping[str, Any]
    Found = Sequence[int] | None
    Finder = Callable[[Place], Found]
    # By a literal the numbers of the rules that have it, in the order written.
    Postings = dict[str | None, list[int]]
    Methods = dict[tuple[str, ...], frozenset[str]]

# More methods than this tell nothing apart, and each costs a node of its own.
_MOST_METHODS = 16
# Letters up to which a method is known in every mixture of cases; a longer one is also looked for among the others.
_ALL_CASES = 8
# Where more rules than this have a literal, another one of theirs may tell them apart.
_CROWDED = 8


class Interface:
    """Where a WSGI environ or an ASGI scope has what rules are filed under.

    Attributes:
        path: its key of the path.
        mount: its key of the mount point.
        split: mount point and path below it, from the values of the two.
        host: the raw Host header.
        view: the request as rules see it.
    """

    __slots__ = ("host", "mount", "path", "split", "view")

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
    """Both in the order written, each rule once."""
    return found if more is None else sorted({*found, *more})


def _put(postings: dict[Any, list[int]], literal: str | None, number: int) -> None:
    numbers = postings.setdefault(literal, [])
    if numbers[-1:] != [number]:
        numbers.append(number)


class Prefixes:
    """By the first segments of the path, also below the mount point: a tree; a node's rules stand under None."""

    __slots__ = ("_depth", "_root")

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
    """By the host, and, with a dot behind it, by its first label: virtual-host style, a bucket begins with it."""

    __slots__ = ("_postings",)

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
    """By whatever else a rule asks for by its very value: a function reads it off the request's view."""

    __slots__ = ("_read",)

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
    Facet = Prefixes | Hosts | Values
    # Literals of a rule, of which a request that matches it shows at least one.
    Handle = Sequence[tuple[type[Facet], Any]]

READS: dict[str, Callable[[Request, Any], Sequence[str | None]]] = {
    "bucket": lambda request, how: how.read_address(request)[:1],
    "key": lambda request, how: how.read_address(request)[1:],
    "operation": lambda request, how: (how.operation(request),),
    "header": lambda request, name: request.header(name),
    "query": lambda request, name: request.query_values(name),
}
"""What is read of a request: of bucket, key and operation `which` says how (`Addressing`), of the others it is the name."""


def _host_in_environ(environ: Place) -> str | None:
    return environ.get("HTTP_HOST")


def _host_in_scope(scope: Place) -> bytes | None:
    headers = scope["headers"]
    # Clients send Host first.
    if headers and headers[0][0] == b"host":
        first: bytes = headers[0][1]
        return first
    return next((value for name, value in headers if name == b"host"), None)


def _joined(mount: str, path: str) -> tuple[str, str]:
    return mount, path


ENVIRON = Interface("PATH_INFO", "SCRIPT_NAME", _joined, _host_in_environ, WSGIRequest)
SCOPE = Interface("path", "root_path", split_mount, _host_in_scope, ASGIRequest)


def shows(text: str) -> bool:
    """Whether a text of a path stands in what a server decoded, wherever it stands in the path that rules see.

    There `%2F` is kept apart, and what is no UTF-8 or no byte is replaced.
    """
    if not text.isascii() and any(each == "\ufffd" or "\ud800" <= each <= "\udfff" for each in text):
        return False
    return "?" not in text and ("%" not in text or "%2F" not in text.upper())


class Index:
    """All rules of a plan, filed.

    `environ` and `scope` give the finder of a method; the defaults serve the other methods, None where no rule
    is for them. A finder returns None when no rule can match.

    Args:
        rules: in the order written; what is found are their numbers.
        reading: how requests are read as a vendor's.
        record_all: find an empty sequence instead of None, so that every request is looked at.
        off: the numbers of rules that are left out.
    """

    __slots__ = ("environ", "environ_default", "scope", "scope_default")

    environ_default: Finder | None
    scope_default: Finder | None

    def __init__(
        self,
        rules: Sequence[Rule],
        reading: Callable[[Vendor | None], Addressing],
        *,
        record_all: bool = False,
        off: Collection[int] = (),
    ) -> None:
        known: Methods = {}
        kept: Sequence[int] = range(len(rules))
        if off:
            kept = [number for number in kept if number not in off]
        asked = [_methods(rules[number], reading, known) for number in kept]
        methods = {each for some in {*asked} if some for each in some}
        if len(methods) > _MOST_METHODS:
            methods = set()
        numbers: dict[str, list[int]] = {method: [] for method in methods}
        other: list[int] = []
        everywhere = [*numbers.values(), other]
        any_method = False
        long = {each for each in methods if len(each) > _ALL_CASES}
        for number, wanted in zip(kept, asked, strict=True):
            if wanted is None or not methods:
                any_method = True
                for each in everywhere:
                    each.append(number)
            else:
                for method in wanted:
                    numbers[method].append(number)
                if not long.isdisjoint(wanted):
                    any_method = True
                    other.append(number)

        def ready(find: Finder) -> Finder:
            return (lambda place: find(place) or ()) if record_all else find

        self.environ: dict[str, Finder] = {}
        self.scope: dict[str, Finder] = {}
        for method, some in numbers.items():
            node = Node(some, rules, reading)
            in_environ, in_scope = ready(node.finder(ENVIRON)), ready(node.finder(SCOPE))
            for spelling in _spellings(method):
                self.environ[spelling] = in_environ
                self.scope[spelling] = in_scope
        anything = any_method or record_all
        node = Node(other, rules, reading)
        self.environ_default = ready(node.finder(ENVIRON)) if anything else None
        self.scope_default = ready(node.finder(SCOPE)) if anything else None


def _methods(
    rule: Rule, reading: Callable[[Vendor | None], Addressing], known: Methods
) -> frozenset[str] | None:
    """The methods that a rule is for; None: any. `known` remembers those of texts: many rules have the same."""
    conditions = rule.conditions
    methods = None
    if "method" in conditions:
        texts = conditions["method"]
        if texts in known:
            methods = known[texts]
        elif not any("*" in each for each in texts):
            methods = known[texts] = frozenset(each.upper().removeprefix("=") for each in texts)
    if "operation" in conditions:
        operations = reading(rule.vendor).operations
        possible = operations.methods(operations.meant(conditions["operation"]))
        return possible if methods is None else methods & possible
    return methods


def _spellings(method: str) -> set[str]:
    """Every case of a method: the first look must be one look into a dict."""
    if len(method) > _ALL_CASES:
        return {method, method.lower(), method.title()}
    return {"".join(letters) for letters in product(*({each.upper(), each.lower()} for each in method))}


def _handles(rule: Rule, reading: Callable[[Vendor | None], Addressing]) -> Iterator[Handle]:
    """The literals of a rule; what costs a request least to be looked up by comes first."""
    conditions = rule.conditions
    prefixes = [_prefix(each) for each in conditions.get("path", ())]
    if prefixes and all(prefixes):
        yield [(Prefixes, each) for each in prefixes]
    addressed = "bucket" in conditions or "key" in conditions or "operation" in conditions
    how = reading(rule.vendor) if addressed else None
    buckets = _plain_literals(conditions.get("bucket", ()))
    if how is not None and buckets:
        if how.s3 and all(each.isascii() and shows(each) for each in buckets):
            # A Host is looked up by its first label, which may be but a part of the bucket's name.
            labels = [(Hosts, each.partition(".")[0] + ".") for each in buckets]
            yield [*((Prefixes, f"/{each}") for each in buckets), *labels]
        else:
            yield _values("bucket", how, buckets)
    hosts = _plain_literals(conditions.get("host", ()))
    if hosts and all(map(str.isascii, hosts)):
        yield [(Hosts, each.lower()) for each in hosts]
    if how is not None and "key" in conditions:
        keys = how.keys(conditions["key"])
        if not any(each[:1] != "=" and ("?" in each or each[-1] == "/") for each in keys):
            yield _values("key", how, _plain_literals(keys))
    for key, texts in conditions.items():
        word, _, name = key.partition(".")
        # Of a header that is not ASCII two readings are asked.
        if word == "query" or (word == "header" and all(map(str.isascii, texts))):
            yield _values(word, name, () if "" in texts else _plain_literals(texts))
    if how is not None and "operation" in conditions:
        yield _values("operation", how, tuple(how.operations.meant(conditions["operation"])))


def _values(word: str, which: Any, texts: Sequence[str]) -> Handle:
    return [(Values, ((word, which), each)) for each in texts]


def _plain_literals(texts: Sequence[str]) -> Sequence[str]:
    """What patterns in which `*` matches anything stand for; nothing where one of them has a `*`."""
    if any("*" in each and each[:1] != "=" for each in texts):
        return ()
    return [each.removeprefix("=") for each in texts]


def _prefix(pattern: str) -> str:
    """The whole segments that a path pattern begins with, as far as they show in what a server decoded."""
    prefix = literal_prefix(pattern)[0]
    return prefix if shows(prefix) else ""


class Node:
    """Rules, each filed under the literals of one of its handles.

    Args:
        numbers: the rules' numbers, in the order written.
        rules: all rules.
        reading: how requests are read as a vendor's.
    """

    __slots__ = ("_always", "_facets")

    def __init__(
        self,
        numbers: Sequence[int],
        rules: Sequence[Rule],
        reading: Callable[[Vendor | None], Addressing],
    ) -> None:
        self._always: list[int] = []
        self._facets: dict[type[Facet], Facet] = {}
        chosen = _chosen({number: _handles(rules[number], reading) for number in numbers})
        for number in numbers:
            if number not in chosen:
                self._always.append(number)
                continue
            for kind, literal in chosen[number]:
                if kind not in self._facets:
                    self._facets[kind] = kind()
                self._facets[kind].file(literal, number)

    def finder(self, on: Interface) -> Finder:
        """A function from an environ or a scope to the rules that may match."""
        always = self._always or None
        looks = [facet.look(on) for facet in self._facets.values()]
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


def _chosen(handles: dict[int, Iterator[Handle]]) -> dict[int, Handle]:
    """For each rule the first handle whose literals few others have, else its first; nothing of a rule without one.

    Args:
        handles: of each rule by its number; they are used up as far as is needed.
    """
    chosen: dict[int, Handle] = {}
    while handles:
        tried = {
            number: found for number, each in handles.items() if (found := next(filter(None, each), None))
        }
        sizes = Counter(literal for handle in tried.values() for literal in handle)
        crowded = {literal for literal, size in sizes.items() if size > _CROWDED}
        for number, handle in tried.items():
            if crowded.isdisjoint(handle):
                del handles[number]
                chosen[number] = handle
            else:
                chosen.setdefault(number, handle)
        handles = {number: handles[number] for number in tried if number in handles}
    return chosen
