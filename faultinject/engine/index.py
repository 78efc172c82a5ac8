"""The index: it finds the few rules that may match a request, however many rules there are.

A rule is filed under a literal that a matching request must have. A literal belongs to one of these fields, in the
order of their cost: the first whole segments of the path, the bucket, the host, the key, a header or parameter, the
operation. A rule without a literal is a candidate for every request with one of its methods: those of its `method` and
of its operations. A request is looked up only in the fields under which some rule is filed. The result is a superset: a
rule that is missing cannot match, and the others are tested in full afterwards.
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
    RawRequest = Mapping[str, Any]
    # The numbers of the rules that may match, in the order written; None if no rule may.
    Candidates = Sequence[int] | None
    Finder = Callable[[RawRequest], Candidates]
    # A finder for each method that a rule names, and one for all other methods, or None.
    Finders = tuple[dict[str, Finder], Finder | None]
    # For each literal the numbers of the rules that have it, in the order written.
    Postings = dict[str | None, list[int]]
    Methods = dict[tuple[str, ...], frozenset[str]]


# With more methods than this the index does not distinguish methods: each would cost a `Node` of its own.
_MOST_METHODS = 16
# The most letters of a method that gets an entry for each mixture of upper and lower case. A rule with a longer method
# is also filed for all other methods, where the remaining mixtures are found.
_ALL_CASES = 8
# If more rules than this share a literal, another field may distinguish them better.
_OVERFULL = 8


class Interface:
    """The keys and functions by which the index reads a WSGI environ or an ASGI scope.

    Attributes:
        path: the key of the path.
        mount: the key of the mount point.
        split: makes, from the two values, the mount point and the path below it.
        host: gets the raw Host header.
        view: makes the request as rules see it.
    """

    def __init__(
        self,
        path: str,
        mount: str,
        split: Callable[[str, str], tuple[str, str]],
        host: Callable[[RawRequest], str | bytes | None],
        view: Callable[[RawRequest], Request],
    ) -> None:
        self.path, self.mount, self.split, self.host, self.view = path, mount, split, host, view

    def paths(self, raw_request: RawRequest) -> tuple[str, str]:
        """The whole path and the path below the mount point, as the server decoded them."""
        mount, below = self.split(raw_request[self.mount], raw_request.get(self.path, ""))
        if below[:1] in ("/", ""):
            return mount + below, below
        request = self.view(raw_request)
        return request.path, request.below


def union(candidates: Sequence[int], more: Candidates) -> Sequence[int]:
    """The union of both, in the order written."""
    return candidates if more is None else sorted({*candidates, *more})


def _put(postings: dict[Any, list[int]], literal: str | None, number: int) -> None:
    numbers = postings.setdefault(literal, [])
    if numbers[-1:] != [number]:
        numbers.append(number)


class Prefixes:
    """Finds rules by the first segments of the path, also of the path below the mount point.

    The segments are a tree of dicts; the key None of a node has the rules whose prefix ends there.
    """

    def __init__(self) -> None:
        self._root: dict[str | None, Any] = {}
        self._depth = 0

    def file(self, literal: str, number: int) -> None:
        """Add a rule."""
        # WSGI servers decode the bytes of UTF-8 as Latin-1.
        forms = (literal,) if literal.isascii() else (literal, literal.encode().decode("latin-1"))
        for form in forms:
            segments = form.split("/")[1:]
            self._depth = max(self._depth, len(segments))
            node = self._root
            for segment in segments:
                node = node.setdefault(segment, {})
            _put(node, None, number)

    def finder(self, interface: Interface) -> Finder:
        """A function from an environ or a scope to the rules that may match."""
        root, parts, path_key, mount_key = self._root, self._depth + 1, interface.path, interface.mount

        def by_prefix(raw_request: RawRequest, path: str | None = None) -> Candidates:
            if path is None:
                if raw_request.get(mount_key):
                    return mounted(raw_request)
                path = raw_request.get(path_key, "")
            segments = path.split("/", parts)
            node = root.get(segments[1]) if len(segments) > 1 else None
            if node is None:
                return None
            candidates: Candidates = node.get(None)
            for segment in segments[2:]:
                node = node.get(segment)
                if node is None:
                    break
                if None in node:
                    candidates = union(node[None], candidates)
            return candidates

        def mounted(raw_request: RawRequest) -> Candidates:
            path, below = interface.paths(raw_request)
            candidates, more = by_prefix(raw_request, path), by_prefix(raw_request, below)
            return candidates if more is None else union(more, candidates)

        return by_prefix


class Hosts:
    """Finds rules by the host, and by its first label with a dot after it.

    In virtual-host style the name of the bucket begins with that label.
    """

    def __init__(self) -> None:
        self._postings: Postings = {}

    def file(self, literal: str, number: int) -> None:
        """Add a rule."""
        _put(self._postings, literal, number)

    def finder(self, interface: Interface) -> Finder:
        """A function from an environ or a scope to the rules that may match."""
        postings, raw_host = self._postings, interface.host
        remembered: dict[str | bytes | None, list[int]] = {}

        def learn(raw: str | bytes | None) -> list[int]:
            host = without_port((raw.decode("latin-1") if isinstance(raw, bytes) else raw) or "")
            candidates = sorted({*postings.get(host, ()), *postings.get(host.partition(".")[0] + ".", ())})
            if raw is None or len(raw) <= LONGEST_HOST:
                if len(remembered) >= HOSTS_REMEMBERED:
                    remembered.clear()
                remembered[raw] = candidates
            return candidates

        def by_host(raw_request: RawRequest) -> Candidates:
            raw = raw_host(raw_request)
            candidates = remembered.get(raw)
            return (learn(raw) if candidates is None else candidates) or None

        return by_host


class Values:
    """Finds rules by any other value, which the request's view reads."""

    def __init__(self) -> None:
        self._fields: dict[tuple[str, Any], Postings] = {}

    def file(self, literal: tuple[tuple[str, Any], str], number: int) -> None:
        """Add a rule."""
        field, value = literal
        _put(self._fields.setdefault(field, {}), value, number)

    def finder(self, interface: Interface) -> Finder:
        """A function from an environ or a scope to the rules that may match."""
        view = interface.view
        reads = [(READS[word], argument, postings) for (word, argument), postings in self._fields.items()]

        def by_value(raw_request: RawRequest) -> Candidates:
            candidates: Candidates = None
            request = view(raw_request)
            for read, argument, postings in reads:
                for value in read(request, argument):
                    if value in postings:
                        candidates = union(postings[value], candidates)
            return candidates

        return by_value


