"""The wording of an error: its body and its headers, as the vendor sends them."""

from __future__ import annotations

from faultinject.http.wire import reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultinject.http.wire import Headers
    from faultinject.vendors.addressing import Addressing
    from faultinject.vendors.documented import DocumentedError
    from faultinject.vendors.template_values import Source
    from faultinject.vendors.types import StorageRequest
    from faultinject.vendors.vendor import Vendor

    Sources = Sequence[tuple[str, Source]]


class Rendering:
    """The wording of one error: the vendor's envelope, and the additions of the code to it.

    Args:
        vendor: the vendor of the error.
        row: the documented error.
        status: the status that is sent.
        message: the message instead of the documented one.
        asked: the form that the request asks for, or empty.

    Attributes:
        bare_head: whether an answer to HEAD does not describe the body.
        content_type: the Content-Type, exactly; empty if there is none.
        id_headers: pairs of a header's name and the name of the id that it carries.
        reason: the vendor's own reason phrase; None for the standard one.
        constants: the headers of all its answers, by lower-case name.
    """

    __slots__ = (
        "_child",
        "_envelope",
        "_escape",
        "_extras",
        "_open",
        "_plain",
        "_row",
        "_said",
        "_status",
        "_text",
        "bare_head",
        "constants",
        "content_type",
        "id_headers",
        "reason",
    )

    def __init__(
        self,
        vendor: Vendor,
        row: DocumentedError,
        *,
        status: int,
        message: str | None = None,
        asked: str = "",
    ) -> None:
        form = vendor.form_of(row, asked)
        self._row = row
        self._status = status
        self._said = message
        self._text = row.message if message is None else message
        self._envelope = vendor.envelope(code=row.code, message=self._text, status=status, form=form)
        self._escape = form.escape
        self._child = form.child
        self.content_type = form.content_type
        self.bare_head = vendor.bare_head if form.bare_head is None else form.bare_head
        self.id_headers = vendor.id_headers if form.id_headers is None else form.id_headers
        phrase = vendor.reason(row, self._text) if row.status in (None, status) else None
        self.reason = phrase if phrase and fits_a_header(phrase) else None
        filled = {"resource", "children", *vendor.make_ids(bytes(64), 0)}
        open_names = [name for name in self._envelope.open if name not in filled]
        extras = [
            extra
            for extra in vendor.extras
            if extra.belongs_to(row, status, asked) and extra.name not in form.without
        ]
        # Whether answers differ only in the resource and the ids.
        self._plain = not (open_names or extras)
        self._open: Sources = ()
        self._extras: list[tuple[str, str, Source]] = []
        self.constants: dict[str, str] = {}
        if self._plain:
            return
        from faultinject.vendors.template_values import compile_value, constant

        self._open = [(name, compile_value(name)) for name in open_names]
        self._extras = [(extra.place, extra.name, compile_value(extra.value)) for extra in extras]
        for extra in extras:
            fixed = constant(extra.value)
            if extra.place in ("header", "body") and fixed is not None:
                self.constants[extra.name.lower()] = fixed

    def render(
        self,
        request: StorageRequest,
        reading: Addressing,
        resource: str,
        ids: Mapping[str, str],
        now: float,
        size: int | None = None,
    ) -> tuple[bytes, Headers]:
        """The body, also for HEAD, and the headers that the vendor adds to the usual ones.

        Args:
            request: the request.
            reading: reads its bucket, key and level.
            resource: the resource that the envelope names.
            ids: the answer's ids by name.
            now: unix seconds.
            size: bytes of the requested object, or None if they are unknown.
        """
        envelope = self._envelope
        if self._plain:
            return envelope.fill(resource, ids), []
        from faultinject.vendors.template_values import RenderContext

        row = self._row
        context = RenderContext(
            request,
            reading,
            code=row.code,
            message=self._text,
            reason=self.reason or reason(self._status),
            resource=resource,
            ids=ids,
            now=now,
            said=self._said,
            size=size,
        )
        more = {name: self._escape(value(context) or "") for name, value in self._open}
        more["children"] = "".join(
            self._child % {"name": name, "value": self._escape(text)}
            for place, name, value in self._extras
            if place == "child" and (text := value(context)) is not None
        )
        context.body = envelope.fill(resource, ids, more)
        places = ("header", "head" if request.method.upper() == "HEAD" else "body")
        return context.body, [
            (name, text)
            for place, name, value in self._extras
            if place in places and (text := value(context)) is not None and fits_a_header(text)
        ]


def fits_a_header(text: str) -> bool:
    """Whether a text fits a header's value or a reason phrase, and clients read all of it."""
    return len(text) <= LONGEST_VALUE and text.isascii() and text.isprintable()


LONGEST_VALUE = 8190
"""Characters of a header's value; a longer one, echoed from a request, is left out."""
