"""Servers that are started as people start them."""

from __future__ import annotations

import pytest

from .launch import Server


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
