"""The way from a request to the few rules that may match it, whatever their number.

A rule is filed under one literal of its conditions: a path's leading whole segments, else a bucket, else a host, else
its operations; a rule without one is looked at for every request of its methods, which its operations tell where it
does not. The index answers with a superset: what it leaves out cannot match, what it hands out is checked in full.
"""

from __future__ import annotations

from itertools import product

from faultinject.engine.request import ASGIRequest, WSGIRequest
from faultinject.http.patterns import literal_prefix
from faultinject.vendors.addressing import HOSTS_REMEMBERED, LONGEST_HOST, split_mount, without_port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from faultinject.engine.compiled_rule import RuleLike
    from faultinject.vendors.addressing import Addressing
    from faultinject.vendors.vendor import Vendor

    Asked = dict[tuple[str, ...], frozenset[str]]
    Filed = tuple[Addressing | None, frozenset[str], frozenset[str] | None]
    from collections.abc import Iterable, Mapping
    from typing import Any

    from faultinject.engine.request import Request
    from faultinject.vendors.addressing import Addressing

    Found = Sequence[int] | None
    Finder = Callable[[Mapping[str, Any]], Found]
    Names = dict[str, list[int]]

# More methods than this tell nothing apart, and each costs a shelf of its own.
_MOST_METHODS = 16
# Letters up to which a method is known in every mixture of cases; a longer one is also looked for among the others.
_ALL_CASES = 8
_NONE: frozenset[str] = frozenset()


class Index:
    """All rules of a plan, filed.

    `environ` and `scope` give the finder of a method; the defaults serve the other methods, None where no rule
    is for them. A finder returns None when no rule can match.

    Args:
        rules: in the order written; what is found are their numbers.
        reading: how requests are read as a vendor's.
        record_all: find an empty sequence instead of None, so that every request is looked at.
    """

    __slots__ = ("environ", "environ_default", "scope", "scope_default")

    environ_default: Finder | None
    scope_default: Finder | None

    def __init__(
        self,
        rules: Sequence[RuleLike],
        reading: Callable[[Vendor | None], Addressing],
        *,
        record_all: bool = False,
    ) -> None:
        known: Asked = {}
        filed = [_read(rule, reading, known) for rule in rules]
        methods = {each for asked in {each[2] for each in filed} if asked for each in asked}
        if len(methods) > _MOST_METHODS:
            methods = set()
        shelves = {method: Shelf() for method in methods}
        other = Shelf()
        all_shelves = [*shelves.values(), other]
        any_method = False
        long = {each for each in methods if len(each) > _ALL_CASES}
        for number, (rule, (how, operations, asked)) in enumerate(zip(rules, filed, strict=True)):
            if asked is None or not methods:
                any_method = True
                for shelf in all_shelves:
                    shelf.file(number, rule, how, operations)
            else:
                for method in asked:
                    shelves[method].file(number, rule, how, operations)
                if not long.isdisjoint(asked):
                    any_method = True
                    other.file(number, rule, how, operations)
        ready = _never_nothing if record_all else _as_it_is
        self.environ: dict[str, Finder] = {}
        self.scope: dict[str, Finder] = {}
        for method, shelf in shelves.items():
            in_environ, in_scope = ready(shelf.in_environ()), ready(shelf.in_scope())
            for spelling in _spellings(method):
                self.environ[spelling] = in_environ
                self.scope[spelling] = in_scope
        anything = any_method or record_all
        self.environ_default = ready(other.in_environ()) if anything else None
        self.scope_default = ready(other.in_scope()) if anything else None


def _read(rule: RuleLike, reading: Callable[[Vendor | None], Addressing], asked: Asked) -> Filed:
    """How a rule reads requests, where that matters, and the operations and methods that it is for; None: any.

    `asked` remembers the methods of texts: many rules have the same.
    """
    conditions = rule.conditions
    methods = None
    if "method" in conditions:
        texts = conditions["method"]
        if texts in asked:
            methods = asked[texts]
        elif not any("*" in each for each in texts):
            methods = asked[texts] = frozenset(each.upper().removeprefix("=") for each in texts)
    if "operation" in conditions:
        how = reading(rule.vendor)
        operations = how.operations.meant(conditions["operation"])
        possible = how.operations.methods(operations)
        return how, operations, possible if methods is None else methods & possible
    return (reading(rule.vendor) if "bucket" in conditions else None), _NONE, methods


