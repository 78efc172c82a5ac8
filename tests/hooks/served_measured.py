"""Apps with metrics, as the documentation of prometheus_client has it for several workers."""

import os

import served
from prometheus_client import REGISTRY, CollectorRegistry, make_asgi_app, make_wsgi_app
from prometheus_client.multiprocess import MultiProcessCollector

import faultinject
from faultinject.telemetry.prometheus import collect


def registry():
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    found = CollectorRegistry()
    MultiProcessCollector(found)
    return found


def app(environ, start_response):
    if environ["PATH_INFO"] == "/metrics":
        return make_wsgi_app(registry())(environ, start_response)
    return served.wsgi(environ, start_response)


async def asgi_app(scope, receive, send):
    if scope["type"] == "http" and scope["path"] == "/metrics":
        await make_asgi_app(registry())(scope, receive, send)
    else:
        await served.asgi(scope, receive, send)


wsgi = faultinject.install(app)
asgi = faultinject.install(asgi_app)
collect()
