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
        row for case in options.cases or CASES for row in (_here(case) if options.alone else _apart(case))
    ]
    if options.json:
        print(
            json.dumps(
                [row.to_dict() for row in rows], ensure_ascii=False, indent=None if options.alone else 2
            )
        )
    else:
        print(f"{_machine()}\n\n{table(rows)}")
    if options.write_page:
        _write(f"{_machine()}\n\n{table(rows)}")
    return 0


def _here(case: str) -> list[Row]:
    found: list[Row] = importlib.import_module(case).run()
    return found


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
    versions = [f"{name} {version}" for name in names if (version := _version(name))]
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()},"
        f" {os.cpu_count()} processors; {', '.join(versions)}."
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _write(text: str) -> None:
    page = PAGE.read_text()
    if BEGIN not in page or END not in page:
        raise SystemExit(f"{PAGE} has no {BEGIN} … {END}")
    before, rest = page.split(BEGIN, 1)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END, 1)[1]}")


if __name__ == "__main__":
    sys.exit(main())
