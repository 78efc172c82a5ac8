"""The places of installed SDKs: Python environments, folders of the user, the machine."""

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
"""The variable with the folder whose `node_modules` has the SDKs for JavaScript."""
NODE = "20.19"
"""The oldest version of Node that runs those SDKs."""
JAVA = "JAVA_SDKS"
"""The variable with the folder of jars."""
JDK = "17"
"""The oldest version of Java that compiles the drivers at their start."""
ANSWER = 20.0
"""The time limit in seconds of a program that prints its version."""


class Pip:
    """Distributions of this Python's environment."""

    def version(self, package: str) -> str | None:
        """The version of the installed distribution, or None."""
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return None

    def command(self, folder: str, driver: str) -> tuple[str, ...]:
        """The command that drives it: a process of this Python with the factory.

        Args:
            folder: the folder of the driver below `drivers`.
            driver: the driver, by its name in `clients.toml`.
        """
        return python(f"faultinject.conformance.drivers.{folder}.{driver}")

    def install(self, packages: str) -> str:
        """The commands for a shell that install it, by pip.

        Args:
            packages: the names of the distributions, separated by spaces.
        """
        return f"pip install {packages}"


class Npm:
    """Packages in the folder of `JAVASCRIPT_SDKS`."""

    def version(self, package: str) -> str | None:
        """The version in the package's own `package.json`."""
        folder = os.environ.get(JAVASCRIPT)
        if not folder or shutil.which("node") is None:
            return None
        try:
            description = json.loads(Path(folder, "node_modules", package, "package.json").read_bytes())
        except (OSError, ValueError):  # it is not installed, or npm was interrupted
            return None
        return str(description["version"])

    def command(self, folder: str, driver: str) -> tuple[str, ...]:
        """Node, with the driver."""
        return ("node", str(DRIVERS / folder / driver))

    def install(self, packages: str) -> str:
        """The commands that install it by npm, into the folder of `JAVASCRIPT_SDKS` or a new one."""
        install = f'npm install --prefix "${{{JAVASCRIPT}:=$PWD/sdks}}" {packages} && export {JAVASCRIPT}'
        return install if shutil.which("node") else f"install Node {NODE} or newer, then {install}"


class Programs(Pip):
    """Programs of the machine, which the factories of their drivers start."""

    def version(self, package: str) -> str | None:
        """The version that the program prints; `unknown` if it prints none."""
        path = shutil.which(package, path=search_path())
        return None if path is None else _version_in_output(path)

    def install(self, packages: str) -> str:
        """The command that installs the packages of Debian."""
        return f"apt-get install {packages}"


class Scripts(Programs):
    """Programs of a Python distribution."""

    install = Pip.install


class Jar:
    """Jars in the folder of `JAVA_SDKS`."""

    def version(self, package: str) -> str | None:
        """The version in the name of the jar."""
        folder = os.environ.get(JAVA)
        if not folder or shutil.which("java") is None:
            return None
        named = re.compile(re.escape(package) + r"-(\d[\w.]*)\.jar")
        names = (named.fullmatch(jar.name) for jar in sorted(Path(folder).glob("*.jar")))
        return next((match[1] for match in names if match is not None), None)

    def command(self, folder: str, driver: str) -> tuple[str, ...]:
        """Java, with the file that compiles the driver and serves the contract for it."""
        jars = os.path.join(os.environ.get(JAVA, ""), "*")  # noqa: PTH118 - Java's own pattern
        return ("java", "-cp", jars, str(DRIVERS / folder / "Contract.java"), str(DRIVERS / folder / driver))

    def install(self, packages: str) -> str:
        """An instruction for the user, as no command fetches the jar."""
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
    """PATH, with the folder of this Python first, as in an active environment."""
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))


def python(factory: str) -> tuple[str, ...]:
    """The command that serves the contract for a factory in Python.

    With -P, a module of the user's folder does not hide one of the standard library or of the SDK.
    """
    return (sys.executable, "-P", "-m", "faultinject.conformance", factory)


@cache
def _version_in_output(path: str) -> str:
    """The first text in the output of a program that looks like a version."""
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
