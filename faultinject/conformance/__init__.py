"""How a storage SDK reacts to every kind of fault: a fixed plan, drivers for SDKs, and the verdict."""

from __future__ import annotations

from faultinject.faces import face

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.conformance.cases import Specification as Specification
    from faultinject.conformance.driving import Run as Run
    from faultinject.conformance.driving import run as run

__getattr__, __all__ = face(
    __name__,
    BUCKET="plan",
    Codes="plan",
    ETAG="plan",
    PHASES="plan",
    chosen="plan",
    codes_of="plan",
    services="plan",
    Run="driving",
    run="driving",
    fallen_silent="breach",
    SDKS="sdks",
    Sdk="sdks",
    play="playing",
    Specification="cases",
    specification="cases",
    specifications="cases",
    numbers_of="numbers",
    changes="results",
    Results="results",
    markdown="page",
)
