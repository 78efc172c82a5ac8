"""`serve --control` and `run` with a control API offer it, and it works."""

import re
import sys

import pytest

from .conftest import Client
from .programs import wait_for


def test_serve_offers_it_at_a_path(start, free_port):
    """Of the embedded store, without a rule: one that comes by the API is in force."""
    port = free_port()
    program = start(
        "faultinject", "serve", "--port", str(port), "--control", "/_faultinject", FAULTINJECT_ENABLED=""
    )
    client = wait_for(
        program,
        Client(None, (port, "/_faultinject"), port),
        f"control: http://127.0.0.1:{port}/_faultinject/",
    )
    assert client.ask_app("/b/k") == 404
    client.change("PUT", "/rules", {"text": "cos:SlowDown"})
    assert client.ask_app("/b/k") == 503


@pytest.mark.slow
def test_serve_offers_it_at_an_address(start, free_port):
    """With a random token, which is told once."""
    port, own = free_port(), free_port()
    program = start(
        "faultinject", "serve", "--port", str(port), "--control", f"127.0.0.1:{own}", "-r", "http:503,times=1",
        FAULTINJECT_ENABLED="", FAULTINJECT_TOKEN="",
    )  # fmt: skip
    client = wait_for(
        program, Client(None, (own, ""), port), f"control: http://127.0.0.1:{own}/", "its token is "
    )
    (token,) = re.findall(r"its token is (\S+)", program.text)
    assert client.get("/state", token=token).data["rules"][0]["text"] == "http:503,times=1"


@pytest.mark.slow
def test_run_offers_it_where_the_environment_asks(start, free_port):
    """Without a rule, around a plain app, all processes share the rules of the control API."""
    port = free_port()
    plain = (
        "from flask import Flask\napp = Flask(__name__)\n@app.route('/<path:path>')\ndef "
        "answer(path):\n    return path\n"
    )
    program = start(
        "faultinject", "run", "--", sys.executable, "-m", "gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", "plain:app",
        FAULTINJECT_ENABLED="", FAULTINJECT_CONTROL="/_faultinject",
    )  # fmt: skip
    (program.log.parent / "plain.py").write_text(plain)
    client = wait_for(program, Client(None, (port, "/_faultinject"), port))
    client.change("PUT", "/rules", {"text": "http:503,times=3"})
    assert [client.ask_app() for _ in range(12)].count(503) == 3
    assert client.state()["store"].startswith("file:")
