"""The reference pages of the vendors, with each row of the catalogue."""

import re
from collections import Counter

from faultinject import DocumentedError, Vendor, vendors
from faultinject.store.stores import STORES
from faultinject.vendors.operations import operations_of
from tests.documents import escaped, table

ADDRESSING = {
    "s3": "as S3: virtual-host style below its endpoints, else the first segment of the path",
    "azure": "as Azure: the container is the bucket, the blob the key",
    "gcs": "as Google's JSON API: `/storage/v1/b/BUCKET/o/KEY`",
    "kodo": "as Kodo: base64 of `BUCKET:KEY` in the path",
    "b2": "as B2: `/file/BUCKET/KEY` and the parameters of its native API",
    "swift": "as Swift: the container is the bucket, the object the key",
}


def names() -> tuple[str, ...]:
    """The vendors that come with faultinject, sorted."""
    return vendors.own_names()


def page(name: str) -> str:
    """The whole page of a vendor."""
    vendor = vendors.get(name)
    parts = [
        f"# {vendor.title}\n",
        f"The vendor `{name}` has {counted(len(vendor.errors), 'documented error')}. A rule names one as"
        f" `{vendor.errors[0].address}`. This page is made from the catalogue; `faultinject vendors {name}` prints the"
        f" same rows, and [Vendors](../vendors.md) explains their columns.\n",
        "## Errors\n",
        f"{errors(vendor)}\n",
        "## On the wire\n",
        f"{wire(vendor)}\n",
        "## Operations\n",
        f"{operations(vendor)}\n",
        "## Sources\n",
        f"{sources(vendor)}\n",
    ]
    return "\n".join(parts)


def counted(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def code(words: object) -> str:
    """Words as code, separated by commas."""
    return ", ".join(f"`{each}`" for each in words)


def wire(vendor: Vendor) -> str:
    """The form of an answer, and the reading of a request."""
    forms = sorted({form.content_type for form in vendor.forms.values()} - {vendor.content_type, ""})
    bare = any(not form.content_type for form in vendor.forms.values())
    rows = [
        (
            "Content-Type",
            f"`{vendor.content_type}`"
            + (f"; of single errors {code(forms)}" if forms else "")
            + ("; single errors have none" if bare else ""),
        ),
        ("id headers", code(header for header, _ in vendor.id_headers) or "none"),
        ("asks to wait by", waiting(vendor)),
        (
            "an answer to HEAD",
            "no Content-Type, Content-Length 0" if vendor.bare_head else "the headers of the answer to GET",
        ),
        (
            "errors of single keys",
            "`share`, in a 200 to a request that deletes several"
            if vendor.deletes
            else "`share` is not supported",
        ),
        ("an error in a 200", in_200(vendor)),
        ("endpoints", code(vendor.endpoints) or "none: any host"),
        ("bucket and key", ADDRESSING.get(vendor.addressing, "not read: no storage vendor")),
        (
            "embedded store",
            f"speaks it: `faultinject serve --vendor {vendor.id}`; see [Point your SDK](../../how-to/point-your-sdk.md)"
            if vendor.id in STORES
            else "does not speak it; put the faults in front of a server of yours",
        ),
    ]
    return table(("what", "value"), rows)


def in_200(vendor: Vendor) -> str:
    """The operations that may answer 200 with an error, or never do, with the source."""
    said = {
        "whole": "with a Content-Length",
        "chunked": "without a Content-Length",
        "none": "never",
    }
    lines = [
        f"`{each.operation}` {said[each.framing]}: “{escaped(each.words)}” ({linked(each.source)})"
        for each in vendor.known_of_200
    ]
    return "; ".join(lines) or "not known: no document, SDK or recorded answer of the vendor has one"


def waiting(vendor: Vendor) -> str:
    """The form of `retry_after` in rules without `hint`."""
    return {"seconds": "`Retry-After` in seconds", "date": "`Retry-After` with a date"}.get(
        vendor.hint, f"`{vendor.hint}` in milliseconds"
    )


def errors(vendor: Vendor) -> str:
    """One row an error."""
    return table(
        ("code", "status", "message", "retryable", "message_source", "notes"),
        (
            (
                f"`{row.label}`",
                row.status or "none",
                escaped(row.message),
                row.retryable,
                row.message_source,
                notes(row),
            )
            for row in vendor.errors
        ),
    )


def notes(row: DocumentedError) -> str:
    """The peculiarities of a row."""
    said = [
        f"only {escaped(row.where)}" if row.where else "",
        f"first: {row.again}" if row.again else "",
        "not verified" if row.unverified else "",
        escaped(row.note),
    ]
    return "; ".join(filter(None, said))


def operations(vendor: Vendor) -> str:
    """The names that `operation=` takes."""
    if vendor.addressing is None:
        return "It is no storage vendor: its rules read requests as S3 requests."
    found = sorted(operations_of(vendor).names)
    return (
        f"`operation=` takes {counted(len(found), 'name')}; `faultinject vendors {vendor.id} --operations` prints the"
        f" method and the form of each.\n\n{code(found)}"
    )


def sources(vendor: Vendor) -> str:
    """The documents and recordings behind the rows, the most used first."""
    found = Counter(row.source for row in vendor.errors).most_common()
    return "\n".join(f"- {linked(source)} ({counted(number, 'row')})" for source, number in found)


def linked(text: str) -> str:
    """A text whose addresses are links."""
    parts = re.split(r"(https?://[^\s,;()]+)", text)
    return "".join(f"<{each}>" if number % 2 else escaped(each) for number, each in enumerate(parts))
