"""What both adapters do with an answer whose body is changed on its way: how it goes, when a part is due, how it ended."""

from __future__ import annotations

from faultinject.adapters.client_errors import cut_error, reset_error, timeout_error
from faultinject.engine.exchange import undo
from faultinject.http.wire import can_be_written, has_no_body, length_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.adapters.connection import Connection
    from faultinject.engine.body_transforms import BodyTransform
    from faultinject.engine.journal_entry import Entry
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import Request
    from faultinject.engine.types import Body
    from faultinject.http.types import Headers
    from faultinject.http.wire import Framing


class Shaping:
    """One answer on its way, whatever the interface.

    Args:
        plan: the plan that decided.
        entry: what goes into the journal.
        transform: what is done to the body.
        request: the view of the request.
        applied: whether it is the app itself that runs.
        body: what was read of the request's body.
        unread: whether something of it is left, and the answer is not the app's.
        inside: whether the client is in this process, so that there is no connection.
    """

    def __init__(
        self,
        plan: Plan,
        entry: Entry,
        transform: BodyTransform,
        request: Request,
        *,
        applied: bool,
        body: Body | None,
        unread: bool,
        inside: bool,
    ) -> None:
        self._plan = plan
        self._entry = entry
        self._transform = transform
        self._request = request
        self._applied = applied
        self._body = body
        self._unread = unread
        self._inside = inside
        self._paused = False
        self._headers: Headers = []
        self._connection: Connection | None = None
        self._framing: Framing | None = None
        self._passes = False
        self._began: float | None = None
        self._sent = 0
        self._settled = False

    def _takes(self, status: int) -> bool:
        """Whether anything can be done to an answer with this status and the headers noted; the journal is told."""
        entry, transform = self._entry, self._transform
        size = entry.response_bytes  # how many went out is known at the end
        entry.saw(status, self._headers)
        entry.response_bytes = size
        length = length_of(self._headers)
        if has_no_body(self._request.method, status, self._headers) or not transform.fits(length):
            self._passes = True
            self._settle()
            return False
        if not entry.written:
            entry.write(transform.did, applied=self._applied, body=self._body, last=False)
        return True

    @property
    def _may_be_marked(self) -> bool:
        """Whether the answer may get the mark: a documented error has its own."""
        return self._applied and self._plan.services.marked

    def _is_marked(self, piece: bytes) -> bool:
        """Whether the answer gets the mark: something will be done to its body, which begins with that piece."""
        known = length_of(self._headers) is not None
        return self._may_be_marked and (known or self._transform.begins_with(piece))

    def _goes_past(self, status_line: str) -> Connection | None:
        """The connection, if the answer may be written on it."""
        found = self._connection
        plain = found is not None and not found.encrypted and not self._request.http2
        return found if plain and can_be_written(status_line, self._headers) else None

    def _pause(self) -> float:
        """Seconds in which nothing goes out behind what was just let through; only once."""
        if self._paused or not self._transform.touched:
            return 0.0
        self._paused = True
        # A client of this process that would lose its patience loses it at once.
        return 0.0 if self._inside and self._transform.hangs else self._transform.quiet

    def _due_in(self, part: bytes, rate: int) -> float:
        """Seconds until the next part may go out, which is counted as sent."""
        now = self._plan.services.monotonic()
        if self._began is None:
            self._began = now
        self._sent += len(part)
        return self._began + self._sent / rate - now

    def _settle(self, otherwise: str = "nothing_to_cut") -> None:
        """Tell the journal how it ended.

        Args:
            otherwise: the outcome's word for a body that nothing was done to; `failed`: the client has left.
        """
        if self._settled:
            return
        self._settled = True
        entry = self._entry
        entry.left = entry.left or otherwise == "failed"
        if self._transform.touched:
            entry.response_bytes = self._sent
            entry.write(self._did(), applied=self._applied, body=self._body)
        elif not self._applied and otherwise == "nothing_to_cut":
            # A documented error that went out whole.
            entry.write("answered", body=self._body)
        else:
            undo(self._plan, entry, otherwise, applied=self._applied, status=entry.status)

    def _did(self) -> str:
        """What is done: a reset only where there is a connection to reset."""
        transform = self._transform
        if transform.how is None:
            return transform.did
        if self._inside:
            return "raised"
        return transform.how if self._connection is not None else "closed"

    def _ended(self, did: str) -> None:
        """Tell the journal how the connection ended, where it has a reset that could not be, or none where one was."""
        if self._transform.done and (did == "reset") is not (self._entry.did == "reset"):
            self._entry.write(did, applied=self._applied, body=self._body)

    def _fail(self) -> None:
        """The app has failed: whatever was done to its answer does not count, unless the journal has its end."""
        if not self._settled:
            self._settled = True
            undo(self._plan, self._entry, "app_failed", applied=self._applied)

    def _cut_error(self) -> Exception:
        """What a client in the same process would have met."""
        rule = self._entry.rule or ""
        if self._transform.hangs:
            return timeout_error(rule=rule)
        if self._transform.how == "reset":
            return reset_error(rule=rule)
        return cut_error(self._sent, length_of(self._headers), rule=rule)
