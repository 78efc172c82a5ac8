"""`faultinject vendors`: what is in the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from faultinject.cli.context import CONTEXT

if TYPE_CHECKING:
    from faultinject.vendors.vendor import DocumentedError, Vendor


@click.command(
    context_settings=CONTEXT, short_help="List vendors, a vendor's documented errors, or one in full."
)
@click.argument("address", required=False, metavar="[VENDOR[:CODE]]")
@click.option("--json", "as_json", is_flag=True, help="Print an array of documented errors.")
def vendors(address: str | None, as_json: bool) -> int:
    """List the vendors, one vendor's documented errors (cos), or one error in full (cos:SlowDown).

    A second row of the same code is cos:InvalidRequest/2, and cos:@throttle lists a group.
    """
    from faultinject import vendors as catalogue
    from faultinject.cli.explanation import print_json

    vendor_id, colon, label = (address or "").partition(":")
    chosen = [catalogue.get(vendor_id)] if address else [catalogue.get(each) for each in catalogue.names()]
    rows = [row for vendor in chosen for row in vendor.errors]
    if colon:
        rows = list(chosen[0].group(label)) if label[:1] == "@" else [chosen[0].find(label)]
    if as_json:
        print_json([each.to_dict() for each in rows])
    elif not address:
        _show_vendors(chosen, sorted(catalogue.RESERVED))
    elif colon and label[:1] != "@":
        _show_error(rows[0])
    else:
        _show_errors(chosen[0], rows)
    return 0


def _show_vendors(chosen: Sequence[Vendor], reserved: Sequence[str]) -> None:
    from faultinject.cli import table

    columns = ("id", "vendor", "errors", "statuses", "content type")
    rows = [
        (each.id, each.title, str(len(each.errors)), _statuses(each.errors), each.content_type)
        for each in chosen
    ]
    table.show(columns, rows)
    click.echo(f"\nReserved, not built yet: {' '.join(reserved)}")
    click.echo(
        "'faultinject vendors cos' lists the errors of one, 'faultinject vendors cos:SlowDown' shows one in full."
    )


def _statuses(rows: Sequence[DocumentedError]) -> str:
    found = sorted({each.status for each in rows if each.status is not None})
    return " ".join(map(str, found))


def _show_errors(vendor: Vendor, rows: Sequence[DocumentedError]) -> None:
    from faultinject.cli import table

    click.echo(f"{vendor.title}: {len(rows)} documented error{'s' if len(rows) != 1 else ''}\n")
    columns = ("code", "status", "category", "retryable", "message")
    table.show(
        columns,
        [
            (each.label, str(each.status or "none"), each.category, each.retryable, each.message)
            for each in rows
        ],
    )


def _show_error(row: DocumentedError) -> None:
    from faultinject.cli import exchange, table
    from faultinject.core.actions import Respond
    from faultinject.core.rule import Rule

    fields = {key: value for key, value in row.to_dict().items() if value not in ("", None)}
    fields.setdefault("status", "none documented: a rule must give one, such as status=400")
    lines = [
        (key.replace("_", " "), " ".join(str(fields[key]).split())) for key in row.to_dict() if key in fields
    ]
    for line in table.aligned(lines):
        click.echo(line)
    rule = Rule(row.address) if row.status is not None else Rule(row.address, status=400)
    trial = exchange.Trial([rule], "0")
    answer = trial.ask(exchange.environ("GET", "/bucket/key", "127.0.0.1"))
    assert isinstance(answer, Respond)
    data = exchange.head_of(answer, trial.injector.clock()) + answer.body
    shown = data.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n")
    click.echo(
        f"\nIn answer to GET /bucket/key{' with status=400' if row.status is None else ''}:\n\n{shown}"
    )
