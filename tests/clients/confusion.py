"""Runs the plan against every client and sets what the audit says beside what is true: README.md of this folder.

    python -m tests.clients.confusion DIR --rounds 3 --busy     # the last round with every core busy; 15 minutes
    python -m tests.clients.confusion DIR --rounds 1 --only 'tight loop' --only 'boto3*'
    python -m tests.clients.confusion DIR                       # judge again what was recorded there, in a minute
    python -m tests.clients.confusion DIR --write               # the same, and write README.md

OLDER_BOTO3 names a folder with boto3 1.43 (`pip install --target FOLDER boto3==1.43.117`).
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import median

from faultinject.audit.judge import judge
from faultinject.audit.reading import of_outcomes
from faultinject.audit.told import Told
from faultinject.conformance import run
from faultinject.core.outcome import Outcome

from .comparison import compare
from .subjects import HERE, ours, sdks
from .table import page

OUTAGE, THROTTLED = "out", "thr"
TOLD = ("name", "began", "ended", "returned", "error", "key")
LATER = 60.0
"""Seconds after its end that a foreign journal is read, so that all of its calls are over."""


def main():
    """See above."""
    options = arguments()
    folder = Path(options.recordings)
    folder.mkdir(exist_ok=True)
    subjects = {
        each.name: each
        for each in (*ours(), *sdks())
        if not options.only or any(fnmatchcase(each.name, pattern) for pattern in options.only)
    }
    for number in range(1, options.rounds + 1):
        busy = options.busy and number == options.rounds
        with hogs(os.cpu_count() if busy else 0):
            for subject in subjects.values():
                path = folder / f"{subject.name}.{number}.json.gz"
                record(subject, path, {"client": subject.name, "round": number, "busy": busy})
                show(subject, judged(path))
    results = [judged(path) for path in sorted(folder.glob("*.json.gz"))]
    results = [each for each in results if each["client"] in subjects]
    if not options.rounds:
        for each in results:
            show(subjects[each["client"]], each)
    if options.write:
        (HERE / "README.md").write_text(page(results, subjects), encoding="utf-8")


def arguments():
    """What is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients.confusion")
    parser.add_argument("recordings", metavar="DIR")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--busy", action="store_true", help="keep every core busy in the last round")
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--write", action="store_true", help="write README.md")
    return parser.parse_args()


@contextmanager
def hogs(number):
    """So many processes that do nothing, as fast as they can."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for each in running:
            each.kill()
            each.wait()


def record(subject, path, more):
    """One run of the plan."""
    done = run(subject.command, name=subject.name, vendor=subject.vendor, aws=subject.aws)
    kept = more | {
        "seconds": round(done.seconds, 1),
        "until": done.until,
        "told": [{name: getattr(each, name) for name in TOLD} for each in done.told],
        "outcomes": [each.to_dict() for each in done.outcomes],
    }
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=4) as file:
        json.dump(kept, file)


def judged(path):
    """What the audit says of a recorded run."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        kept = json.load(file)
    outcomes = [Outcome(**each) for each in kept.pop("outcomes")]
    calls = [Told(**each) for each in kept.pop("told")]
    until = kept.pop("until")
    judgement = judge(of_outcomes(outcomes), driven=True, told=calls, until=until)
    outage = [each for each in judgement.evidence.calls if each.name == OUTAGE]
    gaps = [each.gaps for each in judgement.evidence.calls if each.name == THROTTLED]
    return kept | {
        "agent": judgement.client,
        "outage": sum(each.retries for each in outage),
        "waits": [
            round(median(found), 3)
            for number in range(max(map(len, gaps), default=0))
            if (found := [each[number] for each in gaps if len(each) > number and each[number] is not None])
        ],
        "findings": told(judgement),
        "foreign": told(judge(of_outcomes(outcomes), until=until + LATER)),
    }


def told(judgement):
    """The findings, as far as they are needed."""
    names = ("check", "subject", "verdict", "n", "message")
    return [{name: each.to_dict().get(name) for name in names} for each in judgement.findings]


def show(subject, result):
    """One line, and one for each wrong verdict."""
    rows = compare(result["findings"], subject.expected)
    wrong = [each for each in rows if each.wrong]
    caught = [f"{each.label} {each.got}" for each in rows if each.got in {"FAIL", "WARN"}]
    print(
        f"{subject.name}, {result['round']} ({result['seconds']} s): {', '.join(caught) or 'nothing'}",
        flush=True,
    )
    for each in wrong:
        print(f"    {each}", flush=True)
    for each in compare(result["foreign"], subject.expected, foreign=True):
        if each.wrong:
            print(f"    foreign: {each}", flush=True)


if __name__ == "__main__":
    main()
