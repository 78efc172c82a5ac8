"""Requests to an injector, and what is to be so by and by."""

from __future__ import annotations

import time

from faultinject import Injector, WSGIFaultMiddleware
from tests.asking import app


def until(true):
    """Ask until it is so; gives what it is."""
    end = time.monotonic() + 60
    while not (found := true()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def make(url, rules="http:503"):
    """An injector whose journal is that of all who count there."""
    injector = Injector(rules, store=url, environ={})
    injector.let_watch()
    return injector


def get(injector, path):
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
    return b"".join(WSGIFaultMiddleware(app, injector=injector)(environ, lambda *_: None))


def paths(found):
    return [each.path for each in found]
