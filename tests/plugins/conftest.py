"""Packages of others, installed as pip installs them, in folders of their own."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = """
import os, sys
from setuptools.build_meta import build_wheel

for each in sys.argv[2:]:
    if os.fork() == 0:  # setuptools takes one build for the only one of its process
        os.chdir(each)
        build_wheel(sys.argv[1])
        break
    os.wait()
"""
HIDDEN = ("FAULTINJECT_", "PYTEST_", "PYTHONPATH")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has the vendor `acme` and the fault `empty`.

    Their wheels are unpacked there, which is all that installing a pure one means.
    """
    work = tmp_path_factory.mktemp("plugins")
    sources = [work / name for name in ("acme", "empty")]
    for each in sources:
        shutil.copytree(HERE / each.name, each, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-c", BUILD, work, *sources]
    subprocess.run(command, check=True, capture_output=True, text=True)
    for wheel in work.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(work / "site")
    return work / "site"


class Python:
    """Processes that have the packages of one folder."""

    def __init__(self, folder: Path, directory: Path) -> None:
        self.folder = folder
        self.directory = directory

    def __call__(self, *arguments: str, code: int = 0, **variables: str) -> tuple[str, str]:
        """Run a Python, and return its standard output and standard error."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN)}
        path = os.pathsep.join([str(self.folder), str(ROOT)])
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**kept, "PYTHONPATH": path, **variables},
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout, done.stderr

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
def python(installed: Path, tmp_path: Path) -> Python:
    """Processes with `acme` and `empty`, and what a test adds."""
    shutil.copytree(installed, tmp_path / "site")
    return Python(tmp_path / "site", tmp_path)


@pytest.fixture
def bare(tmp_path: Path) -> Python:
    """Processes with nothing but what a test adds."""
    (tmp_path / "site").mkdir()
    return Python(tmp_path / "site", tmp_path)
