"""Runs one program, and prints the calls that it names.

`python -m tests.clients.programs GROUP NAME ENDPOINT`
"""

import json
import sys
from importlib import import_module

from .program import FOUND
from .sending import NAMED

group, name, endpoint = sys.argv[1:]
import_module(f"{__package__}.{group}")
FOUND[name].run(endpoint)
print(json.dumps(NAMED))
