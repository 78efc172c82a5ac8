"""Journals made by hand, for `report` to read."""

import json
import time


def line(seq, arrived, **more):
    """The fields of one request, a COS SlowDown, answered a millisecond later."""
    began = time.time() - 3600
    return {
        "v": 1,
        "time": began + arrived,
        "arrived": 1000.0 + arrived,
        "answered": 1000.001 + arrived,
        "pid": 7,
        "seq": seq,
        "generation": 1,
        "connection": 40000,
        "principal": "a" * 16,
        "test": None,
        "method": "PUT",
        "path": "/photos/cat.jpg",
        "query": "",
        "host": "127.0.0.1:8000",
        "client": "127.0.0.1",
        "operation": "PutObject",
        "bucket": "photos",
        "key": "cat.jpg",
        "request_bytes": 3,
        "request_digest": "b" * 16,
        "body_complete": True,
        "user_agent": "uploader/1.0",
        "attempt_hint": None,
        "rule": "rule-1",
        "fault": "cos:SlowDown",
        "when": "before",
        "applied": False,
        "guarded": False,
        "hint": None,
        "hint_form": None,
        "did": "answered",
        "left": False,
        "status": 503,
        "response_bytes": 400,
        "checksum": None,
        "request_id": "1",
        "elapsed": 0.001,
        "seed": "1",
        "n": 0,
        **more,
    }


def throttled(calls=20, waits=(0.4, 0.8, 1.6), *, agent="uploader/1.0"):
    """Calls of a client that waits so long, each for a key of its own; all attempts fail."""
    lines = []
    for number in range(calls):
        arrived = number * 0.04
        for wait in (0.0, *waits):
            arrived += wait
            path = f"/photos/{number}.jpg"
            retry = {"invocation": str(number), "retry": wait > 0}
            about = {
                "key": path[8:],
                "user_agent": agent,
                "connection": 40000 + number,
                "attempt_hint": retry,
            }
            lines.append(line(0, arrived, path=path, **about))
            arrived += 0.001
    lines.sort(key=lambda each: each["arrived"])
    return [{**each, "seq": number} for number, each in enumerate(lines)]


def forbidden(calls=4, *, repeated=True):
    """Calls that get 403, and that the client repeats after half a second if `repeated`."""
    lines = []
    for number in range(calls):
        for arrived in (number, number + 0.501)[: 1 + repeated]:
            path = f"/photos/{number}.jpg"
            lines.append(line(0, arrived, path=path, key=path[8:], fault="cos:AccessDenied", status=403))
    lines.sort(key=lambda each: each["arrived"])
    return [{**each, "seq": number} for number, each in enumerate(lines)]


def gives_up(calls=5):
    """Calls that are retried after a 500, and others that are not after a 503."""
    lines = []
    for number, wait in zip(range(calls), (0.3, 0.7, 0.4, 0.9, 0.6), strict=True):
        path = f"/photos/{number}.jpg"
        lines.append(line(0, number, path=path, fault="cos:InternalError", status=500))
        lines.append(line(0, number + wait, path=path, fault=None, status=200, did="passed"))
    lines += [line(0, calls + number, path=f"/photos/dog-{number}.jpg") for number in range(calls)]
    return [{**each, "seq": number} for number, each in enumerate(lines)]


def text(lines):
    """The lines as they stand in a file."""
    return "".join(json.dumps(each) + "\n" for each in lines)
