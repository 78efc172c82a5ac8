"""Retry tests of Google's storage-testbench: lists of instructions by operation.

https://github.com/googleapis/storage-testbench#retry-test-api
"""

from __future__ import annotations

from faultinject import vendors
from faultinject.retry_tests.instructions import KIB, read
from faultinject.retry_tests.refusal import Refusal
from faultinject.rules.values import nearest, shown
from faultinject.vendors.operations import operations_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.conversion.document import Node
    from faultinject.conversion.made import Rules

NOT_IMPLEMENTED = 501
MEDIA = "storage.objects.get"


def fits(value: object) -> bool:
    """Whether it is a retry test."""
    return isinstance(value, dict) and isinstance(value.get("instructions"), dict)


def convert(node: Node, rules: Rules) -> None:
    """Its rules: each instruction is for one request, those of an operation one after the other."""
    table = node.table()
    table.unused("completed")
    transport = table.take("transport")
    if transport is not None and transport.text().upper() != "HTTP":
        transport.leave_out("only HTTP requests get faults here")
        table.take("instructions")
        table.take("id")
        table.rest("it is of a transport that is not HTTP")
        return
    identity = table.take("id")
    header = None if identity is None else {"x-retry-test-id": f"={identity.text()}"}
    operations = table.need("instructions").table()
    if header is None:
        node.change(
            "the rules are for every request of their operations; the testbench's only for those that carry the test's id"
        )
    table.rest("no instruction of a retry test")
    known = operations_of(vendors.get("gcs"))
    for operation in operations:
        listed = operations.need(operation)
        if operation not in known.meant((operation,)):
            listed.refuse(f"{shown(operation)} is no operation of gcs{nearest(operation, known.names)}")
        for at, each in enumerate(listed.rows(), 1):
            _convert(each, operation, f"{operation}.{at}", header, rules)


def _convert(node: Node, operation: str, name: str, header: dict[str, str] | None, rules: Rules) -> None:
    text = node.text()
    try:
        found = read(text, operation, "instruction")
    except Refusal as refusal:
        if refusal.status == NOT_IMPLEMENTED:
            node.leave_out("it does nothing over HTTP")
            return
        node.refuse(f"{shown(text)} is no instruction of the testbench")
    keys = {key: value for key, value in found.keys.items() if key != "name"}
    if found.shape is not None:
        _place(node, operation, text, found.fault, keys)
    rules.add(node, found.fault, name, **keys, header=header)


def _place(node: Node, operation: str, text: str, fault: str, keys: dict[str, object]) -> None:
    """An instruction that comes in the middle of a body: where that is, as near as a rule can say it."""
    if fault == "truncate":
        if operation == MEDIA:
            keys["query"] = {"alt": "media"}
            node.change("downloads with alt=media only; not those of /download/")
        else:
            node.change(
                "it is for every request of the operation, also those that are no piece of a resumable upload"
            )
        return
    size = int(text.rpartition("-after-")[2].removesuffix("K")) * KIB
    keys["after_bytes"] = size
    if operation == MEDIA:
        keys.update(when="after", query={"alt": "media"})
        node.change("downloads with alt=media only; not those of /download/")
        return
    keys.pop("when", None)
    node.change(
        "the bytes are counted in the body of one request; the testbench counts those of an upload, and keeps what came before"
    )