def _as_it_is(find: Finder) -> Finder:
    return find


def _never_nothing(find: Finder) -> Finder:
    return lambda request: find(request) or ()


def _spellings(method: str) -> set[str]:
    """Every case of a method: the first look must be one look into a dict."""
    if len(method) > _ALL_CASES:
        return {method, method.lower(), method.title()}
    return {"".join(letters) for letters in product(*({each.upper(), each.lower()} for each in method))}


class Shelf:
    """The rules of one method, filed by the first literal of their conditions.

    `paths` is a tree of segments; a node's rules stand under None. `buckets` and `hosts` are of the S3 way, where the
    bucket is the first segment or the first label; what other services have elsewhere, and operations, `read` has: by
    the reading of the rule.
    """

    __slots__ = ("_by_host", "_dotted", "always", "buckets", "depth", "hosts", "paths", "read")

    def __init__(self) -> None:
        self.paths: dict[str | None, Any] = {}
        self.depth = 0
        self.buckets: dict[str, list[int]] = {}
        self.hosts: dict[str, list[int]] = {}
        self.always: list[int] = []
        self.read: dict[Addressing, tuple[Names, Names]] = {}
        self._dotted: dict[str, list[int]] = {}
        self._by_host: dict[str | bytes | None, list[int] | None] = {}

    def file(
        self, number: int, rule: RuleLike, reading: Addressing | None, operations: Iterable[str]
    ) -> None:
        """Add a rule under the first literal that its conditions give.

        Args:
            number: the rule's.
            rule: the rule.
            reading: how it reads bucket and operation; needed where its conditions ask for one of them.
            operations: those that it is for; empty where it does not say.
        """
        conditions = rule.conditions
        if "path" in conditions and self._file_paths(number, conditions["path"]):
            return
        if reading is not None and not reading.s3:
            if self._file_read(number, reading, conditions, operations):
                return
        elif "bucket" in conditions and _file_names(number, self.buckets, conditions["bucket"]):
            # A Host is looked up by its first label, which may be but a part of the bucket's name.
            for name in conditions["bucket"]:
                if "." in name:
                    self._dotted.setdefault(name.removeprefix("=").partition(".")[0], []).append(number)
            return
        if "host" in conditions and _file_names(number, self.hosts, map(str.lower, conditions["host"])):
            return
        if reading is None or not self._file_read(number, reading, {}, operations):
            self.always.append(number)

    def _file_read(
        self,
        number: int,
        reading: Addressing,
        conditions: Mapping[str, tuple[str, ...]],
        operations: Iterable[str],
    ) -> bool:
        """File a rule under what its reading says of a request."""
        buckets, named = self.read.setdefault(reading, ({}, {}))
        if "bucket" in conditions and _file_names(number, buckets, conditions["bucket"]):
            return True
        for each in operations:
            named.setdefault(each, []).append(number)
        return bool(operations)

    def _file_paths(self, number: int, patterns: Iterable[str]) -> bool:
        prefixes = [literal_prefix(pattern)[0] for pattern in patterns]
        if not all(prefixes) or any("%2F" in each.upper() or "\ufffd" in each for each in prefixes):
            return False
        for prefix in prefixes:
            # A WSGI server hands UTF-8 out as Latin-1, an ASGI server decoded.
            forms = {prefix} if prefix.isascii() else {prefix, prefix.encode().decode("latin-1")}
            for form in forms:
                segments = form.split("/")[1:]
                self.depth = max(self.depth, len(segments))
                node = self.paths
                for segment in segments:
                    node = node.setdefault(segment, {})
                rules = node.setdefault(None, [])
                if rules[-1:] != [number]:
                    rules.append(number)
        return True

    def by_host(self, raw: str | bytes | None) -> list[int] | None:
        """The rules filed under a raw Host header's host or, virtual-host style, its bucket."""
        host = without_port((raw.decode("latin-1") if isinstance(raw, bytes) else raw) or "")
        label = host.partition(".")[0]
        shelves = (self.hosts.get(host, ()), self.buckets.get(label, ()), self._dotted.get(label, ()))
        found = sorted({number for shelf in shelves for number in shelf})
        if raw is None or len(raw) <= LONGEST_HOST:
            if len(self._by_host) >= HOSTS_REMEMBERED:
                self._by_host.clear()
            self._by_host[raw] = found or None
        return found or None

    def in_environ(self) -> Finder:
        """A function from a WSGI environ to the rules that may match."""
        root, parts, always = self.paths, self.depth + 1, self.always or None
        buckets, remembered, by_host = self.buckets, self._by_host, self.by_host

        def by_path(environ: Mapping[str, Any]) -> Found:
            path = environ.get("PATH_INFO", "")
            if environ.get("SCRIPT_NAME"):
                path = environ["SCRIPT_NAME"] + path
            segments = path.split("/", parts)
            node = root.get(segments[1]) if len(segments) > 1 else None
            if node is None:
                return always
            found = node.get(None)
            for segment in segments[2:]:
                node = node.get(segment)
                if node is None:
                    break
                if None in node:
                    found = _together(node[None], found)
            return always if found is None else _together(found, always) if always else found

        def by_name(environ: Mapping[str, Any]) -> Found:
            found = by_path(environ) if root else always
            if buckets:
                path = environ.get("PATH_INFO", "")
                end = path.find("/", 1)
                hit = buckets.get(path[1:end] if end > 0 else path[1:])
                if hit is not None:
                    found = _together(hit, found)
            host = environ.get("HTTP_HOST")
            hit = remembered[host] if host in remembered else by_host(host)
            return found if hit is None else _together(hit, found)

        return self._finder(by_path, by_name, WSGIRequest)

    def in_scope(self) -> Finder:
        """A function from an ASGI HTTP scope to the rules that may match."""
        root, parts, always = self.paths, self.depth + 1, self.always or None
        buckets, remembered, by_host = self.buckets, self._by_host, self.by_host

        def by_path(scope: Mapping[str, Any]) -> Found:
            path = scope["path"]
            if scope.get("root_path"):
                path = "".join(split_mount(scope["root_path"], path))
            segments = path.split("/", parts)
            node = root.get(segments[1]) if len(segments) > 1 else None
            if node is None:
                return always
            found = node.get(None)
            for segment in segments[2:]:
                node = node.get(segment)
                if node is None:
                    break
                if None in node:
                    found = _together(node[None], found)
            return always if found is None else _together(found, always) if always else found

        def by_name(scope: Mapping[str, Any]) -> Found:
            found = by_path(scope) if root else always
            if buckets:
                path = scope["path"]
                if scope.get("root_path"):
                    _, path = split_mount(scope["root_path"], path)
                end = path.find("/", 1)
                hit = buckets.get(path[1:end] if end > 0 else path[1:])
                if hit is not None:
                    found = _together(hit, found)
            headers = scope["headers"]
            # Clients send Host first.
            host = headers[0][1] if headers and headers[0][0] == b"host" else _host(headers)
            hit = remembered[host] if host in remembered else by_host(host)
            return found if hit is None else _together(hit, found)

        return self._finder(by_path, by_name, ASGIRequest)

    def _finder(
        self, by_path: Finder, by_name: Finder, view: Callable[[Mapping[str, Any]], Request]
    ) -> Finder:
        always = self.always or None
        find: Finder = by_path if self.paths else lambda _: always
        if self.buckets or self.hosts:
            find = by_name
        read = [(reading, *names) for reading, names in self.read.items() if any(names)]
        if not read:
            return find

        def by_reading(place: Mapping[str, Any]) -> Found:
            found = find(place)
            request = view(place)
            for reading, buckets, operations in read:
                if buckets and (hit := buckets.get(reading.read_address(request)[0] or "")) is not None:
                    found = _together(hit, found)
                if operations and (hit := operations.get(reading.operation(request) or "")) is not None:
                    found = _together(hit, found)
            return found

        return by_reading


def _host(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    return next((value for name, value in headers if name == b"host"), None)


def _together(found: list[int], more: Found) -> list[int]:
    """Both in the order written, each rule once."""
    return sorted({*found, *more}) if more else found


def _file_names(number: int, names: dict[str, list[int]], patterns: Iterable[str]) -> bool:
    given = list(patterns)
    if any("*" in each and each[:1] != "=" for each in given):
        return False
    literals = [each[1:] if each[:1] == "=" else each for each in given]
    if any(not each or "%" in each or not each.isascii() for each in literals):
        return False
    for literal in literals:
        rules = names.setdefault(literal, [])
        if rules[-1:] != [number]:
            rules.append(number)
    return True
