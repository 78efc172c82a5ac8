"""The one table of calls: what is routed, and what the OpenAPI document says."""

from __future__ import annotations

from dataclasses import dataclass

from faultinject.control import changes, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.control.answers import Answer
    from faultinject.control.call import Call

    Does = Callable[[Call], Answer]

OPENAPI = "/openapi.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One call.

    Attributes:
        method: of HTTP; GET stands for HEAD too.
        path: below the mount point; `{name}` is a rule.
        does: answers it.
        takes: the schema of its body, by name, or empty.
        gives: the schema of its answer, by name.
        status: of the answer.
        query: names of parameters.
        also: further statuses than every call has.
    """

    method: str
    path: str
    does: Does
    takes: str = ""
    gives: str = "state"
    status: int = 200
    query: tuple[str, ...] = ()
    also: tuple[int, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether something is in force by it, so that If-Match counts."""
        return self.does.__module__ == changes.__name__

    @property
    def summary(self) -> str:
        """The first line of what the function says of itself, or its name where `-OO` took that away."""
        return (self.does.__doc__ or self.does.__name__.replace("_", " ")).partition("\n")[0]


WITH_BODY = (411, 413, 415, 503)
"""Statuses of calls with a body."""

CALLS = (
    Entry("GET", "/health", reading.get_health, gives="health"),
    Entry("GET", "/state", reading.get_state, also=(503,)),
    Entry("POST", "/on", changes.switch_on, takes="on", also=WITH_BODY),
    Entry("POST", "/off", changes.switch_off, takes="nothing", also=WITH_BODY),
    Entry("POST", "/reset", changes.reset, takes="nothing", also=WITH_BODY),
    Entry("GET", "/rules", reading.get_rules, gives="scenario", query=("format",), also=(503,)),
    Entry("PUT", "/rules", changes.put_rules, takes="rules", also=WITH_BODY),
    Entry("POST", "/rules", changes.add_rule, takes="one", status=201, also=WITH_BODY),
    Entry("GET", "/rules/{name}", reading.get_rule, gives="rule", also=(404, 503)),
    Entry("PATCH", "/rules/{name}", changes.patch_rule, takes="patch", also=(404, *WITH_BODY)),
    Entry("DELETE", "/rules/{name}", changes.delete_rule, takes="nothing", also=(404, *WITH_BODY)),
    Entry("POST", "/rules/{name}/enable", changes.enable_rule, takes="nothing", also=(404, *WITH_BODY)),
    Entry("POST", "/rules/{name}/disable", changes.disable_rule, takes="nothing", also=(404, *WITH_BODY)),
    Entry("GET", "/journal", reading.get_journal, gives="journal", query=("after", "limit"), also=(503,)),
    Entry("POST", "/preview", reading.preview, takes="preview", gives="previewed", also=WITH_BODY),
)