if TYPE_CHECKING:
    IndexedField = Prefixes | Hosts | Values
    # Literals of a rule: a request that matches it has at least one of them.
    Literals = Sequence[tuple[type[IndexedField], Any]]


READS: dict[str, Callable[[Request, Any], Sequence[str | None]]] = {
    "bucket": lambda request, addressing: addressing.read_address(request)[:1],
    "key": lambda request, addressing: addressing.read_address(request)[1:],
    "operation": lambda request, addressing: (addressing.operation(request),),
    "header": lambda request, name: request.header(name),
    "query": lambda request, name: request.query_values(name),
}
"""Readers of a request's values.

For bucket, key and operation the second argument is an `Addressing`, for headers and parameters the name.
"""


def _host_in_scope(scope: RawRequest) -> bytes | None:
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
    """Whether a part of a path is the same for rules as in the path that a server has decoded.

    The two may differ, as rules see `%2F` undecoded, and U+FFFD in place of bytes that are no UTF-8.
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

    A finder returns None if no rule can match.

    Args:
        rules: the rules in the order written; finders return their positions.
        reading: makes the reading for a vendor.
        record_all: whether finders return an empty sequence instead of None, so that every request is recorded.
        off: the numbers of the rules that are switched off.
    """
    methods_of_texts: Methods = {}
    enabled: Sequence[int] = range(len(rules))
    if off:
        enabled = [number for number in enabled if number not in off]
    methods_of_rules = [_methods(rules[number], reading, methods_of_texts) for number in enabled]
    methods = {method for of_rule in {*methods_of_rules} if of_rule for method in of_rule}
    if len(methods) > _MOST_METHODS:
        methods = set()
    numbers: dict[str, list[int]] = {method: [] for method in methods}
    other: list[int] = []
    everywhere = [*numbers.values(), other]
    any_method = False
    long = {method for method in methods if len(method) > _ALL_CASES}
    for number, of_rule in zip(enabled, methods_of_rules, strict=True):
        if of_rule is None or not methods:
            any_method = True
            for filed in everywhere:
                filed.append(number)
        else:
            for method in of_rule:
                numbers[method].append(number)
            if not long.isdisjoint(of_rule):
                any_method = True
                other.append(number)

    def complete(find: Finder) -> Finder:
        return (lambda raw_request: find(raw_request) or ()) if record_all else find

    environ: dict[str, Finder] = {}
    scope: dict[str, Finder] = {}
    for method, of_method in numbers.items():
        node, spellings = Node(of_method, rules, reading), _spellings(method)
        environ.update(dict.fromkeys(spellings, complete(node.finder(ENVIRON))))
        scope.update(dict.fromkeys(spellings, complete(node.finder(SCOPE))))
    if not (any_method or record_all):
        return (environ, None), (scope, None)
    node = Node(other, rules, reading)
    return (environ, complete(node.finder(ENVIRON))), (scope, complete(node.finder(SCOPE)))


