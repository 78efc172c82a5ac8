"""Packages of others, installed as pip installs them, in folders of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.forked import Launcher

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = """
import os, sys
from setuptools.build_meta import build_wheel

for each in sys.argv[1:]:
    os.chdir(each)
    build_wheel("..")
"""
HIDDEN = ("FAULTINJECT_", "PYTEST_", "PYTHONPATH")


def environ_with(folder: Path) -> dict[str, str]:
    """The environment of a process that has those packages, and this tree."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN)}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has the vendor `acme` and the fault `empty`: their wheels, unpacked, which is all that installing a pure one is."""
    work = tmp_path_factory.mktemp("plugins")
    sources = [
        shutil.copytree(HERE / name, work / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("acme", "empty")
    ]
    subprocess.run([sys.executable, "-c", BUILD, *sources], check=True, capture_output=True)
    for wheel in work.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(work / "site")
    return work / "site"


class Python:
    """Processes that have the packages of one folder."""

    def __init__(self, launcher: Launcher, folder: Path, directory: Path) -> None:
        self.launcher = launcher
        self.folder = folder
        self.directory = directory

    def __call__(self, *arguments: str, code: int = 0, **variables: str) -> tuple[str, str]:
        """What a Python prints, and what it says on the standard error; one that has read no package yet."""
        environ = {**environ_with(self.folder), **variables}
        match arguments:
            case "-c", script:
                done = self.launcher.run(env=environ, script=script, folder=self.directory)
            case "-m", "faultinject", *words:
                done = self.launcher.run(*words, env=environ, folder=self.directory)
            case _:
                ran = subprocess.run(
                    [sys.executable, *arguments],
                    env=environ,
                    cwd=self.directory,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                done = ran.returncode, ran.stdout, ran.stderr
        assert done[0] == code, done[1] + done[2]
        return done[1:]

    def add(self, package: str, group: str, *entries: str, **modules: str) -> None:
        """Put a package there: what pip leaves of one, with its entry points and modules."""
        name, _, version = package.rpartition(" ")
        metadata = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (metadata / "entry_points.txt").write_text(f"[faultinject.{group}]\n" + "\n".join(entries) + "\n")
        for module, text in modules.items():
            (self.folder / f"{module}.py").write_text(text)


@pytest.fixture
def python(launcher: Launcher, installed: Path, tmp_path: Path) -> Python:
    """Processes with `acme` and `empty`, and what a test adds."""
    shutil.copytree(installed, tmp_path / "site")
    return Python(launcher, tmp_path / "site", tmp_path)


@pytest.fixture
def bare(launcher: Launcher, tmp_path: Path) -> Python:
    """Processes with nothing but what a test adds."""
    (tmp_path / "site").mkdir()
    return Python(launcher, tmp_path / "site", tmp_path)
