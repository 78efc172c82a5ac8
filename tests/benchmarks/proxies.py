"""`faultinject proxy` beside other proxies that only pass on, each in front of one app.

One that is not installed is left out.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from statistics import median

from loopback import Server, measured, serving, start
from measure import AGAIN, Goal, Row, Sample, retried

RULES = {
    "ours": (),
    AGAIN: (),
    "unmatched": ("-r", "cos:SlowDown,path=elsewhere/"),
    "never": ("-r", "cos:SlowDown,probability=0"),
}
HAPROXY = """global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend all
    bind 127.0.0.1:{port}
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
    upstream app {{ server 127.0.0.1:{app}; keepalive 32; }}
    server {{
        listen 127.0.0.1:{port};
        keepalive_requests 1000000;
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""
ENVOY = """static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: all
          route_config:
            virtual_hosts:
            - {{name: all, domains: ["*"], routes: [{{match: {{prefix: /}}, route: {{cluster: app}}}}]}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: app
    load_assignment:
      cluster_name: app
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {app}}}}}}}
"""
CONFIGURED = {
    "haproxy": (HAPROXY, ["haproxy", "-f"]),
    "nginx": (NGINX, ["nginx", "-c"]),
    "envoy": (ENVOY, ["envoy", "--concurrency", "1", "--log-level", "error", "--use-dynamic-base-id", "-c"]),
}
URL = "http://127.0.0.1:{app}"
MITM, MICROBURST = "mitmdump", "microburst"
MITM_COMMAND = [
    MITM, "--quiet", "--mode", f"reverse:{URL}", "--set", "confdir={folder}", "--listen-host", "127.0.0.1",
    "--listen-port", "{port}",
]  # fmt: skip
MICROBURST_COMMAND = [MICROBURST, "--upstream", URL, "--port", "{port}"]
VERSION = {"haproxy": "-v", "nginx": "-v", "envoy": "--version", MITM: "--version", MICROBURST: "--version"}


def run() -> list[Row]:
    return retried(_compared)


def _compared() -> list[Row]:
    peers = [name for name in (*CONFIGURED, MITM, MICROBURST) if shutil.which(name)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        app = stack.enter_context(serving("raw", "bare"))
        servers = {name: stack.enter_context(_proxy(name, app.port, folder)) for name in (*RULES, *peers)}
        cpu, wall = measured(servers)
    sample = Sample("ours", cpu)

    def row(name: str, case: str) -> Row:
        clock = median(one / other for one, other in zip(wall[name], wall["ours"], strict=True))
        note = (
            f"{median(cpu[name]) / 1000:.0f} µs to {median(cpu['ours']) / 1000:.0f} µs; by the clock, "
            f"the app included, {clock:.2f} ×"
        )
        return sample.row(case, "`faultinject proxy` without rules", Goal("", 0), sample.ratios(name), note)

    return [
        row("unmatched", "`faultinject proxy`, a rule for another path, CPU a request"),
        row("never", "`faultinject proxy`, a rule that matches and does not fire, CPU a request"),
        *(row(name, f"{name} {_version(name)} as a bare proxy, CPU a request") for name in peers),
    ]


def _proxy(name: str, app: int, folder: Path) -> AbstractContextManager[Server]:
    """The proxy of that name in front of that port."""

    def command(port: int) -> list[str]:
        if name not in CONFIGURED:
            ours = [sys.executable, "-m", "faultinject", "proxy", *RULES.get(name, ()), "--to", URL]
            words = {MITM: MITM_COMMAND, MICROBURST: MICROBURST_COMMAND}.get(
                name, [*ours, "--port", "{port}"]
            )
            return [each.format(app=app, port=port, folder=folder) for each in words]
        template, words = CONFIGURED[name]
        file = folder / f"{name}.yaml"  # by which Envoy knows what it is
        file.write_text(template.format(port=port, app=app, folder=folder))
        return [*words, str(file)]

    return start(command)


def _version(name: str) -> str:
    done = subprocess.run([name, VERSION[name]], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
    return found[0] if found else ""
