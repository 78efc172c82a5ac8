"""Sends two more copies of a slow request, and so triples the load of a slow server."""

from __future__ import annotations

from .well_behaved import HedgedRead


class Hedges(HedgedRead):
    """Two where one is enough."""

    expected = {"overlap": "WARN"}
    copies = 2
