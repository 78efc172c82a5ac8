"""The one table of calls: what is routed, and what the reference lists."""

from __future__ import annotations

from dataclasses import dataclass

from faultinject.control import changes, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.control.answers import Answer
    from faultinject.control.call import Call

    Does = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Entry:
    """One call.

    Attributes:
        method: of HTTP; GET stands for HEAD too.
        path: below the mount point; `{name}` is a rule.
        does: answers it.
        query: names of parameters.
    """

    method: str
    path: str
    does: Does
    query: tuple[str, ...] = ()


CALLS = (
    Entry("GET", "/health", reading.get_health),
    Entry("GET", "/state", reading.get_state),
    Entry("POST", "/on", changes.switch_on),
    Entry("POST", "/off", changes.switch_off),
    Entry("POST", "/reset", changes.reset),
    Entry("GET", "/rules", reading.get_rules, query=("format",)),
    Entry("PUT", "/rules", changes.put_rules),
    Entry("POST", "/rules", changes.add_rule),
    Entry("GET", "/rules/{name}", reading.get_rule),
    Entry("PATCH", "/rules/{name}", changes.patch_rule),
    Entry("DELETE", "/rules/{name}", changes.delete_rule),
    Entry("POST", "/rules/{name}/enable", changes.enable_rule),
    Entry("POST", "/rules/{name}/disable", changes.disable_rule),
    Entry("GET", "/journal", reading.get_journal, query=("after", "limit")),
    Entry("POST", "/preview", reading.preview),
)
