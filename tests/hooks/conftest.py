"""Servers that are started as people start them."""

from __future__ import annotations

import pytest

from .launch import Server


@pytest.fixture
def start(tmp_path_factory):
    """Start a server: the way or the command line, and rules for `faultinject run`."""
    running = []

    def start(way, *rules, **variables):
        command = way if callable(way) else way.command
        running.append(Server(command, tmp_path_factory.mktemp("run"), *rules, **variables))
        return running[-1]

    yield start
    for each in running:
        each.stop()
