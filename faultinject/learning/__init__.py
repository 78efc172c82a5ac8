"""The errors of an access log, as a scenario with the same mix.

`formats` reads lines, `tallies` counts them, `windows` finds when a share changed, `writing` says it as rules.
"""

from faultinject.faces import face

__getattr__, __all__ = face(
    __name__,
    FORMATS="formats",
    OperationNames="formats",
    Record="formats",
    Skip="formats",
    as_toml="writing",
    cuts="windows",
    interval="windows",
    learn="writing",
    read_logs="tallies",
)
