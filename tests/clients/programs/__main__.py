"""Runs one program: `python -m tests.clients.programs NAME ENDPOINT`; prints the calls that it names."""

from __future__ import annotations

import json
import sys

from .all import PROGRAMS
from .sending import NAMED

name, endpoint = sys.argv[1:]
PROGRAMS[name].run(endpoint)
print(json.dumps(NAMED))
