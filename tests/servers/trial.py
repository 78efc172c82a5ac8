"""One fault on one server: the paths, the journal, and what is compared with the results."""

import time

from .probe import PATIENCE
from .results import RESULTS, WRITING
from .rules import TEXTS

SETTLED = 0.3
"""Seconds after which the journal's last word is taken, where no word is expected yet."""


class Trial:
    """A fault that is tried on a server.

    Args:
        server: the running server.
        fault: the name of the fault's column.
    """

    def __init__(self, server, fault):
        self.server = server
        self.fault = fault
        self._known = RESULTS.get(server.name, {}).get(fault)

    def path(self, rule, target="photos/1000"):
        """A path below that rule's that nobody else asks for."""
        assert rule == "else" or rule in TEXTS
        return f"/{rule}/t{next(self.server.numbers)}/{target}"

    def ask(self, rule, target="photos/1000", method="GET", body=None, more=""):
        """One request on a connection of its own: its path and its answer."""
        path = self.path(rule, target)
        with self.server.connect() as client:
            answer = client.ask(method, path, body, more=more)
        return path, answer

    def patience(self, seconds, wanted):
        """Seconds to wait for an event that may never come; more if the results expect it."""
        known = self._known is not None and not WRITING and wanted in self._known["saw"]
        return PATIENCE if known else seconds

    def did(self, path, wanted=None):
        """The journal's last word on a request."""
        if wanted is None and self._known is not None and not WRITING:
            wanted = self._known["did"]
        elif wanted is None:
            time.sleep(SETTLED)
            return self.server.outcome(path)["did"]
        return self.server.outcome(path, until=lambda outcome: outcome["did"] == wanted)["did"]

    def seen(self, saw, path):
        """The observations for the results."""
        did = self.did(path)
        # A reset is never claimed, and never kept quiet.
        assert (did == "reset") == saw.startswith("RST")
        return {"saw": saw, "did": did}
