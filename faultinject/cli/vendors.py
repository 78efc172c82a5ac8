"""`faultinject vendors`: the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

import click
from msgspec import Struct

from faultinject import vendors as catalogue
from faultinject.cli import layout
from faultinject.cli.vocabulary import problems
from faultinject.engine.answers import Respond
from faultinject.injector import trials
from faultinject.rules.rule import Rule
from faultinject.vendors.documented import DocumentedError
from faultinject.vendors.operations import Row, operations_of
from faultinject.vendors.vendor import Vendor


class OperationForm(Struct):
    """A form of an operation.

    Attributes:
        vendor: The vendor's id.
        operation: Its name in the vendor's documentation.
        method: The HTTP method.
        level: service, bucket or object; or the path, of a vendor that has routes.
        query: Parameters that must be there, separated by blanks; `-name`: must not.
        header: Headers that must be there, separated by blanks.
        host: A pattern of the host; empty for any.
        same_as: The operation for which this name is another name, as both have the same form; null for none.
    """

    vendor: str
    operation: str
    method: str
    level: str
    query: str
    header: str
    host: str
    same_as: str | None


def vendors(address: str | None, operations: bool, as_json: bool) -> int:
    """Print the list, and return 0."""
    # A code with blanks, as the vendor sends it, is named with underscores.
    vendor_id, colon, label = (address or "").replace(" ", "_").partition(":")
    chosen = [catalogue.get(vendor_id)] if address else [catalogue.get(name) for name in catalogue.names()]
    for sentence in () if address else problems():
        click.echo(f"faultinject: {sentence}", err=True)
    if operations:
        layout.refuse({f"--operations is for a vendor, such as {vendor_id}, not for one error": colon})
        _show_operations(chosen, as_json=as_json)
        return 0
    rows = [row for vendor in chosen for row in vendor.errors]
    if colon:
        rows = list(chosen[0].group(label)) if label[:1] == "@" else [chosen[0].find(label)]
    if as_json:
        layout.print_json(rows)
    elif not address:
        _show_vendors(chosen)
    elif colon and label[:1] != "@":
        _show_error(rows[0])
    else:
        _show_errors(chosen[0], rows)
    return 0


def _show_vendors(chosen: Sequence[Vendor]) -> None:
    columns = ("id", "vendor", "errors", "statuses", "content type")
    rows = [
        (vendor.id, vendor.title, str(len(vendor.errors)), _statuses(vendor.errors), vendor.content_type)
        for vendor in chosen
    ]
    layout.show(columns, rows)
    click.echo(
        "\n'faultinject vendors cos' lists the errors of one, 'faultinject vendors cos:SlowDown' shows one"
        " in full."
    )


def _statuses(rows: Sequence[DocumentedError]) -> str:
    statuses = sorted({row.status for row in rows if row.status is not None})
    return " ".join(map(str, statuses))


def _show_errors(vendor: Vendor, rows: Sequence[DocumentedError]) -> None:
    unverified = sum(row.unverified for row in rows)
    doubts = f", {unverified} of them not verified" if unverified else ""
    click.echo(f"{vendor.title}: {len(rows)} documented error{'s' if len(rows) != 1 else ''}{doubts}\n")
    columns = ("code", "status", "category", "retryable", "message")
    layout.show(
        columns,
        [
            (*(row.label, str(row.status or "none"), row.category, row.retryable), _message(row))
            for row in rows
        ],
    )


def _message(row: DocumentedError) -> str:
    """The message, the requests for which it is documented, and a mark if it is not verified."""
    only = f" (only {row.where})" if row.where else ""
    return f"{row.message}{only}{' (not verified)' if row.unverified else ''}"


def _show_operations(chosen: Sequence[Vendor], *, as_json: bool) -> None:
    # A vendor without an addressing has no operations.
    known = {vendor: operations_of(vendor) for vendor in chosen if vendor.addressing is not None}
    if as_json:
        layout.print_json(
            [
                OperationForm(
                    vendor.id,
                    row.operation,
                    row.method,
                    row.level,
                    " ".join(row.query),
                    _headers(vendor, row),
                    row.host,
                    operations.twin(row.operation),
                )
                for vendor, operations in known.items()
                for row in operations.rows
            ]
        )
        return
    for number, vendor in enumerate(chosen):
        if number:
            click.echo()
        if vendor not in known:
            click.echo(f"{vendor.title}: no storage vendor; its rules read requests as S3 requests")
            continue
        operations = known[vendor]
        rows = sorted(operations.rows, key=lambda row: row.operation)
        click.echo(f"{vendor.title}: {len(operations.names)} operations\n")
        layout.show(
            ("operation", "method", "level", "query", "header"),
            [
                (
                    *(row.operation, row.method, row.level, " ".join(row.query)),
                    f"{_headers(vendor, row)}{f' host={row.host}' if row.host else ''}".strip(),
                )
                for row in rows
            ],
        )
        twins = [(name, twin) for name in sorted(operations.names) if (twin := operations.twin(name))]
        if twins:
            click.echo()
        for name, twin in twins:
            click.echo(
                f"{name} has the same form as {twin}: a rule with either name matches the same requests."
            )


def _headers(vendor: Vendor, row: Row) -> str:
    """The headers of an operation; a vendor with S3's API may have its own prefix."""
    prefix = vendor.prefix if vendor.addressing == "s3" else ""
    return " ".join(header if header[:2] == "x-" else f"{prefix}{header}" for header in row.header)


def _show_error(row: DocumentedError) -> None:
    fields = {key: value for key, value in row.to_dict().items() if value not in ("", None, False)}
    if row.unverified:
        fields["unverified"] = "yes"
    fields.setdefault("status", "none documented: a rule must give one, such as status=400")
    lines = [
        (key.replace("_", " "), " ".join(str(fields[key]).split())) for key in row.to_dict() if key in fields
    ]
    click.echo("\n".join(layout.aligned(lines)))
    rule = Rule(row.address) if row.status is not None else Rule(row.address, status=400)
    trial = trials.Trial([rule], "0")
    answer = trial.ask(trials.environ_of("GET", "/bucket/key", "127.0.0.1"))
    assert isinstance(answer, Respond)
    data = trials.head_of(answer, trial.injector.clock()) + answer.body
    shown = data.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n")
    click.echo(
        f"\nIn answer to GET /bucket/key{' with status=400' if row.status is None else ''}:\n\n{shown}"
    )
