"""Small programs that commands run many times: a runner of tests and a client."""

from pathlib import Path

PLACE = Path(__file__).parents[1] / "testing" / "exploration"
PLAIN_HTTP = f"import os, sys; sys.path.insert(0, {str(PLACE)!r}); from plain_http import exchange\n"
"""The beginning of a program that has `exchange`."""
