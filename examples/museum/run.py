"""Runs each bug of the museum before and after its repair, and each control once.

Each package is installed into an environment of its own, under `.cache`. With `--survey` the jobs of the survey are
explored instead, and `SURVEY.md` is written after each. The exit code is 1 if a room gives another result than its page
says, and 2 if the command line is wrong.
"""

from __future__ import annotations

import argparse
import difflib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import survey
from rooms import HERE, ROOMS, Row, environment

PAGE = HERE / "README.md"
BEGIN, END = "<!-- results -->\n", "<!-- /results -->\n"
NAMES = sorted(ROOMS, key=lambda name: (ROOMS[name]["expected"] == "green", name))
"""The bugs, then the controls."""


def is_here(python: str) -> bool:
    """Whether there is an interpreter of that name, and not only a stand-in for it."""
    found = shutil.which(python)
    return (
        found is not None
        and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0
    )


def command(name: str, python: Path) -> list[str]:
    """The exploration, as the page of the bug shows it."""
    room = ROOMS[name]
    words = ["explore", "--vendor", room["vendor"], "-r", room["rule"], "--reset", room["prepare"]]
    job = [str(python), str(HERE / name / "job.py")]
    words += ["--again", shlex.join(job)] if room.get("again") else []
    return [sys.executable, "-m", "faultinject", *words, "--", *job]


def run_version(name: str, version: str) -> tuple[str, str]:
    """Run one version, and return `red` or `green` and its output.

    It is `red` only if the output has the words that the bug is known for.
    """
    python = environment(version, ROOMS[name])
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command(name, python),
            cwd=folder,
            env={
                key: text for key, text in os.environ.items() if not key.startswith(("AWS_", "FAULTINJECT_"))
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if done.returncode == 0:
        return "green", done.stdout
    room = ROOMS[name]
    said = [room.get("says", "\0"), f"lost answer: {room['answer']}" if "answer" in room else ""]
    known = done.returncode == 1 and all(each in done.stdout for each in said)
    return ("red" if known else "neither red nor green"), done.stdout


def run_room(name: str, verbose: bool) -> Row:
    """Run a room's version with the bug, and the repaired one."""
    room, began = ROOMS[name], time.monotonic()
    row: Row = {"name": name, "right": True, "before": "", "after": ""}
    for column, version, expected in (
        ("before", room["version"], room["expected"]),
        ("after", room["repaired"], "green"),
    ):
        if not version:
            continue
        needs = room.get("repaired_python" if column == "after" else "needs", sys.executable)
        if not is_here(needs):
            row[column] = f"{version}: needs {needs}"
            continue
        print(f"{name}: {room['package']} {version} …", file=sys.stderr, flush=True)
        verdict, said = run_version(name, version)
        row[column] = f"{version}: {verdict}"
        if verdict != expected:
            row["right"] = False
            print(said, f"{name}: {verdict}, but {expected} was expected", sep="\n", file=sys.stderr)
        elif verbose:
            shown = shlex.join(["faultinject", *command(name, Path("python"))[3:]])
            print("$", shown.replace(str(HERE), "examples/museum"))
            print(said)
    if room["expected"] == "green":
        row["before"], row["after"] = "", row["before"]
    row["seconds"] = round(time.monotonic() - began)
    return row


def table(rows: list[Row]) -> str:
    """Print a row for each room: loss, reaction to the lost answer, red, green, seconds."""
    lines = [
        "| room | what is lost | lost answer | red before | green after | seconds |",
        "|---|---|---|---|---|---|",
    ]
    for each in rows:
        room = ROOMS[each["name"]]
        cells = (f"`{each['name']}`", room["lost"], room.get("answer", ""), each["before"], each["after"])
        lines.append(f"| {' | '.join(cells)} | {each['seconds']} |")
    return "\n".join(lines) + "\n"


def command_line(words: list[str]) -> argparse.Namespace:
    """Read the command line, and refuse what is unknown with the nearest name."""
    parser = argparse.ArgumentParser(
        prog="run.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    of_survey = f"with --survey: the runs at a time (default: {survey.AT_A_TIME})"
    given = [
        parser.add_argument(
            "names", nargs="*", metavar="NAME", help="a room or a job (default: all of them)"
        ),
        parser.add_argument("-v", "--verbose", action="store_true", help="print what each exploration says"),
        parser.add_argument("--write", action="store_true", help="put the table of all rooms into README.md"),
        parser.add_argument("--survey", action="store_true", help="explore the jobs of the survey"),
        parser.add_argument("--quick", action="store_true", help="with --survey: without the standard sets"),
        parser.add_argument("--jobs", type=int, metavar="N", help=of_survey),
    ]
    options, unknown = parser.parse_known_intermixed_args(words)
    names = survey.JOBS if options.survey else ROOMS
    unknown += [each for each in options.names if each not in names]
    if unknown and unknown[0] in survey.JOBS:
        parser.error(f"{unknown[0]} is a job of the survey: add --survey")
    if unknown:
        known = [*names, "--help", *(word for each in given for word in each.option_strings)]
        near = difflib.get_close_matches(unknown[0], known, 1, 0)
        parser.error(f"{unknown[0]}: there is no such name or option; did you mean {near[0]}?")
    if (options.quick or options.jobs is not None) and not options.survey:
        parser.error("--quick and --jobs are for --survey")
    if options.write and (options.survey or options.names):
        parser.error("--write is for a run of all rooms")
    return options


def main(words: list[str]) -> int:
    """Run the rooms that are named, or all of them."""
    options = command_line(words)
    if options.survey:
        return survey.run(options.names, quick=options.quick, jobs=options.jobs or survey.AT_A_TIME)
    rows = [run_room(name, options.verbose) for name in options.names or NAMES]
    print(table(rows))
    if options.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}{table(rows)}{END}{rest.split(END)[1]}", encoding="utf-8")
    return 0 if all(each["right"] for each in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
