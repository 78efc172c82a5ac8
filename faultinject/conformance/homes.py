"""The places where SDKs are installed: the Python environment, own folders, the machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

DRIVERS = Path(__file__).parent / "drivers"
JAVASCRIPT = "JAVASCRIPT_SDKS"
"""The variable of the folder whose `node_modules` has the SDKs for JavaScript."""
NODE = "20.19"
"""The oldest version that runs those SDKs."""
JAVA = "JAVA_SDKS"
"""The variable of the folder of jars."""
JDK = "17"
"""The oldest version that compiles the drivers when it starts."""
ANSWER = 20.0
"""Seconds that a program may take to print its version."""


class Pip:
    """Distributions of this Python's environment."""

    def version(self, package: str) -> str | None:
        """The version of the distribution that is here, or None."""
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return None

    def command(self, folder: str, driver: str) -> tuple[str, ...]:
        """The words of the command that drives it: a process of this Python, with the factory.

        Args:
            folder: of the driver, beside this file in `drivers`.
            driver: as `clients.toml` has it.
        """
        return python(f"faultinject.conformance.drivers.{folder}.{driver}")

    def install(self, packages: str) -> str:
        """The commands for a shell that install it, by pip.

        Args:
            packages: the distributions by the names that the index has; a space between two.
        """
        return f"pip install {packages}"


class Npm:
    """Packages of the folder that `JAVASCRIPT_SDKS` names."""

    def version(self, package: str) -> str | None:
        """The version in the package's own description."""
        folder = os.environ.get(JAVASCRIPT)
        if not folder or shutil.which("node") is None:
            return None
        try:
            said = json.loads(Path(folder, "node_modules", package, "package.json").read_bytes())
        except (OSError, ValueError):  # npm was interrupted, or it is not there
            return None
        return str(said["version"])

    def command(self, folder: str, driver: str) -> tuple[str, ...]:
        """Node, with the driver."""
        return ("node", str(DRIVERS / folder / driver))

    def install(self, packages: str) -> str:
        """The commands that install it by npm.

        The folder is that of `JAVASCRIPT_SDKS`, else a new one, which the variable names then.
        """
        install = f'npm install --prefix "${{{JAVASCRIPT}:=$PWD/sdks}}" {packages} && export {JAVASCRIPT}'
        return install if shutil.which("node") else f"install Node {NODE} or newer, then {install}"


class Programs(Pip):
    """Programs of the machine, each of which the factory of its driver starts."""

    def version(self, package: str) -> str | None:
        """The version that the program prints of itself; `unknown` where that is no number."""
        path = shutil.which(package, path=search_path())
        return None if path is None else _said(path)

    def install(self, packages: str) -> str:
        """The command that installs the packages of Debian."""
        return f"apt-get install {packages}"


class Scripts(Programs):
    """Programs that a distribution brings."""

    install = Pip.install


class Jar:
    """Jars of the folder that `JAVA_SDKS` names."""

    def version(self, package: str) -> str | None:
        """The version in the name of the jar."""
        folder = os.environ.get(JAVA)
        if not folder or shutil.which("java") is None:
            return None
        named = re.compile(re.escape(package) + r"-(\d[\w.]*)\.jar")
        names = (named.fullmatch(jar.name) for jar in sorted(Path(folder).glob("*.jar")))
        return next((match[1] for match in names if match is not None), None)

    def command(self, folder: str, driver: str) -> tuple[str, ...]:
        """Java, with the file that compiles the driver and speaks for it."""
        jars = os.path.join(os.environ.get(JAVA, ""), "*")  # noqa: PTH118 - Java's own pattern
        return ("java", "-cp", jars, str(DRIVERS / folder / "Contract.java"), str(DRIVERS / folder / driver))

    def install(self, packages: str) -> str:
        """An instruction, since no command fetches the jar."""
        put = f"put {packages}-VERSION.jar and the jars that it needs into a folder that {JAVA} names"
        return put if shutil.which("java") else f"install a JDK {JDK} or newer, then {put}"


HOMES: dict[str, Pip | Npm | Programs | Jar] = {
    "pip": Pip(),
    "npm": Npm(),
    "program": Programs(),
    "script": Scripts(),
    "jar": Jar(),
}
"""The homes by the name in `clients.toml`."""


def search_path() -> str:
    """The value of PATH to find programs, beside this Python first, as in an active environment."""
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))


def python(factory: str) -> tuple[str, ...]:
    """The words of the command that serves the contract for a factory in Python.

    -P: modules of the user's folder must not be taken for ours, the standard library's or the SDK's.
    """
    return (sys.executable, "-P", "-m", "faultinject.conformance", factory)


@cache
def _said(path: str) -> str:
    """The first thing like a version that the program prints of itself."""
    for word in ("--version", "version"):
        try:
            done = subprocess.run(  # noqa: S603 - found on the path
                [path, word], capture_output=True, text=True, errors="replace", timeout=ANSWER, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if version := re.search(r"\d+(\.\d+)+", done.stdout + done.stderr):
            return version[0]
    return "unknown"
