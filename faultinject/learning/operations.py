"""What a vendor calls the operation of a request that a log has."""

from __future__ import annotations

import re

from faultinject import vendors
from faultinject.exceptions import ConfigurationError
from faultinject.injector import trials
from faultinject.vendors.vendor import Addressing


class OperationNames:
    """The operations as a rule of that vendor names them.

    Args:
        vendor: its id; None: as an S3 request.

    Raises:
        UnknownVendor: there is none with that id.
    """

    def __init__(self, vendor: str | None) -> None:
        self._reading = Addressing(None if vendor is None else vendors.get(vendor))

    def has(self, name: str) -> bool:
        """Whether there is an operation of that very name."""
        return bool(re.fullmatch(r"\w+", name) and self._reading.operations.meant((name,)))

    def of(self, method: str, target: str, host: str) -> str | None:
        """The name for a request; None where it has none.

        Args:
            method: of the request.
            target: path and query.
            host: what it was sent to; empty: one that has no bucket in it.
        """
        target = target if target[:1] == "/" else f"/{target}"
        try:
            environ = trials.environ(method, target, host or "127.0.0.1")
            return self._reading.operation(trials.request_of(environ))
        except (ConfigurationError, ValueError):
            return None
