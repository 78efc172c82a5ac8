"""The rules of the matrix: each below a path of its own, so that one process shows every fault."""

from __future__ import annotations

TEXTS = {
    "late": "latency,delay=200ms",
    "late-after": "latency,when=after,delay=200ms",
    "hang": "hang,duration=300ms",
    "hang-after": "hang,when=after,duration=200ms",
    "hang-long": "hang",
    "reset": "reset",
    "reset-after": "reset,when=after",
    "reset-undrained": "reset,drain=no",
    "reset-late": "reset,delay=200ms",
    "close": "close",
    "close-after": "close,when=after",
    "cut": "truncate",
    "cut-all": "truncate,keep=0",
    "cut-bytes": "truncate,keep_bytes=1500",
    "cut-error": "truncate,of=cos:SlowDown",
    "drip": "drip,rate=2000",
    "drip-error": "drip,of=cos:SlowDown,rate=2000",
    "corrupt": "corrupt",
    "corrupt-5": "corrupt,flips=5",
    "error": "cos:SlowDown",
    "error-undrained": "cos:SlowDown,drain=no",
    "exact": "cos:SlowDown,exact=yes",
    "hang-http2": "hang,http2=yes,duration=200ms",
    "reset-http2": "reset,http2=yes",
    "close-http2": "close,http2=yes",
    "cut-http2": "truncate,http2=yes",
    "late-error": "cos:InternalError,status=200,delay=300ms",
}


RULES = " ".join(f"{text},path={name}/,name={name}" for name, text in TEXTS.items())
