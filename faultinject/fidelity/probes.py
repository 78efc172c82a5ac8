"""What is asked of a service, and the ground it is asked on: buckets of our own, which are removed again."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from faultinject.fidelity.exchange import Answer, Endpoint, Exchange, NoAnswer

PAUSES = (0.0, 0.1, 0.5, 1.5)
"""Seconds before each try to delete a bucket."""
NOT_FOUND, CONFLICT = 404, 409
CLEANING = 30.0
"""Seconds for removing what was made."""
S = TypeVar("S", bound="Session")


class NotPossible(Exception):
    """A probe whose preparation the service refuses; the text says what."""


@dataclass(frozen=True, slots=True)
class Probe(Generic[S]):
    """One mistake that a client can make.

    Attributes:
        name: the error, and how it is provoked: `NoSuchKey: HEAD`.
        what: the request in words.
        labels: the documented errors that may answer it, by label; a vendor has some of them.
        send: makes the request, with what it needs before.
        status: where no document names an error: the status that the protocol has for it.
        also: statuses that the document of S3 allows as well, and that are no error.
    """

    name: str
    what: str
    labels: Sequence[str]
    send: Callable[[S], Exchange]
    status: int | None = None
    also: Callable[[S], Sequence[int]] | None = None


class Session(ABC):
    """Requests to one service.

    Args:
        endpoint: where it listens.
        timeout: seconds of one request.
        deadline: on the monotonic clock, when all must be over.
        name: of the bucket that is made; no other has it.
        environ: where credentials are.

    Attributes:
        bucket: the bucket's name.
        left_behind: what could not be removed, in words.
        cleaning: whether it removes what was made.
    """

    def __init__(
        self, endpoint: Endpoint, *, timeout: float, deadline: float, name: str, environ: Mapping[str, str]
    ) -> None:
        self.endpoint = endpoint
        self.timeout = timeout
        self.deadline = deadline
        self.bucket = name
        self.environ = environ
        self.left_behind: list[str] = []
        self.cleaning = False

    def left(self, *, final: bool = False) -> float:
        """Seconds that a request may take now.

        Args:
            final: whether it cleans up, for which there is time after the deadline.

        Raises:
            NoAnswer: the time is over.
        """
        if final and not self.cleaning:
            self.cleaning = True
            self.deadline = time.monotonic() + CLEANING
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise NoAnswer("the time of the whole run is over")
        return min(self.timeout, left)

    def emptied(self, remove: Callable[[], Answer | None]) -> bool:
        """Whether a bucket is gone; one that is said to hold something is emptied again a little later.

        A request that was cut off by a time limit may be carried out behind the first try.

        Args:
            remove: empties and deletes it; gives the answer to the latter, None where nobody answered.
        """
        for pause in PAUSES:
            time.sleep(pause)
            done = remove()
            if done is None or done.status != CONFLICT:
                break
        return done is not None and (done.good or done.status == NOT_FOUND)

    @property
    @abstractmethod
    def secrets(self) -> Sequence[str]:
        """What no output may hold."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the bucket.

        Raises:
            NotPossible: the service refuses, or there is one of that name.
            NoAnswer: nobody answers.
        """

    @abstractmethod
    def remove(self) -> None:
        """Remove what was made; what cannot be is in `left_behind`."""


def accepted(exchange: Exchange, what: str) -> Exchange:
    """The exchange, if the service did what it was asked.

    Raises:
        NotPossible: it did not.
    """
    if not exchange.answer.good:
        raise NotPossible(f"{what} was answered with {exchange.answer.status}")
    return exchange


def made(ask: Callable[[], Exchange], names: list[str], name: str, what: str) -> None:
    """Make the bucket of a run, and remember it unless it is sure that there is none of ours.

    Args:
        ask: sends the request.
        names: where it is remembered.
        name: the bucket's.
        what: the request in words.

    Raises:
        NotPossible: the service refuses.
        NoAnswer: it says nothing; then the bucket may be there.
    """
    names.append(name)
    try:
        accepted(ask(), what)
    except NotPossible:
        names.clear()
        raise
    except NoAnswer as error:
        if not error.sent:
            names.clear()
        raise
