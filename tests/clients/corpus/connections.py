"""HTTP/1.1 over connections that are kept, for many threads at once."""

import select
import threading
from collections import deque
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """The answer; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connections:
    """Gives each running request a connection of its own, the last used one first."""

    def __init__(self, endpoint, seconds=10):
        self.host = urlsplit(endpoint).netloc
        self.seconds = seconds
        self._lock = threading.Lock()
        self._idle = deque()

    def send(self, method, target, headers, body=b""):
        """One request and its answer.

        Raises:
            OSError, HTTPException: no whole answer.
        """
        connection = self._take()
        try:
            connection.request(method, target, body or None, headers)
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            answer = Answer(response.status, named, response.read())
        except (OSError, HTTPException):
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)
        return answer

    def close(self):
        """No connection is left."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def _take(self):
        while True:
            with self._lock:
                if not self._idle:
                    return HTTPConnection(self.host, timeout=self.seconds)
                connection = self._idle.pop()
            if connection.sock is not None and not _readable(connection.sock):
                return connection
            connection.close()


def _readable(socket):
    """Whether the server has closed it: nothing else comes unasked."""
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))
