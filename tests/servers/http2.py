"""A client that speaks HTTP/2 on one connection: its streams, and how the connection ended."""

import time

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset

from .probe import HOST, PATIENCE, Client


class Stream:
    """One request and its answer.

    Attributes:
        status: of the answer; 0 before it is there.
        body: what has come of the body.
        end: `answered` or `reset` when the stream ended, empty until then.
        head_at: when the head was there, seconds after the request.
        done_at: when the stream ended.
    """

    def __init__(self, number):
        self.number = number
        self.status = 0
        self.body = b""
        self.end = ""
        self.head_at = self.done_at = None
        self.asked = time.monotonic()


class Http2:
    """One connection with prior knowledge, without TLS."""

    def __init__(self, address):
        self._client = Client(address)
        self._http = H2Connection(H2Configuration(client_side=True))
        self._http.initiate_connection()
        self._streams = {}
        self.ended = []
        """The streams that have ended, in that order."""
        self.end = ""
        """The end of the connection: `RST`, `FIN`, or empty."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()

    def ask(self, path, method="GET", body=b"", *, more=False):
        """Begin a request; `more` of its body may come."""
        number = self._http.get_next_available_stream_id()
        head = [(":method", method), (":path", path), (":scheme", "http"), (":authority", HOST)]
        if body and not more:
            head.append(("content-length", str(len(body))))
        self._http.send_headers(number, head, end_stream=not body)
        if body:
            self._http.send_data(number, body, end_stream=not more)
        stream = self._streams[number] = Stream(number)
        self._client.send(self._http.data_to_send())
        return stream

    def go_on(self, stream, body):
        """Send the last piece of a body."""
        self._http.send_data(stream.number, body, end_stream=True)
        self._client.send(self._http.data_to_send())

    def wait_for_body(self, stream):
        """Read until something of its body is there."""
        self._read(lambda: stream.body)

    def cancel(self, stream):
        """End a stream as soon as its body begins, as a time-out of the client does."""
        self.wait_for_body(stream)
        self._http.reset_stream(stream.number, ErrorCodes.CANCEL)
        self._client.send(self._http.data_to_send())

    def wait(self, *streams, patience=PATIENCE):
        """Read until these streams have ended, or the connection has."""
        self._read(lambda: all(each.end for each in streams), patience)

    def _read(self, enough, patience=PATIENCE):
        until = time.monotonic() + patience
        while not self.end and not enough() and time.monotonic() < until:
            data = self._client.take(until)
            if data is None:
                self.end, _ = self._client.end(0.0)
                self.end = self.end.removeprefix("open")
                return
            for event in self._http.receive_data(data):
                self._note(event)
            self._client.send(self._http.data_to_send())

    def _note(self, event):
        stream = self._streams.get(getattr(event, "stream_id", None))
        if stream is None:
            return
        now = time.monotonic() - stream.asked
        if isinstance(event, ResponseReceived):
            # The status is the first header.
            stream.status, stream.head_at = int(event.headers[0][1]), now
        elif isinstance(event, DataReceived):
            stream.body += event.data
            self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded | StreamReset):
            stream.end, stream.done_at = "answered" if isinstance(event, StreamEnded) else "reset", now
            self.ended.append(stream)
