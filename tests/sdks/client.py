"""The base of the clients in the table.

A call raises what the client raises. A client that returns errors instead of raising them raises `Returned` here.
"""

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

    def close(self):
        """Every call has a connection of its own, unless a client says otherwise."""


class HttpClient(Client):
    """A client for HTTP alone: `ask` makes a request, and raises for an answer that is an error."""

    def __init__(self, url, seconds):
        self.url, self.seconds = f"{url}/photos", seconds
        self.open()

    def open(self):
        """Whatever it keeps for all of its requests."""

    def get(self, key):
        return self.ask("GET", key)

    def put(self, key):
        self.ask("PUT", key, SENT)

    def post(self, key):
        self.ask("POST", f"{key}?uploads", b"")
