"""The way from a request to the few rules that may match it, whatever their number.

Every rule is filed under a literal that a matching request must show: the first whole segments of its path, its
bucket, its host, else its key, a header, a parameter or its operation. A rule without any is looked at for every
request of its methods, which its operations tell if it does not. A request is looked up only in the fields that
some rule is filed under. The index answers with a superset: rules that it leaves out cannot match, those that it
hands out are checked in full.
"""

from __future__ import annotations

import collections
from itertools import product
from typing import TYPE_CHECKING, Any

from faultinject.engine.request import ASGIRequest, Request, WSGIRequest
from faultinject.http.patterns import literal_prefix
from faultinject.vendors.addressing import (
    HOSTS_REMEMBERED,
    LONGEST_HOST,
    Addressing,
    split_mount,
    without_port,
)
from faultinject.vendors.vendor import Vendor

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from faultinject.engine.compiled_rule import Rule

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
    return [(Values, ((word, which), text)) for text in texts]


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
