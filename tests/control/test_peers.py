"""The peer as real servers report it: other addresses, Unix sockets, bodies in pieces."""

import json
import socket
from contextlib import ExitStack, suppress

import pytest

from tests.until import STARTS_WITHIN, until

from .conftest import TOKEN, Client, ask, control
from .programs import wait_for

LONG_TOKEN = f"{TOKEN}-to-all"
SERVERS = {
    "gunicorn": ("gunicorn", "--threads", "2", "-b", "ADDRESS:PORT", "wsgi:app"),
    "uvicorn": ("uvicorn", "--host", "ADDRESS", "--port", "PORT", "asgi:app"),
}


def own_address():
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found, suppress(OSError):
        found.connect(("192.0.2.9", 9))  # sends nothing
        return found.getsockname()[0]
    return None


class Far(Client):
    """A client whose connections come from that address."""

    address = own_address()


def served(start, free_port, name):
    port = free_port("0.0.0.0")
    command = [each.replace("ADDRESS", "0.0.0.0").replace("PORT", str(port)) for each in SERVERS[name]]
    program = start(*command, FAULTINJECT_CONTROL="/_faultinject")
    near, far = (kind(None, (port, "/_faultinject"), port) for kind in (Client, Far))
    wait_for(program, near)
    return program, near, far


@pytest.mark.skipif(own_address() is None, reason="this machine has no other address than loopback")
@pytest.mark.parametrize("name", [pytest.param("gunicorn", marks=pytest.mark.slow), "uvicorn"])
def test_a_client_from_elsewhere_is_refused(start, free_port, name):
    """With the token and a Host that is ours; also the page, and whatever it says of itself."""
    program, near, far = served(start, free_port, name)
    told = f"{far.address} is not on this machine; FAULTINJECT_CONTROL_REMOTE=allow lets others in"
    for path, token in (("/state", TOKEN), ("/", None), ("/health", None)):
        answer = far.get(path, token=token, host="localhost")
        assert (answer.status, answer.message) == (403, told)
    claims = {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1"}
    asked = far.get("/state", host="localhost", headers=claims), far.call("POST", "/off", host="localhost")
    assert [*(each.status for each in asked), near.state()["on"]] == [403, 403, True]
    assert "switched faults off" not in program.text


@pytest.mark.skipif(own_address() is None, reason="this machine has no other address than loopback")
def test_an_address_that_somebody_named_is_a_name_of_it():
    """It is no other host's."""
    given = {"FAULTINJECT_CONTROL_REMOTE": "allow", "FAULTINJECT_TOKEN": LONG_TOKEN}
    with control("own", FAULTINJECT_CONTROL=f"{own_address()}:0", **given) as made:
        far = Far(None, (made.port, ""), made.port)
        for host, status in ((f"{far.address}:{far.port}", 200), ("192.0.2.1", 421)):
            assert far.get("/state", host=host, token=LONG_TOKEN).status == status


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("gunicorn", "--threads", "2", "-b", "unix:PATH", "wsgi:app"),
        ("uvicorn", "--uds", "PATH", "asgi:app"),
    ],
    ids=["gunicorn", "uvicorn"],
)
def test_a_client_without_an_address_is_refused(start, tmp_path, command):
    """A client on a Unix socket is refused: it may stand for anybody, such as a proxy's clients."""
    path = tmp_path / "s"
    program = start(
        *[each.replace("PATH", str(path)) for each in command], FAULTINJECT_CONTROL="/_faultinject"
    )
    until(lambda: path.exists() or program.process.poll() is not None, "it listens", STARTS_WITHIN)
    head = (
        "GET /_faultinject/state HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
        f"{TOKEN}\r\nConnection: close\r\n\r\n"
    )
    found = until(lambda: sent(path, head.encode()), "it answers", STARTS_WITHIN)
    assert found.startswith(b"HTTP/1.1 403 ")
    error = json.loads(found.partition(b"\r\n\r\n")[2])["error"]
    told = "the server does not tell the client's address; FAULTINJECT_CONTROL_REMOTE=allow lets anybody in"
    assert error["message"] == told


def sent(path, data):
    """Send over a Unix socket, and return all that comes back; nothing if nobody listens yet."""
    with socket.socket(socket.AF_UNIX) as connection, suppress(ConnectionRefusedError):
        connection.settimeout(60)
        connection.connect(str(path))
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


@pytest.mark.slow
def test_a_mount_point_that_a_client_makes_up(start, free_port):
    """A SCRIPT_NAME that a client makes up leads to the API with its token, or to the app.

    gunicorn believes clients of this machine.
    """
    _, near, _ = served(start, free_port, "gunicorn")
    near.change("PUT", "/rules", {"text": "http:503"})
    for mount, target, status in (
        ("/x", "/x/_faultinject/state", 401),
        ("/_faultinject", "/_faultinject/state", 503),
        ("/_faultinject", "/_faultinject/_faultinject/state", 401),
        ("", "/_faultinject/state", 401),
    ):
        head = (
            f"GET {target} HTTP/1.1\r\nHost: localhost\r\nSCRIPT_NAME: {mount}\r\nConnection: close\r\n\r\n"
        )
        assert ask(near.port, head.encode()).startswith(f"HTTP/1.1 {status} ".encode()), target


@pytest.mark.slow
def test_clients_that_may_not_ask_hold_no_worker(start, free_port):
    """Two refused clients that send no body do not block two workers without threads."""
    port = free_port()
    program = start(
        "gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", "wsgi:app", FAULTINJECT_CONTROL="/_faultinject"
    )  # fmt: skip
    near = wait_for(program, Client(None, (port, "/_faultinject"), port))
    head = (
        "POST /_faultinject/off HTTP/1.1\r\nHost: {}\r\nContent-Type: "
        "application/json\r\nContent-Length: 1000\r\n\r\n{{"
    )
    with ExitStack() as stack:
        for host, status in (("localhost", b"401"), ("evil.example", b"421")):
            held = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            held.sendall(head.format(host).encode())
            assert held.recv(65536).startswith(b"HTTP/1.1 " + status)
        assert near.ask_app() == 200
    assert near.state()["on"] is True
