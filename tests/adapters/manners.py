"""WSGI apps of many styles, each of which answers 200 and the same ten bytes."""

import io

from .transport import Broken

SIZED = [("Content-Length", "10")]


def starts_late(environ, start_response):
    """A generator calls start_response when it is asked for its first piece."""
    yield b""
    start_response("200 OK", headers=list(SIZED))
    yield b"01234"
    yield b"56789"


def changes_its_mind(environ, start_response):
    """With exc_info, before anything was sent, another answer takes the first one's place."""
    start_response("500 Not Yet", [("Content-Length", "3")])
    start_response("200 OK", list(SIZED), (Broken, Broken(), None))
    return [b"0123456789"]


def writing(rest):
    """Old apps call what start_response returns; what they return comes behind that."""

    def app(environ, start_response):
        write = start_response("200 OK", list(SIZED))
        for piece in (b"0123", b"", b"4567", *([] if rest else [b"89"])):
            write(piece)
        return rest

    return app


def writes_on(environ, start_response):
    """It gives a piece, and writes the rest when it is asked for another."""
    write = start_response("200 OK", list(SIZED))
    yield b"0123"
    write(b"456789")


def gives_a_file(environ, start_response):
    """A file in the server's own wrapper."""
    start_response("200 OK", list(SIZED))
    return environ["wsgi.file_wrapper"](io.BytesIO(b"0123456789"), 4)


def debugged(app):
    """A debugger calls them for its first piece."""

    def debugger(*given):
        yield from app(*given)

    return debugger


OLD = [writing(rest) for rest in ([], [b"", b"89"], [b"89"])]
MANNERS = [*OLD, *map(debugged, OLD), writes_on, starts_late, changes_its_mind, gives_a_file]
