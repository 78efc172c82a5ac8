"""Faults in tests: `inject()` and its result, exploration, and the pytest plugin."""

from __future__ import annotations

from faultinject.faces import face

__getattr__, __all__ = face(__name__, CLIENTS="sdk_clients")
