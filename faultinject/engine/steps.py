"""The steps of an exchange, their results, and the exceptions for a step that fails.

A driver carries each of them out, and a type checker sees that it knows them all. Nobody changes one; that they are
not frozen saves a microsecond for each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from faultinject.http.wire import LONGEST, MOST, Headers
from faultinject.vendors.multi_delete import Listing


class ClientLeft(Exception):
    """The client left before it had sent its whole request."""


class AppEnded(Exception):
    """The app has ended, or raised, before it began an answer: thrown in where it was to run."""


class LostPatience(Exception):
    """A client of this process has ended a wait by its own time-out.

    The argument is the client's exception.
    """


@dataclass(slots=True, eq=False, repr=False)
class Pause:
    """A wait in the middle of a request's body, as the app reads it.

    Attributes:
        after: bytes that the app gets before.
        seconds: how long.
        finish: called behind it: nothing more is done to the request.
        due: whether it is still to come; not when the app has begun its answer.
        done: whether it has been.
    """

    after: int
    seconds: float
    finish: Callable[[], None]
    due: bool = True
    done: bool = False


@dataclass(slots=True, eq=False, repr=False)
class ReadBody:
    """Read the request's body and drop it, within bounds of bytes and seconds.

    Gives what was read, or None where the body has no end that shows. Raises `ClientLeft`.

    Attributes:
        up_to: so many bytes of it, and not more; None: all. Of a body that ends before, the app gets all the same.
        listing: gets each piece, or None.
    """

    up_to: int | None
    listing: Listing | None


@dataclass(slots=True, eq=False, repr=False)
class Wait:
    """Wait before the fault is given; gives whether the client is still there.

    Attributes:
        seconds: how long; 0: see whether it is.
        listens: whether the client may be listened to meanwhile; not where that would read what nobody else is to read.
        is_fault: whether the wait is the fault itself; then it may raise `LostPatience`.
    """

    seconds: float
    listens: bool = True
    is_fault: bool = False


class Look:
    """See whether the client has left; gives that."""


class RunApp:
    """Run the app on what is left of the request.

    Its subclasses say what becomes of the app's answer.

    Raises `AppEnded` where the app ends; before that it is over where a `Dropped` answer is.

    Args:
        listing: gets each piece of the request's body that the app reads, or None.
        hidden: the headers of the request that the app does not get to see, in lower case.
        pause: a wait in the middle of the request's body, or None.

    Attributes:
        begun: whether the app has begun its answer.
        headers: those that go out instead of its own; None: its own do.
    """

    def __init__(
        self, listing: Listing | None = None, hidden: Collection[str] = (), pause: Pause | None = None
    ) -> None:
        self.listing = listing
        self.hidden = hidden
        self.pause = pause
        self.begun = False
        self.headers: Headers | None = None

    def head(self, found: AppAnswer) -> Steps:
        """The app begins its answer, or begins it anew."""
        raise NotImplementedError


@dataclass(slots=True, eq=False, repr=False)
class AppAnswer:
    """The head of the app's answer.

    Attributes:
        status: of its answer; 0 where that is no number.
        headers: its headers.
        framed: whether its client can tell the end of a body without a Content-Length from the end of its connection.
    """

    status: int
    headers: Headers
    framed: bool = True

    @property
    def failed(self) -> bool:
        """Whether it is a failure of the app's own, which no fault replaces."""
        return self.status >= 500


class Dropped(RunApp):
    """An answer of the app's that is dropped, up to a failure of its own.

    Args:
        monotonic: the clock, in seconds.
        listing: gets each piece of the request's body that the app reads, or None.

    Attributes:
        answer: its head as it was begun last; status 0 before.
        over: whether nothing more of it is asked for.
        cut: whether it takes too long or says too much: the app is told that the client has left.
        unread: whether the app has left something of the request's body unread.
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
        """Whether the app has failed by itself: its answer goes out as it is."""
        return self.answer.failed

    def begin(self, answer: AppAnswer) -> None:
        """The app begins its answer, or begins it anew."""
        self._is_late()
        self.answer = answer
        self.over = answer.failed

    def feed(self, piece: bytes, *, more: bool) -> None:
        """Drop a piece."""
        self._size += len(piece)
        late = self._is_late()
        self.cut = more and (late or self._size > MOST)
        self.over = self.cut or not more

    def _is_late(self) -> bool:
        now = self._monotonic()
        if self._until is None:
            self._until = now + LONGEST
        return now > self._until


class Reach(Enum):
    """The ways in which the client's connection can be reached."""

    IN_PROCESS = 0
    """There is none: the client is in this process."""
    CONNECTION = 1
    """It is at hand."""
    SERVER = 2
    """Only the server has it."""


@dataclass(slots=True, eq=False, repr=False)
class Part:
    """Send some of the body of an answer that has begun.

    Raises `ClientLeft`.

    Attributes:
        data: of the body; may be empty.
        more: whether more follows.
    """

    data: bytes
    more: bool = True


@dataclass(slots=True, eq=False, repr=False)
class Hold:
    """Get hold of the client's connection, before an answer; gives its `Reach`.

    Attributes:
        hangs: nothing happens on it for a while, which no worker of a server is to wait for.
    """

    hangs: bool = False


@dataclass(slots=True, eq=False, repr=False)
class Cut:
    """End the connection that is held, after the part of an answer that was sent.

    Gives how that was done: `reset`, `closed` or `raised`.

    Attributes:
        resets: by an RST, where that can be.
        hangs: a client in this process is to lose its patience.
        sent: bytes of the body that went out; None: there was no answer.
        length: of the whole body, or None.
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
        status_line: the same with the reason phrase, for servers that send ours.
        headers: at its start.
        body: all of it; None: it comes by `Part`.
        unread: whether something of the request's body is left.
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
