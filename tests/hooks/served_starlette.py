"""Apps of Starlette and FastAPI, as people build them."""

import warnings

import served_flask
from asgiref.wsgi import WsgiToAsgi
from fastapi import FastAPI
from served import HEADERS, asgi, text
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.middleware.wsgi import WSGIMiddleware

    bridged = Starlette(routes=[Mount("/", app=WSGIMiddleware(served_flask.app))])


async def get(request: Request) -> Response:
    return Response(text(request.url.path), headers=HEADERS)


class Outer(Starlette):
    async def __call__(self, scope, receive, send):
        await super().__call__(scope, receive, send)


def make_fastapi():
    made = FastAPI()
    made.add_api_route("/{path:path}", get)
    return made


record_all = [Route("/{path:path}", get)]
starlette = Starlette(routes=record_all, middleware=[Middleware(GZipMiddleware)])
outer = Outer(routes=record_all)
fastapi = make_fastapi()
mounted = Starlette(routes=[Mount("/photos", app=make_fastapi()), Mount("/", app=asgi)])
in_fastapi = FastAPI()
in_fastapi.mount("/", outer)
bridged_by_asgiref = WsgiToAsgi(served_flask.app)

if __name__ == "__main__":
    import sys

    import uvicorn

    uvicorn.run(fastapi, port=int(sys.argv[1]))
