"""A small HTTP client for programs that run often, as `http.client` takes long to load.

It takes three times as long as all the rest of them, and `socket` twice: `_socket` has all that is needed of it. Such
a program is run with its folder, or this one, first on its path.
"""

import _socket
import os


def exchange(method, path, body=b"", **headers):
    """Send a request to `$ENDPOINT`; gives status, headers with lower-case names, and body.

    On a connection of its own.

    Raises:
        ConnectionError: there was no whole answer.
    """
    host, _, port = os.environ["ENDPOINT"].removeprefix("http://").rpartition(":")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}:{port}", "Connection: close"]
    lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    connection = _socket.socket()
    try:
        connection.settimeout(60)
        connection.connect((host, int(port)))
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        head, ended, content = b"".join(iter(lambda: connection.recv(65536), b"")).partition(b"\r\n\r\n")
    finally:
        connection.close()
    first, *lines = head.decode().split("\r\n")
    named = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
    if not ended or (method != "HEAD" and len(content) != int(named.get("content-length", 0))):
        raise ConnectionError(f"no whole answer to {method} {path}")
    return int(first.split()[1]), named, content
