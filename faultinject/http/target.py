"""The path that rules see, from the server's decoded path and the raw target."""

from __future__ import annotations


def read_target(mount: str, below: str, raw: str) -> tuple[str, str]:
    """The path and the raw path.

    Args:
        mount: the mount point, as the server decoded it.
        below: the path below the mount point, as the server decoded it.
        raw: the target as the client sent it; empty if the server does not tell it.
    """
    full = mount + below
    if raw[:1] != "/" and "://" in raw:
        raw = "/" + raw.partition("://")[2].partition("/")[2]
    # If a middleware has rewritten the path, the raw target no longer belongs to it and is ignored.
    decoded = decode(raw)
    if raw and decoded == full:
        return _decode_but_slash(raw), raw
    if raw and decoded == below:
        return _decode_but_slash(encode(mount) + raw), encode(mount) + raw
    return full, encode(full)


def utf8(text: str) -> str:
    """Decode as UTF-8 a text that a WSGI server has decoded as Latin-1."""
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def decode(text: str) -> str:
    """A part of a target, percent-decoded once as UTF-8."""
    if "%" not in text:
        return text if text.isascii() else utf8(text)
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(text.encode("latin-1", "replace")).decode("utf-8", "replace")


def decode_form(text: str) -> str:
    """A name or value of a query, decoded."""
    return decode(text.replace("+", " "))


def _decode_but_slash(text: str) -> str:
    return "%2F".join(decode(part) for part in text.replace("%2f", "%2F").split("%2F"))


def encode(text: str) -> str:
    """A path as a client would send it."""
    from urllib.parse import quote

    return quote(text.encode("utf-8", "replace"), safe="/!$&'()*+,;=:@~")
