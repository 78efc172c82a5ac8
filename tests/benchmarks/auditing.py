"""Time and memory to judge a long journal, each in a process of its own."""

import gc
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from measure import Goal, Row

LINES = 100_000
SECONDS = 5
LIMIT = 300
CLIENTS = {
    "ids": "boto3's call ids, 30 % of requests fail",
    "looks": "no ids, 30 % of requests fail",
    "outage": "no ids, all requests fail",
}
AGENT = (
    "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux#6.1.0 md/arch#x86_64 lang/python#3.11.7 md/pyimpl#CPython m/Z,b"
    " cfg/retry-mode#standard Botocore/1.44.5"
)


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        return [row for each in CLIENTS.items() for row in _judged(Path(folder, "journal.jsonl"), *each)]


def _judged(path: Path, client: str, told: str) -> list[Row]:
    with path.open("w") as file:
        file.writelines(islice(_lines(client), LINES))
    done = subprocess.run([sys.executable, __file__, path], check=False, capture_output=True, text=True)
    seconds, resident = map(float, done.stdout.split() if done.returncode == 0 else ("inf", "inf"))
    case = f"{LINES:,} journal lines judged: {told}"
    note = f"CPU, {path.stat().st_size / 2**20:.0f} MiB of journal"
    return [
        Row(case, "–", Goal("≤", SECONDS, "s"), seconds, seconds, seconds, note=note),
        Row(case, "–", Goal("≤", LIMIT, "MiB"), resident, resident, resident, note="resident"),
    ]


def _lines(client: str) -> Iterator[str]:
    """Lines of calls, one every 2 ms, up to 5 attempts each, with full jitter.

    They are nearly in order, as in files.
    """
    chance = random.Random(7)
    coming: list[tuple[float, str]] = []
    seq = 0
    for call in range(LINES):
        now = call * 0.002
        for attempt in range(1, 6):
            fails = attempt < 5 and (client == "outage" or chance.random() < 0.3)
            coming.append((now, _line(client, seq, call, attempt, now, fails=fails or client == "outage")))
            seq += 1
            if not fails:
                break
            now += 0.001 + chance.random() * 2 ** (attempt - 1)
        if len(coming) > 100_000:
            coming.sort()
            yield from (line for _, line in coming[:50_000])
            del coming[:50_000]
    yield from (line for _, line in sorted(coming))


def _line(client: str, seq: int, call: int, attempt: int, now: float, *, fails: bool) -> str:
    """One line, with every field that the journal writes."""
    hint = {"invocation": f"{call:032x}", "attempt": attempt, "max": 5} if client == "ids" else None
    fields = {
        "v": 1, "time": 1.8e9 + now, "arrived": 1e4 + now, "answered": 1e4 + now + 0.001, "pid": 7, "seq": seq,
        "generation": 0, "connection": 50_000 + call % 64, "principal": "0123456789abcdef", "test": None,
        "method": "PUT", "path": f"/photos/2026/11/{call:07d}.jpg", "query": "", "host": "storage.example",
        "client": "10.0.0.7", "operation": "PutObject", "bucket": "photos", "key": f"2026/11/{call:07d}.jpg",
        "request_bytes": 65536, "request_digest": f"{call:032x}" if fails else None,
        "body_complete": True if fails else None, "user_agent": AGENT, "attempt_hint": hint,
        "rule": "rule-1" if fails else None, "fault": "cos:InternalError" if fails else None,
        "when": "before" if fails else None, "applied": not fails, "guarded": False, "hint": None, "hint_form": None,
        "did": "answered" if fails else "passed", "status": 500 if fails else 200, "response_bytes": 300,
        "request_id": f"{seq:024x}" if fails else None, "elapsed": 0.001, "seed": "0", "n": seq if fails else None,
    }  # fmt: skip
    return json.dumps(fields, separators=(",", ":")) + "\n"


def _measure(path: str) -> None:
    from faultinject.audit.judging import judge
    from faultinject.audit.reports import render
    from faultinject.journal.reading import read

    gc.disable()  # as `faultinject report` does
    before = time.process_time()
    judgement = judge(read([path]))
    assert judgement.attempts == LINES
    render(judgement, "text")
    print(time.process_time() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    _measure(sys.argv[1])
