"""The command line: one module a command, gathered in `program`."""

from __future__ import annotations

from faultinject.cli.program import main as main

__all__ = ["main"]
