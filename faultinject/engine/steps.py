"""The steps of an exchange, their results, and the exceptions for a step that fails.

An adapter carries out each step; a type checker reports a step that the adapter has forgotten. No code changes a step:
the classes are not frozen only because that saves a microsecond for each step.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from faultinject.http.wire import MOST_BYTES, MOST_SECONDS, Headers
from faultinject.vendors.multi_delete import Listing


class ClientLeft(Exception):
    """The client left before the exchange was over."""


class AppEnded(Exception):
    """The app has ended or raised; the adapter throws this into the steps in place of a result."""


class LostPatience(Exception):
    """A client of this process has ended a wait by its own time-out.

    The argument is the client's exception.
    """


@dataclass(slots=True, eq=False, repr=False)
class Pause:
    """A wait in the middle of a request's body, as the app reads it.

    Attributes:
        after: the number of bytes that the app gets before.
        seconds: how long.
        finish: called after the wait, when the fault is over.
        due: whether the wait is still to come; False also when the app has begun its answer before.
        done: whether the app has waited.
    """

    after: int
    seconds: float
    finish: Callable[[], None]
    due: bool = True
    done: bool = False


@dataclass(slots=True, eq=False, repr=False)
class ReadBody:
    """Read the request's body and drop it, within bounds of bytes and seconds.

    The result is the summary of the body, or None if it has no known end. Raises `ClientLeft`.

    Attributes:
        up_to: the most bytes to read; None: all. A body that ends before is kept for the app.
        listing: gets each piece, or None.
    """

    up_to: int | None
    listing: Listing | None


@dataclass(slots=True, eq=False, repr=False)
class Wait:
    """Wait; the result is whether the client is still there.

    Attributes:
        seconds: how long; 0: only check the client.
        listens: whether an ASGI adapter may call `receive` meanwhile; not if that would take or request the body.
        is_fault: whether the wait is the fault itself; then it may raise `LostPatience`.
    """

    seconds: float
    listens: bool = True
    is_fault: bool = False


class Look:
    """Check the client; the result is whether it has left."""


class RunApp:
    """Run the app on the rest of the request; a subclass says what happens to its answer.

    Raises `AppEnded` when the app ends. A step of `Dropped` may end earlier, with a result: when the answer has been
    dropped.

    Args:
        listing: gets each piece of the request's body that the app reads, or None.
        hidden: the request's headers that the app does not get, in lower case.
        pause: a wait in the middle of the request's body, or None.

    Attributes:
        begun: whether the app has begun its answer.
        headers: the headers to send instead of the app's own; None: the app's own.
    """

    def __init__(
        self, listing: Listing | None = None, hidden: Collection[str] = (), pause: Pause | None = None
    ) -> None:
        self.listing = listing
        self.hidden = hidden
        self.pause = pause
        self.begun = False
        self.headers: Headers | None = None

    def head(self, app_answer: AppAnswer) -> Steps:
        """Give the steps for the app's head; an app may replace its head before it sends a body."""
        raise NotImplementedError


@dataclass(slots=True, eq=False, repr=False)
class AppAnswer:
    """The head of the app's answer.

    Attributes:
        status: its status; 0 if that is no number.
        headers: its headers.
        framed: whether the protocol marks the end of a body without a Content-Length; if not, a cut looks like the end.
    """

    status: int
    headers: Headers
    framed: bool = True

    @property
    def failed(self) -> bool:
        """Whether it is a failure of the app's own, which no fault replaces."""
        return self.status >= 500


class Dropped(RunApp):
    """An answer of the app that is dropped, unless it is a failure of the app's own.

    Args:
        monotonic: the clock, in seconds.
        listing: gets each piece of the request's body that the app reads, or None.

    Attributes:
        answer: its latest head; status 0 before.
        over: whether no more of it is read.
        cut: whether it takes too long or is too large: then the app is told that the client has left.
        unread: whether the app has left part of the request's body unread.
    """

    def __init__(self, monotonic: Callable[[], float], listing: Listing | None) -> None:
        super().__init__(listing)
        self.answer = AppAnswer(0, [])
        self.over = self.cut = self.unread = False
        self._monotonic = monotonic
        self._until: float | None = None
        self._size = 0

    @property
    def failed(self) -> bool:
        """Whether the app has failed by itself: then its answer is sent unchanged."""
        return self.answer.failed

    def begin(self, answer: AppAnswer) -> None:
        """Note the app's head; an app may replace its head before it sends a body."""
        self._is_late()
        self.answer = answer
        self.over = answer.failed

    def feed(self, piece: bytes, *, more: bool) -> None:
        """Drop a piece."""
        self._size += len(piece)
        late = self._is_late()
        self.cut = more and (late or self._size > MOST_BYTES)
        self.over = self.cut or not more

    def _is_late(self) -> bool:
        now = self._monotonic()
        if self._until is None:
            self._until = now + MOST_SECONDS
        return now > self._until


class Reach(Enum):
    """The ways in which the client's connection can be reached."""

    IN_PROCESS = 0
    """There is no connection: the client is in this process."""
    CONNECTION = 1
    """The adapter holds a descriptor of it."""
    SERVER = 2
    """Only the server can reach it."""


@dataclass(slots=True, eq=False, repr=False)
class Part:
    """Send some of the body of an answer that has begun.

    Raises `ClientLeft`.

    Attributes:
        data: the bytes; may be empty.
        more: whether more follows.
    """

    data: bytes
    more: bool = True


@dataclass(slots=True, eq=False, repr=False)
class Hold:
    """Get access to the client's connection, before an answer; the result is its `Reach`.

    Attributes:
        hangs: whether a long wait follows, which should not block a worker of the server.
    """

    hangs: bool = False


@dataclass(slots=True, eq=False, repr=False)
class Cut:
    """End the connection that is held, after the part of an answer that was sent.

    The result is how that was done: `reset`, `closed` or `raised`.

    Attributes:
        resets: whether to send an RST, if possible.
        hangs: whether a client in this process gets its time-out error.
        sent: the number of bytes of the body that were sent; None: there was no answer.
        length: the length of the whole body, or None.
    """

    resets: bool
    hangs: bool
    sent: int | None = None
    length: int | None = None


@dataclass(slots=True, eq=False, repr=False)
class Send:
    """Answer through the server.

    Attributes:
        status: its status.
        status_line: the status with the reason phrase, for servers that send ours.
        headers: its headers.
        body: the whole body; None: `Part` steps follow.
        unread: whether part of the request's body is unread.
        closes: whether the rule asks for the end of the connection.
    """

    status: int
    status_line: str
    headers: Headers
    body: bytes | None
    unread: bool
    closes: bool


Step = ReadBody | Wait | Look | RunApp | Part | Hold | Cut | Send
Steps = Generator[Step, Any, None]
