"""The base of the clients in the table.

A call raises what the client raises. A client that returns errors instead of raising them raises `Returned` here.
"""

from __future__ import annotations

SENT = b"x" * 100


class Returned(Exception):
    """The client returned an answer with the status of an error, and raised nothing."""

    def __init__(self, status, code):
        super().__init__(status)
        self.status = status
        self.code = code


class Client:
    """One client, told where the server is and how long it may wait (seconds).

    Attributes:
        package: the distribution whose version the table names; None for the standard library.
        error: the documented error 500 of the vendor that it is for.
        throttled: that vendor's word for too many requests.
    """

    package = None
    error = "cos:InternalError"
    throttled = "cos:SlowDown"

    def code(self, error):
        """The client's own code of the error, if it says more than its class."""
        return getattr(error, "code", None)
