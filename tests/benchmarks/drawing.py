"""One draw: identity, how often it matched before, and the digest; beside the one digest that it cannot do without."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from itertools import repeat

from apps import environ
from measure import Block, Goal, Row, side_by_side

from faultinject.counts.memory import MemoryCounts
from faultinject.engine.plan import drawer, seed_key, threshold
from faultinject.engine.request import WSGIRequest
from faultinject.vendors.vendor import exact_identity, with_placeholders

LABEL = "cos:SlowDown,path=/photos/"
KEYS = {"plain": "photos/2024/a.jpg", "UUID": "photos/2b8c1f9a-7a4e-4f0b-9d0e-0c5b8a1f2e3d.jpg"}


def run() -> list[Row]:
    return _compared()


def _compared() -> list[Row]:
    blocks: dict[str, Block] = {"digest": _digest(f"PUT /bucket/{KEYS['plain']}")}
    for name, key in KEYS.items():
        blocks[name] = _draw(key)
    sample = side_by_side(blocks)
    return [sample.ratio(name, f"one draw, {name} key", "one keyed blake2b", Goal("", 0)) for name in KEYS]


def _digest(identity: str) -> Block:
    state = blake2b(LABEL.encode() + b"\0", key=seed_key("1"), digest_size=32)
    data = identity.encode() + b"\x0017"

    def block(count: int) -> None:
        copy = state.copy
        for _ in repeat(None, count):
            digest = copy()
            digest.update(data)
            digest.digest()

    return block


def _draw(key: str) -> Block:
    request = WSGIRequest(environ(path=f"/bucket/{key}"))
    draw = drawer(seed_key("1"), LABEL, threshold(0.3))
    match: Callable[..., list[tuple[int, int, bool]]] = MemoryCounts().match

    def block(count: int) -> None:
        for _ in repeat(None, count):
            identity = with_placeholders(exact_identity(request, "bucket", key))
            ((_place, n, _exceeds),) = match(((0, "", identity, None),), 0.0)
            draw(identity, n)

    return block
