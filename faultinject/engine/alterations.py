"""Changes to an exchange whose answer is the app's own: of headers, range, and the store."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from faultinject.http.wire import Headers

PARTIAL = 206
RANGES = ("range", "x-ms-range")
"""The headers that ask for a part of an object."""


class Alteration:
    """A change of one exchange.

    Attributes:
        did: the outcome's word.
        undone: the outcome's word if nothing was done.
        hidden: the headers of the request that the app does not get to see, in lower case.
        done: whether anything was done, which is known when the answer has begun.
    """

    did = "edited"
    undone = "nothing_to_cut"
    hidden: Collection[str] = ()
    done = False

    def edit(self, status: int, headers: Iterable[tuple[str, str]]) -> Headers:  # noqa: ARG002
        """The headers of an answer with that status as they go out."""
        return list(headers)


STORE = "faultinject.store"
"""The key, in environ or scope, of the embedded store's change before it answers."""
DELETE = "faultinject.delete"
"""The key, in a scope of ASGI, of the function that deletes keys of the embedded store."""


class Moved(Alteration):
    """A change in the embedded store before it answers.

    The store sets `done`, or `undone` if it has nothing to do.

    Args:
        did: `overwritten` or `stale`.
    """

    undone = "refused"

    def __init__(self, did: str) -> None:
        self.did = did


class Edited(Alteration):
    """Headers of the answer set, dropped or off by one.

    Args:
        given: the headers to add or replace, their names in lower case.
        dropped: the names of headers to leave out, in lower case.
        shifted: whether a Content-Range says another range than that of the body.
        ignored: whether the request asks for a range, which the app does not get to see.
    """

    def __init__(self, given: Headers, dropped: Collection[str], *, shifted: bool, ignored: bool) -> None:
        self._given = given
        self._left_out = {*dropped, *(name for name, _ in given)}
        self._shifted = shifted
        self.hidden = RANGES if ignored else ()

    def edit(self, status: int, headers: Iterable[tuple[str, str]]) -> Headers:
        """The headers as they go out.

        Nothing changes in an answer that has none of them, or that is of a range all the same.
        """
        before = list(headers)
        after = [header for header in before if header[0].lower() not in self._left_out] + self._given
        if self._shifted:
            after = [
                (name, shifted(text) if name.lower() == "content-range" else text) for name, text in after
            ]
        self.done = after != before or (bool(self.hidden) and status != PARTIAL)
        return after


def shifted(text: str) -> str:
    """A Content-Range one byte further on, or one byte back if the object ends there.

    The range of a whole object stays.

    >>> shifted("bytes 0-4/9"), shifted("bytes 5-8/9"), shifted("bytes 0-8/9"), shifted("bytes */9")
    ('bytes 1-5/9', 'bytes 4-7/9', 'bytes 0-8/9', 'bytes */9')
    """
    part, _, size = text.removeprefix("bytes ").partition("/")
    start, _, last = part.partition("-")
    if not (start.isdecimal() and last.isdecimal()):
        return text
    step = 1 if size != str(int(last) + 1) else -1 if int(start) else 0
    return f"bytes {int(start) + step}-{int(last) + step}/{size}"
