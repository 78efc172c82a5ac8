"""SDKs that run in a process of their own: in another folder of packages, or in Node."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def output(*command, given="", folder=None, **environ):
    """Run a command, which succeeds, and return its standard output."""
    done = subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env={**os.environ, **environ},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def pinned(program, *arguments):
    """Run a program that needs packages of other versions than the suite's."""
    folder = os.environ.get("PINNED_SDKS")
    if not folder:
        pytest.skip("tos and aiobotocore pin other versions: their folder is named by PINNED_SDKS")
    return output(sys.executable, "-c", program, *arguments, PYTHONPATH=folder)


def in_node(package, program, *arguments, given=""):
    """Run a program for Node, a text or a file, that needs this package."""
    folder, node = os.environ.get("JAVASCRIPT_SDKS"), shutil.which("node")
    if not folder or not node:
        pytest.skip(f"{package} has a folder of its own, which JAVASCRIPT_SDKS names, and needs Node")
    if not Path(folder, "node_modules", package, "package.json").is_file():
        pytest.skip(f"the folder that JAVASCRIPT_SDKS names has no {package}")
    words = [program] if isinstance(program, Path) else ["-e", program]
    return output(node, *words, *arguments, given=given, folder=folder)
