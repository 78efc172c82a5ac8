"""Runs clients and programs, and compares the audit with the truth: this folder's README.md.

    python -m tests.clients.confusion DIR --rounds 4 --busy 2   # the last two with every core busy; half an hour
    python -m tests.clients.confusion DIR --rounds 1 --only 'tight loop' --only 'boto3*'
    python -m tests.clients.confusion DIR --rounds 1 --table programs
    python -m tests.clients.confusion DIR                       # judge again what was recorded there, in a minute
    python -m tests.clients.confusion DIR --write               # the same, and write README.md

The first table is of the clients that `faultinject conformance` drives, the second of programs that nobody drives.
"""

import argparse
import gzip
import json
from contextlib import nullcontext
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import median
from tempfile import NamedTemporaryFile

from faultinject.audit.judging import judge
from faultinject.conformance.driving import run
from faultinject.journal.call_window import CallWindow
from faultinject.journal.reading import read

from .comparison import compare
from .programs import recording
from .programs.all import PROGRAMS
from .programs.loops import too_much_to_do
from .programs_table import ALARM, ENOUGH, GREEN
from .programs_table import compare as compare_program
from .programs_table import page as programs_page
from .subjects import HERE, ours, sdks
from .table import page

PROGRAMS_IN = "programs"
"""The folder of their journals."""
OUTAGE, THROTTLED = "out", "throttled"
TOLD = ("name", "began", "ended", "returned", "error", "key")
LATER = 60.0
"""Seconds after its end that a foreign journal is read, so that all of its calls are over."""


def main():
    """See above."""
    options = arguments()
    folder = Path(options.recordings)
    (folder / PROGRAMS_IN).mkdir(parents=True, exist_ok=True)
    subjects = {each.name: each for each in (*ours(), *sdks()) if wanted(options, "clients", each.name)}
    programs = {
        name: each for name, each in PROGRAMS.items() if wanted(options, "programs", name, each.group)
    }
    for number in range(1, options.rounds + 1):
        busy = number > options.rounds - options.busy
        with too_much_to_do(1) if busy else nullcontext():
            for subject in subjects.values():
                path = folder / f"{subject.name}.{number}.json.gz"
                record(subject, path, {"client": subject.name, "round": number, "busy": busy})
                show(subject, judged(path))
            for program in programs.values():
                path = folder / PROGRAMS_IN / f"{program.name}.{number}.jsonl"
                recording.record(program, path, round=number, busy=busy)
                show_program(program, recording.judged(path))
    results = [judged(path) for path in sorted(folder.glob("*.json.gz")) if named(path) in subjects]
    runs = [
        recording.judged(path)
        for path in sorted((folder / PROGRAMS_IN).glob("*.jsonl"))
        if named(path) in programs
    ]
    if not options.rounds:
        for each in results:
            show(subjects[each["client"]], each)
        for each in runs:
            show_program(programs[each["program"]], each)
    if options.write:
        pages = page(results, subjects), programs_page(runs, programs)
        (HERE / "README.md").write_text("\n".join(pages), encoding="utf-8")


def wanted(options, table, *names):
    """Whether something of a table is asked for, by one of its names."""
    if options.table not in (None, table):
        return False
    return not options.only or any(fnmatchcase(name, pattern) for name in names for pattern in options.only)


def named(path):
    """The name of the client whose run was recorded there."""
    return path.name.removesuffix(".gz").rsplit(".", 2)[0]


def arguments():
    """The command's options."""
    parser = argparse.ArgumentParser(prog="python -m tests.clients.confusion")
    parser.add_argument("recordings", metavar="DIR")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--busy", type=int, default=0, help="of them, with every core busy: the last so many")
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--table", choices=("clients", "programs"), help="only what belongs into this one")
    parser.add_argument("--write", action="store_true", help="write README.md, both tables")
    options = parser.parse_args()
    if options.write and (options.only or options.table):
        parser.error("--write is for everything: it goes with neither --only nor --table")
    return options


def record(subject, path, more):
    """One run of the plan."""
    done = run(subject.command, name=subject.name, vendor=subject.vendor, aws=subject.aws)
    kept = more | {
        "seconds": round(done.seconds, 1),
        "until": max(each.ended or each.began for each in done.windows),
        "told": [{name: getattr(each, name) for name in TOLD} for each in done.windows],
        "outcomes": [each.to_dict() for each in done.outcomes],
    }
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=4) as file:
        json.dump(kept, file)


def judged(path):
    """The audit's verdicts on a recorded run."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        kept = json.load(file)
    with NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps(each) + "\n" for each in kept.pop("outcomes"))
        file.flush()
        attempts = list(read([file.name]))
    calls = [CallWindow(**each) for each in kept.pop("told")]
    until = kept.pop("until")
    judgement = judge(attempts, driven=True, windows=calls, until=until)
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
        # Calls that the driver has cut at its deadline are over for nobody.
        "foreign": told(
            judge(attempts, until=until if any(each.ended is None for each in calls) else until + LATER)
        ),
    }


def told(judgement):
    """The findings, as far as they are needed."""
    names = ("check", "subject", "verdict", "n", "message")
    return [{name: each.to_dict().get(name) for name in names} for each in judgement.findings]


def show(subject, result):
    """One line, and one for each wrong verdict."""
    rows = compare(result["findings"], subject.expected)
    foreign = compare(result["foreign"], subject.expected, foreign=True)
    wrong = [str(each) for each in rows if each.wrong]
    tell(subject.name, result, rows, wrong + [f"foreign: {each}" for each in foreign if each.wrong])


def show_program(program, result):
    """The same of a program."""
    rows = compare_program(program, result["findings"])
    tell(program.name, result, rows, [each for each in rows if each.outcome in {ALARM, GREEN, ENOUGH}])


def tell(name, result, rows, wrong):
    caught = ", ".join(f"{each.label} {each.got}" for each in rows if each.got in {"FAIL", "WARN"})
    first = f"{name}, {result['round']} ({result['seconds']} s): {caught or 'nothing'}"
    print(first, *(f"    {each}" for each in wrong), sep="\n", flush=True)


if __name__ == "__main__":
    main()
