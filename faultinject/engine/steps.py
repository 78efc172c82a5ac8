"""The steps of an exchange, their results, and the exceptions for a step that fails.

A driver carries each of them out, and a type checker sees that it knows them all. Nobody changes one; that they are
not frozen saves a microsecond for each.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from faultinject.engine.alterations import Alteration
from faultinject.http.wire import Headers
from faultinject.vendors.multi_delete import Listing

if TYPE_CHECKING:
    from faultinject.engine.actions import Respond
    from faultinject.engine.body_transforms import BodyTransform


class ClientGone(Exception):
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

    Gives what was read, or None where the body has no end that shows. Raises `ClientGone`.

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


@dataclass(slots=True, eq=False, repr=False)
class RunApp:
    """Run the app on what is left of the request.

    Gives an `AppAnswer` when its answer begins, which then goes on to the client, unless its body is to be changed.
    Raises `AppEnded`.

    Attributes:
        untouched: its answer goes out by the server's own means, and none is given.
        noted: it goes out as it is, and is given each time that it begins, with the headers as the interface has them;
            None is given where a WSGI app has returned before.
        dropped: the answer does not go on unless it is a failure of the app's own: `NextPiece` gets what is dropped,
            until `EndApp`. `NextPiece` gives None as well where nothing comes for as long as an answer is read.
        listing: gets each piece of the request's body that the app reads, or None.
        transform: what is to be done to the body of its answer, or None; `Begin` and `Part` send that.
        alteration: what is done to the exchange besides its bodies, or None.
        pause: a wait in the middle of the request's body, or None.
    """

    untouched: bool = False
    noted: bool = False
    dropped: bool = False
    listing: Listing | None = None
    transform: BodyTransform | None = None
    alteration: Alteration | None = None
    pause: Pause | None = None


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


@dataclass(slots=True, eq=False, repr=False)
class EditHead:
    """Change the headers of the app's answer, which begins now; a WSGI app may begin it anew.

    Attributes:
        edit: from the status and the headers to what goes out.
    """

    edit: Callable[[int, Headers], Headers]


class Reach(Enum):
    """The ways in which the client's connection can be reached."""

    IN_PROCESS = 0
    """There is none: the client is in this process."""
    CONNECTION = 1
    """It is at hand."""
    SERVER = 2
    """Only the server has it."""


@dataclass(slots=True, eq=False, repr=False)
class Begin:
    """Begin an answer whose body comes by `Part`; gives the `Reach` of its connection.

    Attributes:
        transform: what is done to the body, or None.
        headers: of the answer, at its start.
        own: the answer, where it is not the app's.
        unread: whether something of the request's body is left, and the answer is not the app's.
    """

    transform: BodyTransform | None
    headers: Headers
    own: Respond | None = None
    unread: bool = False


class NextPiece:
    """Get the next piece of the app's answer.

    Gives the piece and whether more follows; None where the app has ended without an end of its answer; an `AppAnswer`
    where the app begins an answer that is dropped anew. Raises `AppEnded`.
    """


@dataclass(slots=True, eq=False, repr=False)
class EndApp:
    """Ask for nothing more of an answer that is dropped.

    Gives whether the app has left something of the request's body unread.

    Attributes:
        cut: it takes too long or says too much: the app is told that the client has left.
    """

    cut: bool


@dataclass(slots=True, eq=False, repr=False)
class Part:
    """Send some of the body of an answer that has begun.

    Raises `ClientGone`.

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
        body: all of it.
        unread: whether something of the request's body is left.
        closes: whether the rule asks for the end of the connection.
    """

    status: int
    status_line: str
    headers: Headers
    body: bytes
    unread: bool
    closes: bool


Step = ReadBody | Wait | Look | RunApp | EditHead | Begin | NextPiece | EndApp | Part | Hold | Cut | Send
Steps = Generator[Step, Any, None]
