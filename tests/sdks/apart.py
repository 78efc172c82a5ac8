"""SDKs that have a folder of their own, in a process of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest


def in_python(program, *arguments):
    """The output of a program that finds the SDKs which pin packages that the others do not."""
    folder = os.environ.get("PINNED_SDKS")
    if not folder:
        pytest.skip("tos and aiobotocore pin other packages, and have the folder that PINNED_SDKS names")
    command = [sys.executable, "-c", program, *arguments]
    return output_of(command, env={**os.environ, "PYTHONPATH": folder})


def in_javascript(program, *arguments):
    """The output of a program of Node, whose folder has the SDKs for JavaScript."""
    folder, node = os.environ.get("JAVASCRIPT_SDKS"), shutil.which("node")
    if not folder or not node:
        pytest.skip("the SDKs for JavaScript have the folder that JAVASCRIPT_SDKS names, and need Node")
    return output_of([node, "-e", program, *arguments], cwd=folder)


def output_of(command, **how):
    """Run a program, which has to succeed, and return its output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **how)
    assert done.returncode == 0, done.stderr
    return done.stdout
