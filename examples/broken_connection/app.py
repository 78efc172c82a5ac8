"""A shop: POST places an order, GET lists them.

An order with a known Idempotency-Key is not placed again.
"""

from flask import Flask, jsonify, request

import faultinject


def create_app() -> Flask:
    """The shop, without orders."""
    app = Flask(__name__)
    orders: list[str] = []
    keys: set[str] = set()

    @app.post("/orders")
    def place() -> tuple[str, int]:
        key = request.headers.get("Idempotency-Key")
        if key is None or key not in keys:
            orders.append(request.get_data(as_text=True))
        if key is not None:
            keys.add(key)
        return "", 201

    @app.get("/orders")
    def list_all() -> object:
        return jsonify(orders)

    return faultinject.install(app)
