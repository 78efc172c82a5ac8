"""Faults in 30 % of the requests, beside proxies that do the same in front of the app.

The app is included. A proxy that is not installed is left out.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from loopback import Server, measured, serving, start
from measure import AGAIN, Goal, Row, Sample, retried

BODY = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
HAPROXY = """global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend all
    bind 127.0.0.1:{port}
    http-request return status 503 content-type application/xml string "{body}" if {{ rand(10) lt 3 }}
    default_backend app
backend app
    server app 127.0.0.1:{app}
"""
NGINX = """daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    split_clients "$request_id" $fails {{ 30% 1; * 0; }}
    upstream app {{ server 127.0.0.1:{app}; keepalive 32; }}
    server {{
        listen 127.0.0.1:{port};
        keepalive_requests 1000000;
        location / {{
            if ($fails) {{ return 503 '{body}'; }}
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""
PEERS = {
    "haproxy": (HAPROXY, ["haproxy", "-f"], 1.2),
    "nginx": (NGINX, ["nginx", "-c"], 1.15),
}


class Pair(Server):
    """A proxy together with the app behind it."""

    app: Server

    def spent(self) -> int:
        return super().spent() + self.app.spent()


def run() -> list[Row]:
    there = [name for name in PEERS if shutil.which(name)]
    return retried(lambda: _compared(there)) if there else []


def _compared(there: list[str]) -> list[Row]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        servers: dict[str, Server] = {}
        for name, variant in (("ours", "some"), (AGAIN, "some"), ("app", "bare")):
            servers[name] = serving("raw", variant)
            stack.callback(servers[name].stop)
        app = servers.pop("app")
        for name in there:
            servers[name] = _proxy(name, app, Path(folder))
            stack.callback(servers[name].stop)
        cpu, _wall = measured(servers)
    sample = Sample("ours", cpu)
    return [
        sample.row(
            f"{name} in front of a raw ASGI app, 30 % injected, CPU a request",
            "ours, app included",
            Goal("≥", PEERS[name][2]),
            sample.ratios(name),
            f"{median(cpu[name]) / 1000:.0f} µs to {median(cpu['ours']) / 1000:.0f} µs",
        )
        for name in there
    ]


def _proxy(name: str, app: Server, folder: Path) -> Pair:
    template, command, _limit = PEERS[name]
    file = folder / f"{name}.conf"

    def configured(port: int) -> list[str]:
        file.write_text(template.format(port=port, app=app.port, folder=folder, body=BODY))
        return [*command, str(file)]

    started = start(configured)
    pair = Pair(started.process, started.reserved)
    pair.app = app
    return pair
