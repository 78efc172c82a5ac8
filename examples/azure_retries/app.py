"""Azure Blob Storage in memory, with faults in front of it."""

from collections.abc import Callable

import faultinject
from faultinject.store import ObjectStore


def create_app(rules: str = "") -> Callable[..., object]:
    """An empty store; a test's marker puts its own rules in place of these."""
    return faultinject.WSGIFaultMiddleware(ObjectStore("azure-blob"), rules)
