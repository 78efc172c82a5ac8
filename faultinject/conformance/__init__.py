"""How a storage SDK reacts to every kind of fault: a fixed plan, drivers for SDKs, and the verdict."""

from faultinject.faces import face

__getattr__, __all__ = face(
    __name__,
    BUCKET="plan",
    Codes="plan",
    ETAG="plan",
    PHASES="plan",
    chosen="plan",
    codes_of="plan",
    services="plan",
    ConformanceRun="driving",
    run="driving",
    fallen_silent="breach",
    SDKS="sdks",
    Sdk="sdks",
    play="cases",
    Specification="cases",
    specification="cases",
    specifications="cases",
    numbers_of="results",
    changes="results",
    Results="results",
    markdown="league",
)
