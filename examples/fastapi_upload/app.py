"""A document store: PUT keeps a document, GET gives it back."""

from fastapi import FastAPI, HTTPException, Request, Response

import faultinject


def create_app() -> FastAPI:
    """The service, empty."""
    app = FastAPI()
    documents: dict[str, bytes] = {}

    @app.put("/documents/{name}", status_code=201)
    async def put(name: str, request: Request) -> dict[str, int]:
        documents[name] = await request.body()
        return {"size": len(documents[name])}

    @app.get("/documents/{name}")
    async def get(name: str) -> Response:
        if name not in documents:
            raise HTTPException(404)
        return Response(documents[name], media_type="application/octet-stream")

    return faultinject.install(app)


app = create_app()
