"""Runs each bug of the museum before and after its repair, and each control once.

`python examples/museum/run.py [NAME…]`. Each package is installed into an environment of its own, under `.cache`.
`--write` puts the table of a whole run into the page. With `--survey` the jobs of `survey.py` run instead.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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


def tried(name: str, version: str) -> tuple[str, str]:
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


def room_row(name: str) -> Row:
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
        verdict, said = tried(name, version)
        row[column] = f"{version}: {verdict}"
        if verdict != expected:
            row["right"] = False
            print(said, f"{name}: {verdict}, but {expected} was expected", sep="\n", file=sys.stderr)
        elif "-v" in sys.argv:
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


def main(words: list[str]) -> int:
    """Run the rooms that are named, or all of them."""
    if "--survey" in words:
        import survey

        return survey.main([each for each in words if each != "--survey"])
    names = [each for each in words if not each.startswith("-")]
    if unknown := [each for each in names if each not in ROOMS]:
        print(f"no room {', '.join(unknown)}: there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    rows = [room_row(name) for name in names or NAMES]
    print(table(rows))
    if "--write" in words and not names:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}{table(rows)}{END}{rest.split(END)[1]}", encoding="utf-8")
    return 0 if all(each["right"] for each in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
