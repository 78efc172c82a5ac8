"""Servers that are started as people start them."""

import pytest

from .launch import Server


@pytest.fixture
def store(request, tmp_path):
    """The variables for a store of this kind: none, memory, a directory or a server."""
    kind = request.param
    if kind == "redis":
        url = request.getfixturevalue("redis_server").url
        return {"FAULTINJECT_STORE": f"{url}?prefix={request.getfixturevalue('redis_prefix')}"}
    named = {"private": "", "memory": "memory:", "file": f"file:{tmp_path / 'store'}"}[kind]
    return {"FAULTINJECT_STORE": named} if named else {}


@pytest.fixture
def start(tmp_path_factory):
    """Start a server by a way or a command line; skip one that is not installed.

    The rules are for `faultinject run`.
    """
    running = []

    def start(way, *rules, **variables):
        if not callable(way):
            if way.missing:
                pytest.skip(way.missing)
            way = way.command
        running.append(Server(way, tmp_path_factory.mktemp("run"), *rules, **variables))
        return running[-1]

    yield start
    for each in running:
        each.stop()
