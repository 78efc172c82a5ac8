"""What a message says about something that is missing is a command that installs it here and now."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from faultinject.installation import install_extra, install_package, own_command

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def own_pip(monkeypatch):
    """A pip beside this Python, first on the path: the short name is right."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr(shutil, "which", lambda name: str(Path(sys.executable).parent / name))


def test_an_extra():
    """The name is enough, wherever the installed faultinject came from."""
    assert install_extra("demo") == "pip install 'faultinject[demo]'"


def test_a_pip_of_another_python(monkeypatch):
    """What a shell finds first would install elsewhere."""
    for found in ("/usr/bin/pip", None):
        monkeypatch.setattr(shutil, "which", lambda name, found=found: found)
        assert install_package("minio") == f"{shlex.quote(sys.executable)} -m pip install minio"


def test_uv(monkeypatch):
    """An environment that uv made has no pip; uv finds the active one by itself."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    assert install_package("minio") == "uv pip install minio"
    monkeypatch.delenv("VIRTUAL_ENV")
    assert install_package("minio") == f"uv pip install --python {shlex.quote(sys.executable)} minio"


def test_its_own_command(monkeypatch, tmp_path):
    """By its name where a shell finds this one by it, else where it lies; with Python where there is no script."""
    folder = tmp_path / "my env" / "bin"
    folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.chdir(tmp_path)
    found = {}
    monkeypatch.setattr(shutil, "which", found.get)
    assert own_command() == f"'{folder / 'python'}' -m faultinject"
    (folder / "faultinject").touch()
    found["faultinject"] = "/usr/bin/faultinject"
    assert own_command() == "'my env/bin/faultinject'"
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert own_command() == f"'{folder / 'faultinject'}'"
    monkeypatch.chdir(folder)
    assert own_command() == f"'{folder / 'faultinject'}'"
    found["faultinject"] = str(folder / "faultinject")
    assert own_command() == "faultinject"


def test_windows_quotes(monkeypatch):
    """Its shell knows no single quotes."""
    monkeypatch.setattr("faultinject.installation.WINDOWS", True)
    assert install_extra("report") == 'pip install "faultinject[report]"'


COMMANDS = re.findall(
    r"^pip .*/path/to/faultinject.*$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE
)


@pytest.mark.slow  # it needs an index of packages
@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_of_the_readme_and_of_the_hint_are_taken(command, tmp_path):
    """In a fresh environment; an extra that is missing then comes by the command that the message names."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    environ["PIP_COMPILE"] = "0"  # what is installed is used once
    venv.create(tmp_path / ".venv", with_pip=True)
    environ["PATH"] = f"{tmp_path / '.venv' / 'bin'}:{environ['PATH']}"

    def run(command, status=0):
        done = subprocess.run(
            ["bash", "-euc", command],
            cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done.stderr

    run(command.replace("/path/to/faultinject", str(ROOT)))
    asked = "faultinject conformance --client no_such:Client -o report.html"
    hint = run(asked, 2).rstrip().partition("jinja2: ")[2]
    assert hint == "pip install 'faultinject[report]'"
    run(hint)
    assert "jinja2" not in run(asked, 2)


def test_the_readme_has_both_ways():
    """From a checkout and from a wheel."""
    assert len(COMMANDS) == 2
