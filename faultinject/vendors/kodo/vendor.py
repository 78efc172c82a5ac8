"""Ordinary Qiniu Kodo: JSON with one text, and a status that carries the meaning.

Its ids are made of process and time.
"""

from __future__ import annotations

from binascii import b2a_base64
from struct import Struct

from faultinject.vendors.envelopes import Form
from faultinject.vendors.vendor import Vendor

_pack = Struct("<IQ").pack
_drawn = Struct("<HI").unpack_from


def make_ids(entropy: bytes, unix_seconds: int) -> dict[str, str]:
    """A process number and unix nanoseconds, little-endian, in URL-safe base64.

    Six published ids have this form.
    """
    process, nanoseconds = _drawn(entropy)
    packed = _pack(process, unix_seconds * 1_000_000_000 + nanoseconds % 1_000_000_000)
    text = b2a_base64(packed, newline=False).decode()
    return {"request_id": text.replace("+", "-").replace("/", "_")}


VENDOR = Vendor(
    id="kodo",
    title="Qiniu Kodo",
    content_type="application/json",
    template="envelope.json",
    escape="json",
    package=__package__,
    child=',"%(name)s":"%(value)s"',
    forms={"batch": Form("batch.json", "application/json", "json")},
    id_headers=(("X-Reqid", "request_id"),),
    make_ids=make_ids,
    addressing="kodo",
    operations=("kodo/operations.csv",),
    extras="extras.csv",
    # 573 is a bucket's own limit; 599 asks for a retry; 612 is the status of a missing object
    typical={"throttled": "503", "own": "573", "broken": "599", "missing": "612"},
)
