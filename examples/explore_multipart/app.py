"""An archive of films that takes them in parts, like object storage, without faultinject."""

from uuid import uuid4

from flask import Flask, abort, request


def create_app() -> Flask:
    """The archive, without films; what it has is in `app.films`."""
    app = Flask(__name__)
    app.films = films = {}
    uploads: dict[str, dict[int, bytes]] = {}

    @app.post("/films/<name>")
    def begin_or_complete(name: str) -> str:
        if "uploads" in request.args:
            number = uuid4().hex[:8]
            uploads[number] = {}
            return f"<Result><UploadId>{number}</UploadId></Result>"
        parts = parts_of(request.args["uploadId"])
        films[name] = b"".join(parts[number] for number in sorted(parts))
        return "<Result/>"  # again is fine: the same parts make the same film

    @app.put("/films/<name>")
    def put_part(name: str) -> str:
        parts_of(request.args["uploadId"])[int(request.args["partNumber"])] = request.get_data()
        return ""

    def parts_of(number: str) -> dict[int, bytes]:
        return uploads[number] if number in uploads else abort(404)

    return app
