"""The command that installs what is missing, for the way in which faultinject was installed and for this Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path

WINDOWS = os.name == "nt"


def install_extra(extra: str) -> str:
    """The command that adds an extra of faultinject, such as `pip install 'faultinject[report]'`.

    pip and uv add an extra to the faultinject that is installed, wherever that came from: a checkout stays the one it is.
    """
    return install_package(f"faultinject[{extra}]")


def install_package(package: str) -> str:
    """The command that adds a package of an index to this Python, such as `pip install minio`."""
    return f"{_install()} {_quoted(package)}"


def own_command() -> str:
    """What a shell here calls this installation by: `faultinject`, or `.venv/bin/faultinject` where PATH has no such one."""
    from shutil import which

    folder = Path(sys.executable).absolute().parent
    found = which("faultinject")
    if found and Path(found).absolute().parent == folder:
        return "faultinject"
    script = folder / ("faultinject.exe" if WINDOWS else "faultinject")
    if not script.is_file():
        return f"{_quoted(sys.executable)} -m faultinject"
    here = Path.cwd()
    if folder == here or not script.is_relative_to(here):
        return _quoted(str(script))  # a shell looks for a name without a folder on PATH alone
    return _quoted(str(script.relative_to(here)))


def _install() -> str:
    """The installer of this Python: its pip, by the short name where a shell finds that one, or uv if it has no pip."""
    from importlib.util import find_spec
    from shutil import which

    if not find_spec("pip") and which("uv"):
        active = os.environ.get("VIRTUAL_ENV") == sys.prefix
        return "uv pip install" if active else f"uv pip install --python {_quoted(sys.executable)}"
    found = which("pip")
    if found and Path(found).absolute().parent == Path(sys.executable).absolute().parent:
        return "pip install"
    return f"{_quoted(sys.executable)} -m pip install"


def _quoted(word: str) -> str:
    """A word of a command line, as the system's shell reads it."""
    if WINDOWS:
        return f'"{word}"'
    from shlex import quote

    return quote(word)
