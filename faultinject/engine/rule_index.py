"""The way from a request to the few rules that may match it, whatever their number.

Every rule is filed under a literal that a request which matches it must show: the first whole segments of its path, its
bucket, its host, another segment, a header, a parameter, its key or its operation. Where many rules have the same
literal, they are filed once more among themselves, under another literal of theirs. A rule without any is looked at for
every request of its methods, which its operations tell where it does not. A request is looked up in what some rule is
filed under, and in nothing else. The index answers with a superset: what it leaves out cannot match, what it hands out
is checked in full.
"""

from __future__ import annotations

from itertools import product

from faultinject.engine.facets import (
    ENVIRON,
    SCOPE,
    Addresses,
    Ends,
    Headers,
    Hosts,
    Parameters,
    Prefixes,
    Segments,
    shows,
    together,
)
from faultinject.http.patterns import literal_prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from typing import Any

    from faultinject.engine.facets import Crowded, Facet, Finder, Found, Interface, Place
    from faultinject.rules.rule import Rule
    from faultinject.vendors.addressing import Addressing
    from faultinject.vendors.vendor import Vendor

    # Literals of a rule, of which a request that matches it shows at least one.
    Handle = Iterable[tuple[type["Facet"], Any]]
    Methods = dict[tuple[str, ...], frozenset[str]]

# More methods than this tell nothing apart, and each costs a node of its own.
_MOST_METHODS = 16
# Letters up to which a method is known in every mixture of cases; a longer one is also looked for among the others.
_ALL_CASES = 8
# Segments of a pattern that its rule may be filed under.
_MOST_SEGMENTS = 4


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

        crowded: dict[int, list[Handle]] = {}

        def handle(number: int, depth: int) -> Handle | None:
            if depth == 0:
                return next(_handles(rules[number], reading), None)
            if number not in crowded:
                crowded[number] = list(_handles(rules[number], reading))
            return crowded[number][depth] if depth < len(crowded[number]) else None

        ready = _never_nothing if record_all else _as_it_is
        self.environ: dict[str, Finder] = {}
        self.scope: dict[str, Finder] = {}
        for method, some in numbers.items():
            node = Node(some, handle)
            in_environ, in_scope = ready(node.finder(ENVIRON)), ready(node.finder(SCOPE))
            for spelling in _spellings(method):
                self.environ[spelling] = in_environ
                self.scope[spelling] = in_scope
        anything = any_method or record_all
        node = Node(other, handle)
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


def _as_it_is(find: Finder) -> Finder:
    return find


def _never_nothing(find: Finder) -> Finder:
    return lambda place: find(place) or ()


def _spellings(method: str) -> set[str]:
    """Every case of a method: the first look must be one look into a dict."""
    if len(method) > _ALL_CASES:
        return {method, method.lower(), method.title()}
    return {"".join(letters) for letters in product(*({each.upper(), each.lower()} for each in method))}