def _methods(
    rule: Rule, reading: Callable[[Vendor | None], Addressing], methods_of_texts: Methods
) -> frozenset[str] | None:
    """The methods that a rule is for; None: any.

    `methods_of_texts` caches the methods of a condition's texts, as many rules have the same texts.
    """
    conditions = rule.conditions
    methods = None
    if "method" in conditions:
        texts = conditions["method"]
        if texts in methods_of_texts:
            methods = methods_of_texts[texts]
        elif not any("*" in text for text in texts):
            methods = methods_of_texts[texts] = frozenset(text.upper().removeprefix("=") for text in texts)
    if "operation" in conditions:
        operations = reading(rule.vendor).operations
        possible = operations.methods(operations.recognised_for(conditions["operation"]))
        return possible if methods is None else methods & possible
    return methods


def _spellings(method: str) -> set[str]:
    """All mixtures of upper and lower case, so that one look into a dict finds a method."""
    if len(method) > _ALL_CASES:
        return {method, method.lower(), method.title()}
    return {"".join(letters) for letters in product(*({sign.upper(), sign.lower()} for sign in method))}


def _literals(rule: Rule, reading: Callable[[Vendor | None], Addressing]) -> Iterator[Literals]:
    """The literals of a rule by field, beginning with the field that is cheapest to look up."""
    conditions = rule.conditions
    prefixes = [_prefix(path) for path in conditions.get("path", ())]
    if prefixes and all(prefixes):
        yield [(Prefixes, prefix) for prefix in prefixes]
    addressed = "bucket" in conditions or "key" in conditions or "operation" in conditions
    addressing = reading(rule.vendor) if addressed else None
    buckets = _plain_literals(conditions.get("bucket", ()))
    if addressing is not None and buckets:
        if addressing.s3 and all(bucket.isascii() and survives_decoding(bucket) for bucket in buckets):
            # `Hosts` looks up the first label of a Host, which may be only a part of the bucket's name.
            labels = [(Hosts, bucket.partition(".")[0] + ".") for bucket in buckets]
            yield [*((Prefixes, f"/{bucket}") for bucket in buckets), *labels]
        else:
            yield _values("bucket", addressing, buckets)
    hosts = _plain_literals(conditions.get("host", ()))
    if hosts and all(map(str.isascii, hosts)):
        yield [(Hosts, host.lower()) for host in hosts]
    if addressing is not None and "key" in conditions:
        keys = addressing.keys(conditions["key"])
        if not any(text[:1] != "=" and ("?" in text or text[-1] == "/") for text in keys):
            yield _values("key", addressing, _plain_literals(keys))
    for key, texts in conditions.items():
        word, _, name = key.partition(".")
        # A rule matches a header beyond ASCII in UTF-8 and in Latin-1, but the view reads only Latin-1: no literal.
        if word == "query" or (word == "header" and all(map(str.isascii, texts))):
            yield _values(word, name, () if "" in texts else _plain_literals(texts))
    if addressing is not None and "operation" in conditions:
        operations = addressing.operations.recognised_for(conditions["operation"])
        yield _values("operation", addressing, tuple(operations))


def _values(word: str, argument: Any, texts: Sequence[str]) -> Literals:
    return [(Values, ((word, argument), text)) for text in texts]


def _plain_literals(texts: Sequence[str]) -> Sequence[str]:
    """The literal texts of patterns; none if a pattern has a `*`, which matches anything."""
    if any("*" in text and text[:1] != "=" for text in texts):
        return ()
    return [text.removeprefix("=") for text in texts]


def _prefix(pattern: str) -> str:
    """The whole segments at the start of a path pattern; empty if a server may decode them."""
    prefix = literal_prefix(pattern)[0]
    return prefix if survives_decoding(prefix) else ""


class Node:
    """Rules, each filed under its literals of one field.

    Args:
        numbers: the numbers of its rules, in the order written.
        rules: all rules.
        reading: makes the reading for a vendor.
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

    def finder(self, interface: Interface) -> Finder:
        """A function from an environ or a scope to the rules that may match."""
        always = self._always or None
        finders = [field.finder(interface) for field in self._fields.values()]
        if not finders:
            return lambda _: always
        if len(finders) == 1 and not always:
            return finders[0]
        # Most scenarios have one or two fields, for which no loop runs.
        if len(finders) == 2 and not always:
            first, second = finders

            def by_both(raw_request: RawRequest) -> Candidates:
                candidates, more = first(raw_request), second(raw_request)
                return candidates if more is None else union(more, candidates)

            return by_both

        def by_all(raw_request: RawRequest) -> Candidates:
            candidates: Candidates = always
            for find in finders:
                more = find(raw_request)
                if more is not None:
                    candidates = union(more, candidates)
            return candidates

        return by_all


def _chosen(offered: dict[int, Iterator[Literals]]) -> dict[int, Literals]:
    """Choose a field for each rule: its first with rare literals, otherwise its first.

    A literal is rare if at most `_OVERFULL` rules share it. Each round tries the next field of the rules that have
    none yet. A rule without literals is missing in the result.

    Args:
        offered: the literals of each rule, field by field, by the rule's number.
    """
    chosen: dict[int, Literals] = {}
    while offered:
        tried = {
            number: literals
            for number, fields in offered.items()
            if (literals := next(filter(None, fields), None))
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
