"""uWSGI behind nginx, by each protocol other than HTTP: only nginx frames the answer."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack, suppress

import pytest

from tests.started import Started, executable
from tests.until import STARTS_WITHIN, until

from .apps import photo
from .faults import STREAM, flipped
from .launch import HERE
from .probe import Client

pytestmark = pytest.mark.slow

NGINX = """daemon off;
user root;
worker_processes 1;
pid {folder}/pid;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            {protocol}_pass unix:{folder}/socket;
            {protocol}_param REQUEST_METHOD $request_method;
            {protocol}_param CONTENT_LENGTH $content_length;
            {protocol}_param PATH_INFO $document_uri;
            {protocol}_param QUERY_STRING $query_string;
            {protocol}_param SERVER_PORT $server_port;
            {protocol}_param SERVER_NAME $server_name;
            {protocol}_param SERVER_PROTOCOL $server_protocol;
            {protocol}_param REMOTE_ADDR $remote_addr;
            {protocol}_param REMOTE_PORT $remote_port;
        }}
    }}
}}
"""
RULES = {
    "drip": "drip,rate=50000",
    "stall": "stall,duration=50ms,when=after,after_bytes=1500",
    "corrupt": "corrupt",
    "truncate": "truncate",
    "reset": "reset,when=after,after_bytes=1500",
    "close": "close,when=after,after_bytes=1500",
    "odd": "kodo:612",
    "error": "cos:SlowDown",
}


class Back(Started):
    """uWSGI on a unix socket that speaks that protocol."""

    def __init__(self, folder, protocol):
        super().__init__(folder)
        self.protocol = protocol
        self.socket = folder / "socket"
        rules = " ".join(f"{rule},path=/{name}/**" for name, rule in RULES.items())
        command = [
            executable("uwsgi"),
            f"--{protocol}-socket",
            str(self.socket),
            "--master",
            "--threads",
            "4",
        ]
        command += ["--die-on-term", "--need-app", "--disable-logging", "--virtualenv", sys.prefix]
        command += ["--pythonpath", str(HERE), "--module", "apps:wsgi"]
        environ = {**os.environ, "FAULTINJECT_RULES": rules, "FAULTINJECT_JOURNAL": str(self._journal)}
        self.begin(command, HERE, environ)

    def wait_until_ready(self):
        until(lambda: self.socket.exists() or self.process.poll() is not None, patience=STARTS_WITHIN)
        assert self.process.poll() is None, self.log

    def wrote(self, path, did):
        """Whether the journal says in the end that this was done; it may say so behind the answer."""

        def last():
            lines = map(json.loads, self._journal.read_text().splitlines())
            return [line["did"] for line in lines if line["path"] == path][-1] == did

        return until(last, f"{did} is not what the journal says")


class Front(Started):
    """nginx before it."""

    def __init__(self, folder, protocol):
        super().__init__(folder)
        self.address = ("127.0.0.1", self._reserved.number)
        configuration = folder / "nginx.conf"
        configuration.write_text(NGINX.format(folder=folder, port=self._reserved.number, protocol=protocol))
        command = [executable("nginx"), "-c", str(configuration), "-e", str(folder / "errors")]
        self.begin(command, folder, os.environ)

    def wait_until_ready(self):
        def answers():
            assert self.process.poll() is None, self.log
            with suppress(ConnectionError):
                return self.ask("/ready/photos/1").status == 200

        until(answers, patience=STARTS_WITHIN)

    def ask(self, path):
        """The answer."""
        with Client(self.address) as client:
            return client.ask("GET", path, more="Connection: close\r\n")


@pytest.fixture(scope="module", params=["uwsgi", "scgi", "fastcgi"])
def servers(request, tmp_path_factory):
    """Both."""
    missing = [name for name in ("nginx", "uwsgi") if executable(name) is None]
    if missing:
        pytest.skip(f"no {missing[0]} here")
    folder = tmp_path_factory.mktemp(request.param)
    with ExitStack() as stack:
        both = []
        for kind in Back, Front:
            both.append(kind(folder, request.param))
            stack.callback(both[-1].stop)
        yield both


@pytest.mark.parametrize(
    ("rule", "did", "wrong"),
    [
        # No chunk of ours gets between its bytes.
        ("drip", "dripped", 0),
        ("stall", "stalled", 0),
        ("corrupt", "corrupted", 1),
        # nginx would take a cut for the end of the body, and its client would not notice.
        *((rule, "nothing_to_cut", 0) for rule in ("truncate", "reset", "close")),
    ],
)
def test_a_body_without_a_length_is_the_apps(servers, rule, did, wrong):
    """Slow or not: to the last byte, of which a corrupted one is another."""
    back, front = servers
    answer = front.ask(f"/{rule}/stream")
    assert (answer.status, answer.whole, flipped(answer.body, STREAM)) == (200, True, wrong)
    assert did != "nothing_to_cut" or answer.one("x-faultinject") is None
    assert back.wrote(f"/{rule}/stream", did)


@pytest.mark.parametrize(
    ("rule", "did", "size"), [("truncate", "truncated", 1000), ("reset", "closed", 1500)]
)
def test_a_cut_of_a_known_length(servers, rule, did, size):
    """The client reads fewer bytes than the head announces.

    Over FastCGI nginx lets its client wait for the rest.
    """
    back, front = servers
    if back.protocol == "fastcgi":
        return
    with Client(front.address) as client:
        client.send(f"GET /{rule}/photos/2000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        answer = client.answer()
    assert (answer.status, answer.whole, answer.body) == (200, False, photo(2000)[:size])
    assert back.wrote(f"/{rule}/photos/2000", did)


@pytest.mark.parametrize(("rule", "status"), [("odd", 612), ("error", 503)])
def test_an_answer_of_ours(servers, rule, status):
    """Nothing is written past the server."""
    back, front = servers
    answer = front.ask(f"/{rule}/photos/1")
    assert (answer.status, answer.whole, back.wrote(f"/{rule}/photos/1", "answered")) == (status, True, True)
