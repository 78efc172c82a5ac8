"""What both adapters do for few scenarios: note the app's own failures, and find the rules that a request asks for."""

from __future__ import annotations

from faultinject.engine.answers import MARKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping, Sequence
    from typing import Any

    from faultinject.engine.facets import Interface
    from faultinject.engine.plan import Plan
    from faultinject.injector.failure_watch import FailureWatch

HEADER = "x-faultinject-rules"
"""By which a request asks for faults of its own, where it may."""
REFUSED = "x-faultinject-refused"
"""In its answer: what is wrong with them."""
WATCHED = "faultinject.watched"
"""In environ or scope: what the innermost watch notes of this request."""
LEFT = ("ClientDisconnect", "ClientDisconnected")
"""What frameworks raise in an app whose client has left: no failure of the app's."""


def asked_by(
    plan: Plan, text: str, on: Interface, place: Mapping[str, Any]
) -> tuple[tuple[Plan, Sequence[int]] | None, str]:
    """The plan and the candidates of the rules that a request asks for, where they match it, and why they are refused.

    Args:
        plan: the plan in force, under which it asks.
        text: its header.
        on: the interface, by which rules are found.
        place: environ or scope.
    """
    try:
        assert plan.asked is not None
        asked = plan.asked.plan(text)
        if isinstance(asked, str):
            return None, asked
        candidates = range(len(asked.rules))
        return ((asked, candidates) if asked.matches(on.view(place), candidates) else None), ""
    except Exception as error:
        plan.services.failed(error, "")
        return None, ""


class Seen:
    """What is noted of one request.

    Args:
        place: environ or scope; of several watches of one bound the innermost counts, nearest to the app.
        watch: where it is counted.

    Attributes:
        begun: whether the app has begun its answer.
    """

    __slots__ = ("_failed", "_inside", "_watch", "begun")

    def __init__(self, place: MutableMapping[str, Any], watch: FailureWatch) -> None:
        self.begun = self._failed = self._inside = False
        self._watch = watch
        outer: Seen | None = place.get(WATCHED)
        if outer is not None:
            outer.leave_to(watch)
        place[WATCHED] = self

    def leave_to(self, watch: FailureWatch) -> None:
        """Nearer to the app the same is counted."""
        self._inside = self._inside or watch is self._watch

    def answer(self, headers: Iterable[tuple[Any, Any]], *, failed: bool) -> None:
        """The app begins its answer, or begins it anew."""
        if failed and not self._inside and _injected(headers):
            self._inside = True
        again, self.begun = self.begun, True
        if self._inside or (again and (self._failed or not failed)):
            return
        self._failed = failed
        if again:
            self._watch.note_late()
        else:
            self._watch.note(failed=failed)

    def fail(self, error: Exception) -> None:
        """The app raises."""
        if not self._inside and not self._failed and type(error).__name__ not in LEFT:
            self._failed = True
            if self.begun:
                self._watch.note_late()
            else:
                self._watch.note(failed=True)


def _injected(headers: Iterable[tuple[Any, Any]]) -> bool:
    """Whether another injector, nearer to the app, has made the answer."""
    names = (name.decode("latin-1") if isinstance(name, bytes) else name for name, _ in headers)
    return any(name.lower() == MARKS[0] for name in names)
