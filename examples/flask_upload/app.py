"""A photo service: PUT stores a photo, GET gives it back."""

from flask import Flask, Response, abort, request

import faultinject


def create_app() -> Flask:
    """The service, with an empty album."""
    app = Flask(__name__)
    photos: dict[str, bytes] = {}

    @app.put("/photos/<name>")
    def put(name: str) -> tuple[str, int]:
        photos[name] = request.get_data()
        return "", 201

    @app.get("/photos/<name>")
    def get(name: str) -> Response:
        if name not in photos:
            abort(404)
        return Response(photos[name], mimetype="image/jpeg")

    return faultinject.install(app)
