"""Explores jobs of released packages, and keeps what came of each.

`python examples/museum/run.py --survey [NAME…]` explores the jobs of the museum's rooms and those below `survey`: first
with `--quick`, then with their vendor's standard set. The results are kept in `survey.json`, and the page is written
from them.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

from rooms import HERE, ROOMS, Row, environment, make_environment

PAGE, RESULTS = HERE / "SURVEY.md", HERE / "survey.json"
BEGIN, END = "<!-- results -->\n", "<!-- /results -->\n"
NOT_JUDGED = "not judged yet"
VERDICTS = {
    "confirmed": "bug",
    "wrong": "wrong accusation",
    "documented": "documented",
    "judged": "no bug of its own",
}
"""The keys of a job that say what shows a verdict."""
COLUMNS = (
    "job",
    "packages",
    "`--quick`",
    "standard set",
    "checks that failed",
    "what is lost",
    "verdict",
    "shown by",
    "public issue, report",
)
LIMIT = 600
"""Seconds that an exploration may take."""
AT_A_TIME = 4
"""Runs of an exploration at a time: most of their time is the packages' own backoff."""


def read_job(path: Path) -> Row:
    """A job below `survey`: its metadata is a block as in PEP 723, with a table `tool.survey`."""
    text = path.read_text(encoding="utf-8")
    [block] = re.findall(r"^# /// script\n((?:#.*\n)+?)# ///$", text, re.MULTILINE)
    script = tomllib.loads(re.sub(r"^# ?", "", block, flags=re.MULTILINE))
    job = ast.get_docstring(ast.parse(text))
    return {"path": path, "job": job, "packages": script["dependencies"], **script["tool"]["survey"]}


def job_of_room(name: str) -> Row:
    """A room, in the version that has the bug."""
    room = ROOMS[name]
    package = f"{room['package']} {room['version']}"
    row = {**room, "path": HERE / name / "job.py", "packages": [package], "issue": room["thread"]}
    if room["expected"] == "red":
        row["confirmed"] = f"[the room]({name}/README.md)"
    return {**row, **room.get("survey", {})}  # what only the survey's faults show


JOBS = {name: job_of_room(name) for name in ROOMS} | {
    path.stem: read_job(path) for path in (HERE / "survey").glob("*.py")
}


def packages_of(job: Row) -> list[str]:
    """The packages and the program of a job, each with its version."""
    return [*job["packages"], *job.get("npm", []), *filter(None, [job.get("program")])]


def interpreter(name: str) -> Path:
    """The interpreter whose environment has a job's packages."""
    if name in ROOMS:
        return environment(ROOMS[name]["version"], ROOMS[name])
    return make_environment(f"survey-{name}", JOBS[name]["packages"], JOBS[name].get("npm", []))


