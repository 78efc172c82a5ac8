"""The command that installs what is missing, for the way in which faultinject was installed and for this Python."""

from __future__ import annotations

import os
import sys
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WINDOWS = os.name == "nt"


def install_extra(extra: str) -> str:
    """The command that adds an extra of faultinject, such as `pip install -e '/home/me/faultinject[report]'`.

    It names the checkout, wheel, archive or repository that `direct_url.json` says faultinject came from, the checkout
    that it is imported from when it is not installed, and else the name in an index.

    Source: packaging.python.org, "Recording the Direct URL Origin of installed distributions".
    """
    editable, target = _origin(extra)
    return f"{_install()} {'-e ' * editable}{_quoted(target)}"


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


def _origin(extra: str) -> tuple[bool, str]:
    """Whether faultinject was installed with `-e`, and what to install."""
    import json
    from importlib.metadata import PackageNotFoundError, distribution

    named = f"faultinject[{extra}]"
    try:
        recorded = distribution("faultinject").read_text("direct_url.json")
    except PackageNotFoundError:
        checkout = Path(__file__).absolute().parent.parent
        return False, f"{checkout}[{extra}]" if (checkout / "pyproject.toml").is_file() else named
    if recorded is None:
        return False, named
    origin: dict[str, Any] = json.loads(recorded)
    url: str = origin["url"]
    if repository := origin.get("vcs_info"):
        return False, f"{named} @ {repository['vcs']}+{url}@{repository['commit_id']}"
    if not url.startswith("file:"):
        return False, f"{named} @ {url}"
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    path = url2pathname(urlsplit(url).path)
    if not Path(
        path
    ).exists():  # an installer takes the installed faultinject for the named one, and adds the extra
        return False, named
    return bool(origin.get("dir_info", {}).get("editable")), f"{path}[{extra}]"


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
