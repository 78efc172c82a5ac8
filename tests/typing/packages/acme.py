"""A package that adds a vendor, and a fault which changes the app's own answer."""

from __future__ import annotations

from faultinject.plugins import (
    Act,
    Action,
    CompiledRule,
    DocumentedError,
    Entry,
    Fault,
    Filter,
    Forward,
    Request,
    Rule,
    Vendor,
)


def make_ids(entropy: bytes, unix_seconds: int) -> dict[str, str]:
    return {"request_id": entropy[:4].hex()}


def resource(bucket: str | None, key: str | None, raw_path: str) -> str:
    return f"/{bucket or ''}/{key or ''}"


def reason(row: DocumentedError, message: str) -> str | None:
    return "Slow" if row.status == 503 else None


VENDOR = Vendor(
    id="acme",
    title="ACME Storage",
    content_type="application/json",
    template="envelope.json",
    escape="json",
    package="acme",
    id_headers=(("X-Acme-Request-Id", "request_id"),),
    make_ids=make_ids,
    resource=resource,
    reason=reason,
)


class Zeros(Filter):
    did = "blanked"

    def change(self, piece: bytes) -> bytes:
        self.touched = True
        return bytes(len(piece))


class Blank(Fault):
    """The app's own answer, all zeros."""

    title = "blank"
    changes_body = True

    def prepare(self, rule: CompiledRule) -> Act:
        def act(request: Request, entry: Entry, digest: bytes) -> Action:
            entry.fault = self.text
            return Forward(entry, after=False, delay=0.0, filter=Zeros())

        return act

    def in_words(self, rule: Rule) -> str:
        return "zeros"