def explore(name: str, faults: list[str], jobs: int) -> Row:
    """Explore a job with these faults; `ended` in the result says why there is no other."""
    job = JOBS[name]
    words = ["explore", *faults, "--vendor", job["vendor"], "--reset", job["prepare"], "-o", "result.json"]
    words += ["--jobs", str(job.get("jobs", jobs)), "--max-runs", "2000"]  # only the time is limited
    # Without the job's folder in the path: a job is named as its package.
    job_command = [str(interpreter(name)), "-P", str(job["path"])]
    command = [sys.executable, "-m", "faultinject", *words, "--", *job_command]
    clean = {key: text for key, text in os.environ.items() if not key.startswith(("AWS_", "FAULTINJECT_"))}
    print("$", shlex.join(command), file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder, Path(folder, "said").open("w+", encoding="utf-8") as said:
        Path(folder, "result.json").touch()
        with subprocess.Popen(command, cwd=folder, env=clean, stdout=said, stderr=said) as process:
            try:
                process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                process.terminate()  # the exploration ends its command, and says what it has found so far
        said.seek(0)
        text = said.read()
        print(text, file=sys.stderr, flush=True)
        result = json.loads(Path(folder, "result.json").read_text(encoding="utf-8") or "{}")
    if not result.get("runs"):
        return {
            "ended": next((line for line in text.splitlines() if line.startswith("faultinject: ")), "no run")
        }
    checks = {
        check["subject"] or check["check"]
        for finding in result["findings"]
        for check in finding.get("checks", [])
        if check["verdict"] == "FAIL"
    }
    return {key: result[key] for key in ("runs", "failed", "not_run", "incomplete")} | {
        "seconds": round(result["seconds"]),
        "checks": sorted(checks),
    }


def cell(result: Row | None) -> str:
    """The result of an exploration in a table."""
    if result is None:
        return "not run"
    if "ended" in result:
        return str(result["ended"])
    unfinished = f", {result['not_run']} not made" if result["not_run"] else ""
    stopped = "".join(f", {reason.partition(':')[0]}" for reason in result["incomplete"])
    return f"{result['failed']} of {result['runs']} failed{unfinished}, {result['seconds']} s{stopped}"


def report_of(name: str) -> str:
    """The public issue of a job's bug, and a text that can be sent to the maintainers."""
    job = JOBS[name]
    texts = (f"{name}/report.md", f"survey/reports/{name}.md")
    written = [f"[not sent yet]({text})" for text in texts if (HERE / text).exists()]
    return ", ".join(
        filter(None, [job.get("issue") or ("none known" if "confirmed" in job else ""), *written])
    )


def verdict(name: str, row: Row) -> tuple[str, str]:
    """The verdict on a job's package, and what shows it."""
    keys = [key for key in VERDICTS if key in JOBS[name]]
    if keys:
        return ", ".join(VERDICTS[key] for key in keys), "; ".join(JOBS[name][key] for key in keys)
    return (NOT_JUDGED if any(result.get("failed") for result in row.values()) else "no bug found"), ""


def page(results: dict[str, Row]) -> str:
    """Write the numbers and the table: a row for each job, with the bugs first."""
    count = Counter(key for name in results for key in JOBS[name])
    bugs = [name for name in results if "confirmed" in JOBS[name]]
    seen = [name for name in bugs if any(result.get("failed") for result in results[name].values())]
    more = sum("also" in JOBS[name] for name in bugs)
    numbers = (
        f"**{len(bugs) + more} bugs confirmed, in {len(bugs)} of {len(results)} jobs**; {len(seen)} of these jobs fail"
        f" a run here. Accusations that were wrong: {count['wrong']}. True of the store, and documented by the package:"
        f" {count['documented']}."
    )
    lines = [numbers, "", f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    for name in sorted(results, key=lambda name: (name not in bugs, name)):
        job, row = JOBS[name], results[name]
        checks = {check for result in row.values() for check in result.get("checks", [])}
        cells = [
            f"`{name}`: {job['job']}",
            ", ".join(packages_of(job)),
            cell(row["quick"]),
            cell(row.get("standard")),
            ", ".join(sorted(checks)),
            "; ".join(filter(None, [job.get("lost", "nothing"), job.get("also")])),
            *verdict(name, row),
            report_of(name),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def read_results() -> dict[str, Row]:
    """The results of earlier runs, and of those beside this one."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def write_page(results: dict[str, Row]) -> None:
    """Put the table into the page."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{page(results)}{END}{rest.split(END)[1]}", encoding="utf-8")


def run(names: list[str], *, quick: bool, jobs: int) -> int:
    """Explore the jobs that are named, or all of them."""
    for name in names or sorted(JOBS):
        program, _, _ = JOBS[name].get("program", "").partition(" ")
        needs = program or JOBS[name].get("needs") or sys.executable
        if shutil.which(needs) is None:
            print(f"{name}: needs {needs}", file=sys.stderr)
            continue
        faults = JOBS[name].get("faults", [])
        rules = [word for rule in faults for word in ("-r", rule)]
        row: Row = {"quick": explore(name, ["--quick", *rules], jobs)}
        if not quick:
            row["standard"] = explore(name, ["-r", JOBS[name]["vendor"], *rules], jobs)
        results = read_results()
        results[name] = {**results.get(name, {}), **row}
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        write_page(results)
    return 0
