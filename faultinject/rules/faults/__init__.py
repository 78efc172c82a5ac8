"""The faults, one class each; `get` returns the one that a rule names.

A fault acts on one exchange. Faults of other packages have entry points in the group `faultinject.faults`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from faultinject.exceptions import ConfigurationError
from faultinject.registry import Registry
from faultinject.rules.effects import EFFECTS
from faultinject.rules.faults.answering import Documented as Documented
from faultinject.rules.faults.answering import Http, OneOf, is_status
from faultinject.rules.faults.breaking import Close, Hang, Reset
from faultinject.rules.faults.fault import Fault as Fault
from faultinject.rules.faults.forwarding import (
    Corrupt,
    Drip,
    Edit,
    Latency,
    Overwrite,
    Stale,
    Stall,
    Truncate,
)
from faultinject.rules.values import Mistake, is_name, listed, nearest, shown

FAULTS: tuple[type[Fault], ...] = (
    Documented,
    Http,
    OneOf,
    Latency,
    Stall,
    Hang,
    Reset,
    Close,
    Truncate,
    Drip,
    Corrupt,
    Edit,
    Overwrite,
    Stale,
)
OWN = {fault.title: fault for fault in FAULTS if ":" not in fault.title}
"""Our own faults that have a title of their own, by title."""


@lru_cache(4096)
def get(text: str) -> Fault:
    """The fault that a rule names `cos:SlowDown`, `http:503` or `reset`; raises `Mistake`."""
    head, colon, _ = text.partition(":")
    if head == "http" and colon:
        return Http(text)
    if colon:
        return Documented(text)
    if text in OWN:
        return OWN[text](text)
    try:
        added: type[Fault] | None = plugins.find(text)
    except ConfigurationError as error:
        raise Mistake.of(error) from None
    if added is not None:
        return added(text)
    raise Mistake(
        f"{shown(text)} is not a fault; {_guess(text)}"
        if text
        else f"there is no fault; there are {_titles()}"
    )


def all_faults() -> tuple[type[Fault], ...]:
    """The faults that can be used, those of other packages last."""
    return (*FAULTS, *map(plugins.find, plugins.names()))


def _own_names() -> list[str]:
    from faultinject import vendors

    return [*OWN, "http", *vendors.own_names()]


def _accept(name: str, loaded: Any) -> type[Fault]:
    """Check that the vocabulary can show the fault of another package."""
    if not (isinstance(loaded, type) and issubclass(loaded, Fault)):
        raise ConfigurationError(
            f"its entry point names {shown(repr(loaded))}, not a class of faultinject.Fault"
        )
    if not is_name(name):
        raise ConfigurationError("a name is of letters, digits, hyphens and underscores")
    if loaded.title != name:
        raise ConfigurationError(f"its entry point has another name than its title, {shown(loaded.title)}")
    if unknown := sorted({*loaded.takes} - {*EFFECTS}):
        raise ConfigurationError(f"it takes {listed(unknown, 'and')}, and there is no such effect")
    if missing := [
        method for method in ("in_words", "prepare") if getattr(loaded, method) is getattr(Fault, method)
    ]:
        raise ConfigurationError(f"it has no {listed(missing, 'and')}")
    loaded(name)
    return loaded


plugins = Registry("faultinject.faults", "fault", _own_names, _accept)
"""The faults of other packages."""


def _titles() -> str:
    return listed((fault.title for fault in all_faults()), "and")


def _guess(text: str) -> str:
    from faultinject import vendors

    ids = vendors.names()
    if text in ids:
        return f"name one of its errors, such as {text}:{vendors.get(text).errors[0].label}"
    if text.lower() == "http":
        return "name a status, such as http:503"
    addresses = [f"{id_}:{text}" for id_ in vendors.vendors_with_code(text)] or vendors.errors_in_other_case(
        text
    )
    if is_status(text):
        addresses = [f"http:{text}", *addresses]
    if addresses:
        return f"did you mean {vendors.abridge(addresses, 'or')}?"
    if vendor_ids := vendors.ids_for(text):
        example = vendors.get(vendor_ids[0]).errors[0].address
        return f"did you mean an error of {vendors.abridge(vendor_ids, 'or')}, such as {example}?"
    return nearest(text, (*OWN, *plugins.names())).removeprefix("; ") or f"there are {_titles()}"
