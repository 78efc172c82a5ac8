"""256 MiB pass either way, and the proxy holds almost nothing of it, however slow a side is."""

import socket
import threading
import time
import zlib
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="a process's memory is read from /proc"
    ),
]

SIZE = 256 << 20
PIECE = bytes(range(256)) * 4096
HELD = 64 << 20
"""Bytes that the proxy may grow by: buffers of both connections, and the allocator's."""
PAUSE = 1.5
"""Seconds in which one side takes nothing."""


def peak(process):
    """The most that it has held, in bytes."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    [line] = [each for each in status.splitlines() if each.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def checksum(connection, got=b""):
    """Of what it sends: how many bytes there were, and their CRC."""
    done, crc = len(got), zlib.crc32(got)
    buffer = bytearray(1 << 20)
    while done < SIZE and (size := connection.recv_into(buffer)):
        done += size
        crc = zlib.crc32(memoryview(buffer)[:size], crc)
    return done, crc


def give(connection):
    for _ in range(SIZE // len(PIECE)):
        connection.sendall(PIECE)


def head_of(connection):
    """Its head, and what has come of the body."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = connection.recv(65_536)
        assert piece, got
        got += piece
    head, _, rest = got.partition(b"\r\n\r\n")
    return head, rest


def expected():
    crc = 0
    for _ in range(SIZE // len(PIECE)):
        crc = zlib.crc32(PIECE, crc)
    return SIZE, crc


@pytest.fixture
def sink():
    """A server for one connection that takes as much as it gives, after a wait each time."""
    found = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(60)
                _, rest = head_of(connection)
                time.sleep(PAUSE)
                found.append(checksum(connection, rest))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                head_of(connection)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
                give(connection)
                connection.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], found
        thread.join(60)


@pytest.mark.parametrize("rules", [(), ("-r", "latency,delay=1ms")], ids=["no rule", "a rule"])
def test_what_is_large(start, sink, rules):
    """There and back, with and without a fault that lets the body pass."""
    port, found = sink
    process = start("proxy", "--to", f"http://127.0.0.1:{port}", "--port", "0", *rules)
    url = process.until("Ctrl-C")[0].rpartition(" on ")[2]
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=60) as client:
        before = peak(process)
        client.sendall(b"PUT /photos/a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % SIZE)
        give(client)
        head, _ = head_of(client)
        assert head.startswith(b"HTTP/1.1 200 ")
        up = peak(process) - before
        client.sendall(b"GET /photos/a HTTP/1.1\r\nHost: h\r\n\r\n")
        time.sleep(PAUSE)
        head, rest = head_of(client)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert checksum(client, rest) == expected()
        down = peak(process) - before
    assert found == [expected()]
    assert (up < HELD, down < HELD) == (True, True), (up, down)
    assert process.interrupt()[0] == 0
