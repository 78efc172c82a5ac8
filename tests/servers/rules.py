"""The rules of the matrix, each with its own path, so that one process shows every fault."""

APP, ERROR, CUT, NONE, EMPTY = "app", "error", "cut", "none", "empty"
THEN = {
    # What the connection is looked at after: the rule, and what its client gets.
    "latency": ("latency,delay=10ms", APP),
    "latency-after": ("latency,delay=10ms,when=after", APP),
    "drip": ("drip,rate=100KB", APP),
    "corrupt": ("corrupt", APP),
    "hang": ("hang,duration=10ms", NONE),
    "hang-after": ("hang,duration=10ms,when=after", NONE),
    "hang-undrained": ("hang,duration=10ms,drain=no", NONE),
    "reset": ("reset", NONE),
    "reset-after": ("reset,when=after", NONE),
    "reset-undrained": ("reset,drain=no", NONE),
    "close": ("close", NONE),
    "close-after": ("close,when=after", NONE),
    "close-undrained": ("close,drain=no", NONE),
    "truncate": ("truncate", CUT),
    "truncate-error": ("truncate,of=cos:SlowDown", CUT),
    "drip-error": ("drip,of=cos:SlowDown,rate=100KB", ERROR),
    "error": ("cos:SlowDown", ERROR),
    "error-late": ("cos:SlowDown,delay=10ms", ERROR),
    "error-after": ("cos:SlowDown,when=after", ERROR),
    "error-after-late": ("cos:SlowDown,when=after,delay=10ms", ERROR),
    "error-undrained": ("cos:SlowDown,drain=no", ERROR),
    "error-undrained-late": ("cos:SlowDown,drain=no,delay=10ms", ERROR),
    "error-closes": ("cos:SlowDown,set.connection=close", ERROR),
    "error-part": ("cos:SlowDown,after_bytes=500", ERROR),
    "error-part-late": ("cos:SlowDown,after_bytes=500,delay=10ms", ERROR),
    "reset-part": ("reset,after_bytes=500", NONE),
    "stall-part": ("stall,duration=10ms,after_bytes=500", APP),
    "odd-status": ("cos:SlowDown,status=567", ERROR),
    "success": ("cos:InternalError,status=200,delay=10ms", ERROR),
    "success-undrained": ("cos:InternalError,status=200,delay=10ms,drain=no", ERROR),
}

TEXTS = {
    # A client that must see a pause, or make a request meanwhile, may itself be delayed by half a second.
    "late": "latency,delay=100ms",
    "later": "latency,delay=1s",
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
    "reset-middle": "reset,after_bytes=100000",
    "close-middle": "close,after_bytes=100000",
    "hang-middle": "hang,duration=200ms,after_bytes=100000",
    "error-middle": "cos:SlowDown,after_bytes=100000",
    "stall-middle": "stall,duration=1s,after_bytes=100000",
    "reset-answer": "reset,when=after,after_bytes=500",
    "close-answer": "close,when=after,after_bytes=500",
    "hang-answer": "hang,when=after,duration=200ms,after_bytes=500",
    "stall-answer": "stall,when=after,duration=1s,after_bytes=500",
    "stall-answer-long": "stall,when=after,after_bytes=500",
    "drip": "drip,rate=1000",
    "drip-long": "drip,rate=20",
    "corrupt": "corrupt",
    "corrupt-5": "corrupt,flips=5",
    "error": "cos:SlowDown",
    "error-undrained": "cos:SlowDown,drain=no",
    "error-undrained-last": "cos:SlowDown,drain=no,set.connection=close",
    "hang-http2": "hang,http2=yes,duration=100ms",
    "reset-http2": "reset,http2=yes",
    "close-http2": "close,http2=yes",
    "cut-http2": "truncate,http2=yes",
    "late-plain": "cos:SlowDown,delay=5s",
    "reset-later": "reset,delay=5s",
    "late-error": "cos:InternalError,status=200,delay=1s",
}


# What stands before the first request of each thing, for clients that try again.
ONCE = {
    "once": "cos:SlowDown,times=1,per=call",
    "once-late": "cos:SlowDown,times=1,per=call,delay=1300ms",
    "once-undrained": "cos:SlowDown,times=1,per=call,drain=no",
}

_ALL = TEXTS | ONCE | {f"then-{name}": text for name, (text, _) in THEN.items()}
RULES = " ".join(f"{text},path={name}/,name={name}" for name, text in _ALL.items())
