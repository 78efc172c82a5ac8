"""On, and no rule is for the request: what every request pays, whatever the number of rules."""

from typing import Any

from apps import INTERFACES, around, rules, trivial_asgi, trivial_wsgi
from measure import Block, Goal, Row, Sample, side_by_side

from faultinject import Rule, install

MANY = 10_000
KINDS = ("path", "bucket", "host")
OF_OPERATIONS = ("operation", "Azure operation")
# Of the method that is asked with, but what is asked is not one of them; and in another service's words.
OPERATIONS = ("PutBucketAcl", "PutObjectAcl", "PutBucketPolicy", "UploadPart", "CreateBucket", "CopyObject")
ELSEWHERE = ("block_blob.upload", "block_blob.stage_block", "container.create", "blob.set_tags")


def run() -> list[Row]:
    return [_off(), *_compared("WSGI", 2.75), *_compared("ASGI", 1.6)]


def _off() -> Row:
    same = install(trivial_wsgi) is trivial_wsgi and install(trivial_asgi) is trivial_asgi
    return Row("off", "the app itself", Goal("=", 1, ""), float(same), float(same), float(same))


def _compared(interface: str, limit: float) -> list[Row]:
    sample = side_by_side(_blocks(interface))
    cases = {
        **_numbered(KINDS, Goal("≤", limit)),
        "near": (f"a near miss, {MANY:,} path rules", Goal("≤", limit)),
        "method": (f"method in no rule, {MANY:,} rules", Goal("≤", 1.1)),
        **_numbered(OF_OPERATIONS, Goal("", 0)),
        "operation method": (f"method of no operation, {MANY:,} rules", Goal("≤", 1.1)),
    }
    return [
        *(
            sample.ratio(name, f"{interface}, {case}", "no-op class", goal)
            for name, (case, goal) in cases.items()
        ),
        *(_flat(sample, interface, kind) for kind in (*KINDS, *OF_OPERATIONS)),
    ]


def _numbered(kinds: tuple[str, ...], goal: Goal) -> dict[str, tuple[str, Goal]]:
    """By block: the case of one rule and of many of each kind, and its goal."""
    return {
        f"{kind} {count}": (f"no match, {count:,} {kind} rule{'s' if count > 1 else ''}", goal)
        for kind in kinds
        for count in (1, MANY)
    }


def _flat(sample: Sample, interface: str, kind: str) -> Row:
    ratios = sample.ratios(f"{kind} {MANY}", f"{kind} 1")
    return sample.row(f"{interface}, {MANY:,} {kind} rules", "1 rule", Goal("≤", 1.1), ratios)


def operations(count: int, names: tuple[str, ...], **keys: Any) -> list[Rule]:
    """So many rules with nothing but an operation."""
    return [Rule("http:503", operation=names[number % len(names)], **keys) for number in range(count)]


def _blocks(interface: str) -> dict[str, Block]:
    app, noop, request, call = INTERFACES[interface]
    made = {f"{kind} {count}": rules(count, kind) for kind in KINDS for count in (1, MANY)}
    for count in (1, MANY):
        made[f"operation {count}"] = operations(count, OPERATIONS)
        made[f"Azure operation {count}"] = operations(count, ELSEWHERE, vendor="azure-blob")
    filed = around(app, rules(MANY, "path"))
    return {
        "noop": call(noop(app), request()),
        **{name: call(around(app, of_kind), request()) for name, of_kind in made.items()},
        "operation method": call(around(app, operations(MANY, OPERATIONS)), request(method="GET")),
        "near": call(filed, request(path="/bucket77/videos/2024/a.jpg")),
        "method": call(filed, request(method="GET")),
    }