def _handles(rule: Rule, reading: Callable[[Vendor | None], Addressing]) -> Iterator[Handle]:
    """The literals of a rule; what costs a request least to be looked up by comes first."""
    conditions = rule.conditions
    how = None
    paths = conditions.get("path", ())
    prefixes = [_prefix(each) for each in paths]
    if not all(prefixes):
        prefixes = []
    if prefixes:
        yield [(Prefixes, each) for each in prefixes]
    if "bucket" in conditions or "key" in conditions or "operation" in conditions:
        how = reading(rule.vendor)
    buckets = _plain_literals(conditions.get("bucket", ()))
    in_path = how is not None and how.s3
    named = in_path and bool(buckets) and all(each.isascii() and shows(each) for each in buckets)
    if named:
        # A Host is looked up by its first label, which may be but a part of the bucket's name.
        labels = [(Hosts, each.partition(".")[0] + ".") for each in buckets]
        yield [*((Prefixes, f"/{each}") for each in buckets), *labels]
    hosts = _plain_literals(conditions.get("host", ()))
    if hosts and all(map(str.isascii, hosts)):
        yield [(Hosts, each.lower()) for each in hosts]
    if paths:
        # What belongs to a prefix tells no more.
        behind = [each.count("/") for each in prefixes] or [0] * len(paths)
        yield from _by_segments([_segments(*each) for each in zip(paths, behind, strict=True)])
    keys = how.keys(conditions.get("key", ())) if how is not None else ()
    if keys and in_path:
        yield from _by_segments([_segments(each) for each in keys])
    for kind, word in ((Headers, "header."), (Parameters, "query.")):
        for key, texts in conditions.items():
            if key.startswith(word):
                # Whatever value is asked for, the name must be there.
                values: Sequence[str | None] = _plain_literals(texts) if "" not in texts else ()
                yield [(kind, (key[len(word) :], each)) for each in values or (None,)]
    if sampled := [each.rpartition(":")[0].partition(".") for each in conditions.get("sample", ())]:
        kinds = {"header": Headers, "query": Parameters}
        if all(word in kinds for word, _, _ in sampled):
            # Without the thing nobody is chosen; with an empty one neither, which is looked at then.
            yield [(kinds[word], (name, None)) for word, _, name in sampled]
    if how is not None:
        if buckets and not named:
            yield [(Addresses, (how, 0, each)) for each in buckets]
        literal = _plain_literals(keys)
        if literal and not any(each[:1] != "=" and ("?" in each or each[-1] == "/") for each in keys):
            yield [(Addresses, (how, 1, each)) for each in literal]
        if "operation" in conditions:
            meant = how.operations.meant(conditions["operation"])
            yield [(Addresses, (how, 2, each)) for each in meant]


def _plain_literals(texts: Sequence[str]) -> Sequence[str]:
    """What patterns in which `*` matches anything stand for; nothing where one of them has a `*`."""
    if any("*" in each and each[:1] != "=" for each in texts):
        return ()
    return [each.removeprefix("=") for each in texts]


def _prefix(pattern: str) -> str:
    """The whole segments that a path pattern begins with, as far as they show in what a server decoded."""
    prefix = literal_prefix(pattern)[0]
    return prefix if shows(prefix) else ""


def _by_segments(found: Sequence[list[tuple[type[Facet], str]]]) -> Iterator[Handle]:
    """One segment of each pattern at a time."""
    if all(found):
        for depth in range(min(max(map(len, found)), _MOST_SEGMENTS)):
            yield [each[min(depth, len(each) - 1)] for each in found]


def _segments(pattern: str, behind: int = 0) -> list[tuple[type[Facet], str]]:
    """The literal segments of a path pattern behind its first few, from the end."""
    exactly = pattern[:1] == "="
    segments = pattern.removeprefix("=").removeprefix("/").split("/")[behind:]
    fixed = [each for each in segments if each and shows(each) and (exactly or "*" not in each)]
    found: list[tuple[type[Facet], str]] = [(Segments, each) for each in reversed(fixed)]
    if fixed and fixed[-1] == segments[-1]:
        found[0] = (Ends, fixed[-1])
    return found


class Node:
    """Rules, each filed under one handle of its own.

    Args:
        numbers: the rules' numbers, in the order written.
        handle: the handles of a rule, by its number and from 0; None when there are no more.
        depth: which handle is meant.
    """

    __slots__ = ("_always", "_facets", "_finders")

    def __init__(
        self, numbers: Iterable[int], handle: Callable[[int, int], Handle | None], depth: int = 0
    ) -> None:
        self._always: list[int] = []
        self._facets: dict[type[Facet], Facet] = {}
        self._finders: dict[Interface, Finder] = {}
        facets = self._facets
        crowded: Crowded = []
        for number in numbers:
            literals = handle(number, depth)
            if literals is None:
                self._always.append(number)
                continue
            for kind, literal in literals:
                facet = facets.get(kind)
                if facet is None:
                    facet = facets[kind] = kind()
                facet.file(literal, number, crowded)
        for by_literal, literal in crowded:
            inner = Node(by_literal[literal], handle, depth + 1)
            if inner._facets:
                by_literal[literal] = inner

    def finder(self, on: Interface) -> Finder:
        """A function from an environ or a scope to the rules that may match."""
        found = self._finders.get(on)
        if found is None:
            found = self._finders[on] = self._finder(on)
        return found

    def _finder(self, on: Interface) -> Finder:
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
