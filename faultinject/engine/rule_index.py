"""The way from a request to the few rules that may match it, whatever their number.

A rule is filed under one literal of its conditions: a path's leading whole segments, else a bucket, else a host, else
its operations; a rule without one is looked at for every request of its methods, which its operations tell where it
does not. The index answers with a superset: what it leaves out cannot match, what it hands out is checked in full.
"""

from __future__ import annotations

from itertools import product

from faultinject.engine.shelf import Shelf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from faultinject.engine.compiled_rule import RuleLike
    from faultinject.engine.shelf import Finder
    from faultinject.vendors.addressing import Addressing
    from faultinject.vendors.vendor import Vendor

    Asked = dict[tuple[str, ...], frozenset[str]]
    Filed = tuple[Addressing | None, frozenset[str], frozenset[str] | None]

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
        everything: find an empty sequence instead of None, so that every request is looked at.
    """

    __slots__ = ("environ", "environ_default", "scope", "scope_default")

    environ_default: Finder | None
    scope_default: Finder | None

    def __init__(
        self,
        rules: Sequence[RuleLike],
        reading: Callable[[Vendor | None], Addressing],
        *,
        everything: bool = False,
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
        ready = _never_nothing if everything else _as_it_is
        self.environ: dict[str, Finder] = {}
        self.scope: dict[str, Finder] = {}
        for method, shelf in shelves.items():
            in_environ, in_scope = ready(shelf.in_environ()), ready(shelf.in_scope())
            for spelling in _spellings(method):
                self.environ[spelling] = in_environ
                self.scope[spelling] = in_scope
        anything = any_method or everything
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
