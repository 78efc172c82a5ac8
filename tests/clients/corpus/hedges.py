"""Sends two more copies of what takes long, and with them triples the load of a server that is slow already."""

from __future__ import annotations

from .well_behaved import HedgedRead


class Hedges(HedgedRead):
    """Two where one is enough."""

    expected = {"overlap": "FAIL"}
    copies = 2
