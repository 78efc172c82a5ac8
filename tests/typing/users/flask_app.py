"""An app of Flask with the middleware, and a switch for whoever operates it."""

# mypy takes Flask's `wsgi_app` for a method; with ProxyFix of Werkzeug it says the same.
# mypy: disable-error-code="method-assign"

from __future__ import annotations

from flask import Flask, request

import faultinject
from faultinject import Injector, State, WSGIFaultMiddleware

app = Flask(__name__)
app.wsgi_app = WSGIFaultMiddleware(app.wsgi_app, [])
installed: Flask = faultinject.install(Flask("other"), "http:503,times=1", seed=1)


@app.put("/photos/<name>")
def put(name: str) -> tuple[str, int]:
    return f"{name}: {len(request.get_data())} bytes", 201


def fail_writes(share: float) -> State:
    """Let a share of the writes fail."""
    injector: Injector | None = faultinject.get_injector(app)
    if injector is None:
        raise RuntimeError("no faults here")
    return injector.use(f"cos:SlowDown,method=PUT,probability={share}")
