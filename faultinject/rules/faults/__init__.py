"""The faults: what is done to one exchange. One class each; `get` finds the one that a rule names."""

from __future__ import annotations

from faultinject.rules.faults.answering import Documented as Documented
from faultinject.rules.faults.answering import Http
from faultinject.rules.faults.breaking import Close, Hang, Reset
from faultinject.rules.faults.fault import Fault as Fault
from faultinject.rules.faults.forwarding import Corrupt, Drip, Latency, Truncate
from faultinject.rules.values import Mistake, listed, nearest, shown

FAULTS: tuple[type[Fault], ...] = (
    Documented,
    Http,
    Latency,
    Hang,
    Reset,
    Close,
    Truncate,
    Drip,
    Corrupt,
)
_BY_NAME = {each.title: each for each in FAULTS if ":" not in each.title}

_found: dict[str, Fault] = {}


def get(text: str) -> Fault:
    """The fault that a rule names `cos:SlowDown`, `http:503` or `reset`; raises `Mistake`."""
    fault = _found.get(text)
    if fault is None:
        if len(_found) >= 4096:
            _found.clear()
        _found[text] = fault = _read(text)
    return fault


def _read(text: str) -> Fault:
    head, colon, _ = text.partition(":")
    if head == "http" and colon:
        return Http(text)
    if colon and head.lower() == "http":
        raise Mistake(f"{shown(text)} is not a fault; did you mean {text.lower()}?")
    if colon:
        return Documented(text)
    if text in _BY_NAME:
        return _BY_NAME[text](text)
    raise Mistake(
        f"{shown(text)} is not a fault; {_guess(text)}"
        if text
        else f"there is no fault; there are {_known()}"
    )


def _known() -> str:
    return listed((each.title for each in FAULTS), "and")


def _guess(text: str) -> str:
    from faultinject import vendors

    ids = vendors.names()
    if text in ids:
        return f"name one of its errors, such as {text}:{vendors.get(text).errors[0].label}"
    having = [f"{id_}:{text}" for id_ in vendors.having(text)]
    if having:
        return f"did you mean {vendors.several(having, 'or')}?"
    if meant := vendors.named(text):
        one = vendors.get(meant[0]).errors[0].address
        return f"did you mean an error of {vendors.several(meant, 'or')}, such as {one}?"
    return nearest(text, _BY_NAME).removeprefix("; ") or f"there are {_known()}"
