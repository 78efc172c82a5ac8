"""LocalStack's Chaos API: fault rules (`/_localstack/chaos/faults`) and network effects (`/_localstack/chaos/effects`).

https://docs.localstack.cloud/aws/capabilities/chaos-engineering/chaos-api/
"""

from __future__ import annotations

from faultinject import vendors
from faultinject.conversion.made import milliseconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.conversion.document import Node
    from faultinject.conversion.made import Rules

KEYS = {"service", "region", "operation", "probability", "error"}
STATUS, CODE = 503, "ServiceUnavailable"
"""Of a rule without them."""
STORAGE = ("s3", "*")
OF_ALL = "it is of all services there; here it is of the storage alone"
LEAST = 400
"""The lowest status of a plain answer."""


def fits(value: object) -> bool:
    """Whether it is a list of fault rules, or the network effects."""
    if isinstance(value, dict):
        return "latency" in value and not {"request", "response", "type", "attributes"} & value.keys()
    return isinstance(value, list) and all(
        isinstance(each, dict) and (not each or KEYS & each.keys()) for each in value
    )


def convert(node: Node, rules: Rules) -> None:
    """Its rules; of those the first that matches and fires answers, as there."""
    if isinstance(node.value, dict):
        table = node.table()
        latency = table.need("latency").number()
        table.rest("LocalStack documents no such effect")
        if latency:
            rules.add(node, "latency", "network", delay=milliseconds(node, latency))
        return
    for each in node.rows():
        _fault(each, rules)


def _fault(node: Node, rules: Rules) -> None:
    table = node.table()
    service = table.take("service")
    if service is not None and service.text() not in STORAGE:
        table.take("region"), table.take("operation"), table.take("probability"), table.take("error")
        node.leave_out(f"{service.text()} is no storage service")
        return
    if service is None or service.text() != "s3":
        node.change(OF_ALL)
    region, operation = table.take("region"), table.take("operation")
    probability = table.take("probability")
    chance = 1.0 if probability is None else probability.number(0, 1)
    status, code = STATUS, CODE
    error = table.take("error")
    if error is not None:
        said = error.table()
        given = said.take("statusCode"), said.take("code")
        status = status if given[0] is None else int(given[0].number(100, 599))
        code = code if given[1] is None else given[1].text()
        said.rest("LocalStack documents no such key of an error")
    header = None
    if region is not None and region.text() != "*":
        header = {"authorization": f"*/{region.text()}/*"}
        region.change(
            "told by the region in the header of a signature (Authorization); other requests are spared"
        )
    if table.rest(
        "LocalStack documents no such condition, and without it the fault would come to other requests"
    ):
        return
    fault, keys = s3_error(node, code, status)
    rules.add(
        node,
        fault,
        code,
        operation=None if operation is None or operation.text() == "*" else operation.text(),
        header=header,
        probability=None if chance == 1 else chance,
        **keys,
    )


def s3_error(node: Node, code: str, status: int | None) -> tuple[str, dict[str, object]]:
    """The fault that is S3's error of that code, with that status; a plain one where it documents none."""
    rows = [each for each in vendors.get("s3").errors if each.code == code]
    fitting = [each for each in rows if status in (None, each.status)]
    if fitting:
        return fitting[0].address, {}
    if rows:
        return rows[0].address, {"status": status}
    if status is None or status < LEAST:
        return f"s3:{code}", {}  # which says that there is none, and what is near
    node.change(f"S3 documents no error {code}: a plain {status} with that word as its body")
    return f"http:{status}", {"message": code, "vendor": "s3"}
