"""The rules of the matrix: each below a path of its own, so that one process shows every fault."""

from __future__ import annotations

TEXTS = {
    "late": "latency,delay=100ms",
    "late-after": "latency,when=after,delay=100ms",
    "hang": "hang,duration=200ms",
    "hang-after": "hang,when=after,duration=100ms",
    "hang-long": "hang",
    "reset": "reset",
    "reset-after": "reset,when=after",
    "reset-undrained": "reset,drain=no",
    "reset-late": "reset,delay=100ms",
    "close": "close",
    "close-after": "close,when=after",
    "cut": "truncate",
    "cut-all": "truncate,keep=0",
    "cut-bytes": "truncate,keep_bytes=1500",
    "cut-error": "truncate,of=cos:SlowDown",
    "drip": "drip,rate=4000",
    "drip-long": "drip,rate=20",
    "drip-error": "drip,of=cos:SlowDown,rate=2000",
    "corrupt": "corrupt",
    "corrupt-5": "corrupt,flips=5",
    "error": "cos:SlowDown",
    "error-undrained": "cos:SlowDown,drain=no",
    "exact": "cos:SlowDown,exact=yes",
    "hang-http2": "hang,http2=yes,duration=100ms",
    "reset-http2": "reset,http2=yes",
    "close-http2": "close,http2=yes",
    "cut-http2": "truncate,http2=yes",
    "late-error": "cos:InternalError,status=200,delay=400ms",
}


RULES = " ".join(f"{text},path={name}/,name={name}" for name, text in TEXTS.items())
