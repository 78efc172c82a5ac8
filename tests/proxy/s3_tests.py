"""Ceph's S3 suite over moto has the same results directly and through `faultinject proxy`.

`python -m tests.proxy.s3_tests` clones the suite at the commit below, makes an environment for it and runs it twice,
each time in front of a new moto. `-k` and `-m` choose tests as pytest does. It ends with 1 if any test differs.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tests.ports import ReservedPort

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SUITE = "https://github.com/ceph/s3-tests"
COMMIT = "8f0ae7b404a3a2fcf7038bf1e6bf29544fe9b6a3"
SLOW = (
    "not (lifecycle_expiration or lifecycle_transition or cloud_transition or cloud_restore or "
    "bucket_logging or s3select)"
)
"""Tests that wait for minutes for features that moto lacks."""
FILES = ("s3tests/functional/test_s3.py", "s3tests/functional/test_headers.py")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=ROOT / ".nox" / "s3-tests", help="of the suite and its runs"
    )
    parser.add_argument("--clone", default=SUITE, help="where it is cloned from (%(default)s)")
    parser.add_argument(
        "-k", dest="words", default="", help="tests whose names have these words, as pytest has it"
    )
    parser.add_argument("-m", dest="marks", default=SLOW, help="tests with these marks (%(default)s)")
    options = parser.parse_args()
    folder: Path = options.folder.resolve()
    python = _installed(folder, options.clone)
    chosen = ["-m", options.marks, *(("-k", options.words) if options.words else ())]
    return _compared(*[_outcomes(folder, python, chosen, way) for way in ("direct", "proxy")])


def _installed(folder: Path, source: str) -> Path:
    """The Python of an environment with what the suite needs, and moto; made once."""
    clone, python = folder / "suite", folder / "venv" / "bin" / "python"
    if not clone.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", "clone", "-q", source, clone], check=True)
        subprocess.run(["git", "-C", clone, "checkout", "-q", COMMIT], check=True)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        needed = ["-r", clone / "requirements.txt", "moto[server,s3]"]
        subprocess.run([python, "-m", "pip", "install", "-q", *needed], check=True)
    return python


def _outcomes(folder: Path, python: Path, chosen: list[str], way: str) -> dict[str, str]:
    """The result of each test."""
    with ExitStack() as stack:
        port = stack.enter_context(ReservedPort())
        stack.enter_context(_running([python, "-m", "moto.server", "-p", str(port)], port))
        if way == "proxy":
            behind, port = port, stack.enter_context(ReservedPort())
            command = [sys.executable, "-m", "faultinject", "proxy", "--to", f"http://127.0.0.1:{behind}"]
            stack.enter_context(_running([*command, "--port", str(port)], port))
        settings, report = folder / f"{way}.conf", folder / f"{way}.xml"
        sample = (folder / "suite" / "s3tests.conf.SAMPLE").read_text()
        settings.write_text(
            re.sub(
                r"(?m)^host = .*", "host = 127.0.0.1", re.sub(r"(?m)^port = 8000", f"port = {port}", sample)
            )
        )
        began = time.monotonic()
        subprocess.run(
            [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", f"--junitxml={report}", *chosen, *FILES],
            cwd=folder / "suite",
            env={**_plain(), "S3TEST_CONF": str(settings)},
            stdout=subprocess.DEVNULL,
            check=False,
        )  # fmt: skip
    outcomes = {}
    for case in ET.parse(report).iter("testcase"):
        kinds = [each.tag for each in case if each.tag in ("failure", "error", "skipped")]
        outcomes[f"{case.get('classname')}.{case.get('name')}"] = kinds[0] if kinds else "passed"
    counts = {kind: list(outcomes.values()).count(kind) for kind in sorted(set(outcomes.values()))}
    print(f"{way}: {len(outcomes)} tests in {time.monotonic() - began:.0f} s: {counts}", flush=True)
    return outcomes


def _compared(direct: dict[str, str], proxied: dict[str, str]) -> int:
    names = sorted({*direct, *proxied})
    others = [name for name in names if direct.get(name) != proxied.get(name)]
    for name in others:
        print(f"differs: {name}: {direct.get(name)} directly, {proxied.get(name)} through the proxy")
    print(f"{len(names) - len(others)} of {len(names)} tests end alike")
    return 1 if others or not names else 0


@contextmanager
def _running(command: list[str | Path], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_plain())
    try:
        for _ in range(1200):
            with closing(socket.socket()) as client:
                if not client.connect_ex(("127.0.0.1", port)):
                    break
            if process.poll() is not None:
                raise SystemExit(f"{command[0]} has ended: {process.returncode}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(300)


def _plain() -> dict[str, str]:
    """Without settings of ours, and of whoever runs it."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("FAULTINJECT_", "AWS_", "HTTP_PROXY", "HTTPS_PROXY", "PYTEST_"))
    }


if __name__ == "__main__":
    sys.exit(main())
