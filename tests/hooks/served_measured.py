"""An app with metrics, as the documentation of prometheus_client has it for several workers."""

import os

import served
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

import faultinject
from faultinject.telemetry import prometheus


def app(environ, start_response):
    if environ["PATH_INFO"] != "/metrics":
        return served.wsgi(environ, start_response)
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    body = generate_latest(registry)
    start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST), ("Content-Length", str(len(body)))])
    return [body]


wsgi = faultinject.install(app)
prometheus.collect()
