"""On, and no rule is for the request: what every request pays, whatever the number of rules."""

from __future__ import annotations

from typing import Any

from apps import (
    NoopASGI,
    NoopWSGI,
    around,
    calls_asgi,
    calls_wsgi,
    environ,
    rules,
    scope,
    trivial_asgi,
    trivial_wsgi,
)  # fmt: skip
from measure import Block, Goal, Row, Sample, side_by_side

from faultinject import Rule, install

MANY = 10_000
KINDS = ("path", "bucket", "host")
# Of the method that is asked with, but what is asked is not one of them; and in another service's words.
OPERATIONS = ("PutBucketAcl", "PutObjectAcl", "PutBucketPolicy", "UploadPart", "CreateBucket", "CopyObject")
ELSEWHERE = ("block_blob.upload", "block_blob.stage_block", "container.create", "blob.set_tags")


def run() -> list[Row]:
    return [_off(), *_compared("WSGI", 2.75), *_compared("ASGI", 1.6)]


def _off() -> Row:
    same = install(trivial_wsgi) is trivial_wsgi and install(trivial_asgi) is trivial_asgi
    return Row("off", "the app itself", Goal("=", 1, ""), float(same), float(same), float(same))


def _compared(interface: str, limit: float) -> list[Row]:
    blocks = _blocks(interface)
    sample = side_by_side(blocks)
    against = "no-op class"
    rows = []
    for kind in KINDS:
        for count in (1, MANY):
            case = f"{interface}, no match, {count:,} {kind} rule{'s' if count > 1 else ''}"
            rows.append(sample.ratio(f"{kind} {count}", case, against, Goal("≤", limit)))
    rows.append(
        sample.ratio("near", f"{interface}, a near miss, {MANY:,} path rules", against, Goal("≤", limit))
    )
    rows.append(
        sample.ratio("method", f"{interface}, method in no rule, {MANY:,} rules", against, Goal("≤", 1.1))
    )
    for kind in ("operation", "Azure operation"):
        for count in (1, MANY):
            case = f"{interface}, no match, {count:,} {kind} rule{'s' if count > 1 else ''}"
            rows.append(sample.ratio(f"{kind} {count}", case, against, Goal("", 0)))
    case = f"{interface}, method of no operation, {MANY:,} rules"
    rows.append(sample.ratio("operation method", case, against, Goal("≤", 1.1)))
    rows += [_flat(sample, interface, kind) for kind in (*KINDS, "operation", "Azure operation")]
    return rows


def _flat(sample: Sample, interface: str, kind: str) -> Row:
    ratios = sample.ratios(f"{kind} {MANY}", f"{kind} 1")
    return sample.row(f"{interface}, {MANY:,} {kind} rules", "1 rule", Goal("≤", 1.1), ratios)


def operations(count: int, names: tuple[str, ...], **keys: Any) -> list[Rule]:
    """So many rules with nothing but an operation."""
    return [Rule("http:503", operation=names[number % len(names)], **keys) for number in range(count)]


def _blocks(interface: str) -> dict[str, Block]:
    call: Any
    app, noop, request, call = (
        (trivial_wsgi, NoopWSGI, environ, calls_wsgi)
        if interface == "WSGI"
        else (trivial_asgi, NoopASGI, scope, calls_asgi)
    )
    blocks = {"noop": call(noop(app), request())}
    for kind in KINDS:
        for count in (1, MANY):
            blocks[f"{kind} {count}"] = call(around(app, rules(count, kind)), request())
    for count in (1, MANY):
        blocks[f"operation {count}"] = call(around(app, operations(count, OPERATIONS)), request())
        azure = operations(count, ELSEWHERE, vendor="azure-blob")
        blocks[f"Azure operation {count}"] = call(around(app, azure), request())
    blocks["operation method"] = call(around(app, operations(MANY, OPERATIONS)), request(method="GET"))
    filed = around(app, rules(MANY, "path"))
    blocks["near"] = call(filed, request(path="/bucket77/videos/2024/a.jpg"))
    blocks["method"] = call(filed, request(method="GET"))
    return blocks
