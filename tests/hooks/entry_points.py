"""Give apps to every server, and print the statuses of the apps that the servers keep."""

import asyncio
import importlib

import httpx
import served

from faultinject.adapters.import_hooks import hook

ADDRESS = ("127.0.0.1", 0)


def cheroot(module):
    return module.Server(ADDRESS, served.wsgi).wsgi_app, module.Server(ADDRESS, wsgi_app=served.wsgi).wsgi_app


def daphne(module):
    endpoints = ["tcp:0"]
    return (
        module.Server(served.asgi, endpoints).application,
        module.Server(application=served.asgi, endpoints=endpoints).application,
    )


def granian(module):
    return (module.load_target("served:wsgi"),)


def gunicorn(module):
    class Application(module.BaseApplication):
        def load_config(self):
            pass

        def load(self):
            return served.wsgi

    return (Application().wsgi(),)


def hypercorn(module):
    return module.wrap_app(served.asgi, 1000, "asgi").app, module.wrap_app(
        app=served.asgi, wsgi_max_body_size=1000, mode="asgi"
    ).app


def uvicorn(module):
    config = module.Config(served.asgi, log_config=None, proxy_headers=False)
    config.load()
    return (config.loaded_app,)


def waitress(module):
    given, named = (
        module.create_server(served.wsgi, port=0),
        module.create_server(application=served.wsgi, port=0),
    )
    return given.application, named.application


def werkzeug(module):
    return (module.make_server(*ADDRESS, served.wsgi).app,)


def wsgiref(module):
    return (module.make_server(*ADDRESS, served.wsgi).get_app(),)


def wsgi_status(app):
    with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://app") as client:
        return client.get("/photos/cat").status_code


def asgi_status(app):
    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            return (await client.get("/photos/cat")).status_code

    return asyncio.run(ask())


SERVERS = [
    (cheroot, "cheroot.wsgi", wsgi_status),
    (daphne, "daphne.server", asgi_status),
    (granian, "granian._internal", wsgi_status),
    (gunicorn, "gunicorn.app.base", wsgi_status),
    (hypercorn, "hypercorn.utils", asgi_status),
    (uvicorn, "uvicorn.config", asgi_status),
    (waitress, "waitress.server", wsgi_status),
    (werkzeug, "werkzeug.serving", wsgi_status),
    (wsgiref, "wsgiref.simple_server", wsgi_status),
]

hook()
for server, name, status in SERVERS:
    print(server.__name__, *map(status, server(importlib.import_module(name))))
