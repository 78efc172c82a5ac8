"""The museum's rooms, and the environments that jobs run in."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CACHE = HERE / ".cache"
Row = dict[str, Any]
ROOMS: dict[str, Row] = {
    each.parent.name: tomllib.loads(each.read_text(encoding="utf-8")) for each in HERE.glob("*/bug.toml")
}


def environment(version: str, room: Row) -> Path:
    """The interpreter that has this version of a room's package, installed where it is not yet."""
    python = sys.executable
    if version == room["repaired"]:
        python = room.get("repaired_python", python)
    packages = [each.format(version=version) for each in room.get("with", [])]
    if room["source"] == "npm":
        from_npm = [f"{room['package']}@{version}"]
    else:
        from_npm = []
        packages.insert(0, f"{room['package']}=={version}")
    return make_environment(f"{room['package']}-{version}", packages, from_npm, python)


def make_environment(
    name: str, packages: list[str], from_npm: list[str], python: str = sys.executable
) -> Path:
    """The interpreter of the environment of that name, which is made where there is none."""
    folder = CACHE / name
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        if from_npm:
            subprocess.run(["npm", "install", "--silent", "--prefix", str(folder), *from_npm], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        if packages:
            subprocess.run([*pip, *packages], check=True)
        (folder / "complete").touch()
    return folder / "bin" / "python"
