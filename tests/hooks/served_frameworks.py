"""One small app of each framework, made on request, with faults if the variables say so."""

import sys

import faultinject

SPECIFICATION = {
    "openapi": "3.0.0",
    "info": {"title": "photos", "version": "1"},
    "paths": {
        path: {
            "get": {
                "operationId": f"{__name__}.{'photo' if '{' in path else 'ready'}",
                "parameters": [
                    {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
                ][: path.count("{")],
                "responses": {"200": {"description": "a photo"}},
            }
        }
        for path in ("/photos/{name}", "/ready")
    },
}
PATHS = ("/photos/<name>", "/ready")


def photo(name=None):
    return "a photo"


def ready():
    return "a photo"


async def load(name=None):
    return "a photo"


def with_rules(app, answer):
    for path in PATHS:
        app.add_url_rule(path, path, answer)
    return app


def flask():
    from flask import Flask

    return with_rules(Flask("photos"), photo)


def quart():
    from quart import Quart

    return with_rules(Quart("photos"), load)


def starlette():
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    def answer(request):
        return PlainTextResponse("a photo")

    return Starlette(routes=[Route("/photos/{name}", answer), Route("/ready", answer)])


def fastapi():
    from fastapi import FastAPI

    app = FastAPI()
    for path in ("/photos/{name}", "/ready"):
        app.get(path)(load)
    return app


def litestar(**options):
    from litestar import Litestar, get

    @get(["/photos/{name:str}", "/ready"], sync_to_thread=False)
    def answer() -> str:
        return "a photo"

    return Litestar([answer], **options)


def sanic():
    from sanic import Sanic
    from sanic.response import text

    app = Sanic("photos")

    async def answer(request, name=None):
        return text("a photo")

    for path in PATHS:
        app.add_route(answer, path, name=path.strip("/<>").replace("/<", "_"))
    return app


def connexion():
    from connexion import AsyncApp

    app = AsyncApp("photos")
    app.add_api(SPECIFICATION)
    return app


def connexion_flask():
    from connexion import FlaskApp

    app = FlaskApp("photos")
    app.add_api(SPECIFICATION)
    return app


def blacksheep():
    from blacksheep import Application, Router

    app = Application(router=Router())
    app.router.add_get("/photos/{name}", load)
    app.router.add_get("/ready", load)
    return app


class Photos:
    def on_get(self, request, answer, name=None):
        answer.text = "a photo"


class AsyncPhotos:
    async def on_get(self, request, answer, name=None):
        answer.text = "a photo"


def falcon():
    from falcon import App

    return with_photos(App(), Photos())


def falcon_asgi():
    from falcon.asgi import App

    return with_photos(App(), AsyncPhotos())


def with_photos(app, photos):
    app.add_route("/photos/{name}", photos)
    app.add_route("/ready", photos)
    return app


def bottle():
    from bottle import Bottle

    app = Bottle()
    for path in PATHS:
        app.route(path, callback=photo)
    return app


def pyramid():
    from pyramid.config import Configurator
    from pyramid.response import Response

    with Configurator() as config:
        for path in ("/photos/{name}", "/ready"):
            config.add_route(path, path)
            config.add_view(lambda request: Response("a photo"), route_name=path)
        return config.make_wsgi_app()


def aiohttp():
    from aiohttp import web

    app = web.Application()

    async def answer(request):
        return web.Response(text="a photo")

    app.add_routes([web.get("/photos/{name}", answer), web.get("/ready", answer)])
    return app


def aiohttp_beside_wsgiref():
    import wsgiref.simple_server  # noqa: F401 - a known server, which serves nothing here

    return aiohttp()


def aiohttp_given_to_wsgiref():
    from wsgiref.simple_server import make_server

    app = aiohttp()
    make_server("127.0.0.1", 0, app).server_close()
    return app


def plain(environ, start_response):
    start_response("200 OK", [("Content-Length", "7")])
    return [b"a photo"]


def plain_function():
    return plain


def django():
    return in_django().get_wsgi_application()


def django_asgi():
    from django.core.asgi import get_asgi_application

    in_django()
    return get_asgi_application()


def in_django():
    from django.conf import settings
    from django.core import wsgi
    from django.http import HttpResponse
    from django.urls import path

    photos = tuple(
        path(each, lambda request, **_: HttpResponse("a photo")) for each in ("photos/<name>", "ready")
    )
    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=photos, SECRET_KEY="secret", USE_TZ=True)
    return wsgi


def __getattr__(name):
    """`flask_app` is the one with faults around it, `flask_bare` the one without."""
    kind, _, made = name.rpartition("_")
    if made not in ("app", "bare"):
        raise AttributeError(name)
    app = globals()[kind]()
    globals()[name] = faultinject.install(app) if made == "app" else app
    return globals()[name]


if __name__ == "__main__":
    app, port = getattr(sys.modules[__name__], sys.argv[1]), int(sys.argv[2])
    if sys.argv[1].startswith("aiohttp"):
        from aiohttp import web

        web.run_app(app, host="127.0.0.1", port=port, print=None)
    else:
        app.run(host="127.0.0.1", port=port)
