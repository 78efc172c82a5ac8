"""The benchmarks, run by hand: `python tests/benchmarks/run.py [case …]` prints a table.

Every case runs in a process of its own. Ratios are medians of ratios measured side by side; `control` is bare against
bare, and a row whose control is not within 0.95 to 1.05 is void. Needs the `test` extra; the loopback case uses
gunicorn too, and `wrk` where it is on the PATH.
"""

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from measure import Row, table

CASES = (
    "unmatched", "literals", "matched", "journaling", "frameworks", "installing", "bounded", "patterns", "sharing", "processes", "worker", "stores", "waiting", "starting",
    "exploring", "auditing", "loopback", "proxies", "storing",
)  # fmt: skip
PAGE = Path(__file__).with_name("RESULTS.md")
BEGIN, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "cases", nargs="*", metavar="case", help=f"which cases to run (all): {' '.join(CASES)}"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--write-page", action="store_true", help="put the table into tests/benchmarks/RESULTS.md"
    )
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"unknown case: {' '.join(sorted(unknown))}")
    rows = [
        row
        for case in options.cases or CASES
        for row in (importlib.import_module(case).run() if options.alone else _apart(case))
    ]
    page = f"{_machine()}\n\n{table(rows)}"
    found = [row.to_dict() for row in rows]
    print(
        json.dumps(found, ensure_ascii=False, indent=None if options.alone else 2) if options.json else page
    )
    if options.write_page:
        _write(page)
    return 0


def _apart(case: str) -> list[Row]:
    """The rows of a case that runs in a fresh interpreter without our variables."""
    print(f"{case} …", end=" ", file=sys.stderr, flush=True)
    without = ("FAULTINJECT_", "PYTHONDONTWRITEBYTECODE", "PYTHONDEVMODE", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(without)}
    command = [sys.executable, __file__, case, "--alone", "--json"]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, env=kept)
    if done.returncode:
        raise SystemExit(f"failed with exit code {done.returncode}; a page without its rows would hide that")
    rows = [Row.from_dict(each) for each in json.loads(done.stdout)]
    print(" ".join(row.verdict or "-" for row in rows), file=sys.stderr)
    return rows


def _machine() -> str:
    names = (
        "flask",
        "werkzeug",
        "fastapi",
        "starlette",
        "uvicorn",
        "httptools",
        "uvloop",
        "gunicorn",
        "pytest",
    )
    installed = {each.name.lower(): each.version for each in importlib.metadata.distributions()}
    versions = [f"{name} {installed[name]}" for name in names if name in installed]
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()},"
        f" {os.cpu_count()} processors; {', '.join(versions)}."
    )


def _write(text: str) -> None:
    page = PAGE.read_text()
    if BEGIN not in page or END not in page:
        raise SystemExit(f"{PAGE} has no {BEGIN} … {END}")
    before, rest = page.split(BEGIN, 1)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END, 1)[1]}")


if __name__ == "__main__":
    sys.exit(main())
