"""Kills real programs at each of their requests, and writes the results for the page.

`python examples/crashes/record.py [JOB…]`
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import faultinject

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "crashes.json", HERE / "README.md"
BEGIN, END = "<!-- results -->\n", "<!-- /results -->\n"
JOBS = (
    "rclone-copy",
    "rclone-sync",
    "rclone-move",
    "restic-backup",
    "s3cmd-sync",
    "aws-s3-sync",
    "aws-s3-mv",
)


def explored(job: str) -> dict[str, Any]:
    """Explore one job, and return the report of `faultinject explore --crash --json`."""
    script = str(HERE / "job.sh")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "faultinject", "explore", "--crash", "--json", "--vendor", "s3"),
                *("--reset", f"sh '{script}' prepare {job}", "--", "sh", script, job),
            ],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    if done.returncode not in (0, 1):
        sys.exit(f"{job}: exit code {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def version(job: str) -> str:
    """Name and version of the program."""
    program = job.partition("-")[0]
    words = [program, "version"] if program in ("rclone", "restic") else [program, "--version"]
    said = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    ).stdout
    number = re.search(r"\d+(\.\d+)+", said)
    assert number is not None
    return f"{program} {number[0]}"


def kept(job: str, found: dict[str, Any]) -> dict[str, Any]:
    """Keep the parts of a report that the page shows."""
    return {
        "job": job,
        "program": version(job),
        "requests": len(found["requests"]),
        "runs": found["runs"],
        "failed": found["failed"],
        "failures": sorted({each["error"] for each in found["findings"]}),
        "warnings": sorted({plain(each) for each in found["warnings"]}),
    }


def plain(warning: str) -> str:
    """A warning without the scenarios that show it."""
    return warning.partition(" (reset,")[0]


def recorded() -> dict[str, Any]:
    """The results that are in this folder."""
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def table(document: dict[str, Any]) -> str:
    """One row a job."""
    rows = ["| job | program | requests | kills | fails | what was found |", "|---|---|---|---|---|---|"]
    for each in document["results"]:
        said = "<br>".join([*each["failures"], *each["warnings"]]).replace("*", "\\*") or "nothing"
        rows.append(
            f"| {each['job']} | {each['program']} | {each['requests']} | {each['runs']} | {each['failed']} | {said} |"
        )
    return "\n".join(rows) + "\n"


def write(document: dict[str, Any]) -> None:
    """The results, and their table."""
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}{table(document)}{END}{after}", encoding="utf-8")


def main(jobs: list[str]) -> None:
    """Run the jobs, and keep what was recorded of the others."""
    there = {each["job"]: each for each in recorded()["results"]} if RESULTS.exists() else {}
    for job in jobs or JOBS:
        if shutil.which(job.partition("-")[0]) is None:
            sys.stderr.write(f"{job}: not installed\n")
            continue
        there[job] = kept(job, explored(job))
        sys.stderr.write(f"{there[job]}\n")
        results = [there[each] for each in JOBS if each in there]
        day = datetime.now(UTC).date().isoformat()
        write({"day": day, "faultinject": faultinject.__version__, "results": results})


if __name__ == "__main__":
    main(sys.argv[1:])
