"""What a storage SDK does about every kind of fault: a fixed plan, drivers for SDKs, and the verdict."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.conformance.driving import Run as Run
    from faultinject.conformance.driving import run as run

__all__ = ["Run", "run"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from faultinject.conformance import driving

        return getattr(driving, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
