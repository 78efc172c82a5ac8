"""A small load generator: `python loading.py PORT SECONDS` prints requests and seconds.

Sixteen connections that are kept alive, one request under way on each: all are written, then all are read. It costs
little beside any Python server, so one processor of its own is enough for it.
"""

import socket
import sys
import time

CONNECTIONS = 16
REQUEST = (
    b"GET /bucket/photos/2024/a.jpg HTTP/1.1\r\nHost: localhost\r\nUser-Agent: loading\r\nAccept: */*\r\n"
    b"Accept-Encoding: gzip, deflate\r\n\r\n"
)


def load(port: int, seconds: float) -> tuple[int, float]:
    """Send requests for so long."""
    sockets = [_connected(port) for _ in range(CONNECTIONS)]
    done = 0
    begin = time.perf_counter()
    end = begin + seconds
    while time.perf_counter() < end:
        for each in sockets:
            each.sendall(REQUEST)
        for each in sockets:
            _read(each)
        done += CONNECTIONS
    taken = time.perf_counter() - begin
    for each in sockets:
        each.close()
    return done, taken


def _connected(port: int) -> socket.socket:
    found = socket.create_connection(("127.0.0.1", port), timeout=10)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def _read(source: socket.socket) -> None:
    """One whole answer, with a Content-Length or in chunks."""
    data = b""
    while not _is_whole(data):
        more = source.recv(65536)
        if not more:
            raise SystemExit("the server closed the connection")
        data += more


def _is_whole(data: bytes) -> bool:
    head = data.find(b"\r\n\r\n")
    at = data.lower().find(b"content-length:", 0, max(0, head))
    if at < 0:
        return data.endswith(b"\r\n0\r\n\r\n")
    return len(data) >= head + 4 + int(data[at + 15 : data.find(b"\r", at)])


if __name__ == "__main__":
    print(*load(int(sys.argv[1]), float(sys.argv[2])))
