"""Real clients on real servers, each under every fault of the connection: what they raise, and how often they try.

The README's table is made of `transport.json`, and that is what is measured here.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from faultinject.core.faults import FAULTS

from .clients import CLIENTS
from .table import HEADS, TITLES
from .trial import CELLS, ROWS, SERVERS, measure, versions

FILE = Path(__file__).with_name("transport.json")
WRITING = os.environ.get("WRITE_SDK_RESULTS") == "1"


@pytest.mark.slow
@pytest.mark.parametrize("server", SERVERS)
def test_what_clients_make_of_each_fault(server):
    """Exception and number of attempts are the published ones, and every fault was done as the rule says."""
    saw, did = measure(server)
    assert did == {name: row.did for name, row in ROWS.items()}
    if WRITING:
        found = {"versions": versions(), "rows": saw}
        FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return
    published = json.loads(FILE.read_text(encoding="utf-8"))
    told = published["rows"]
    different = {
        f"{client}, {row}": (saw[row][client], told.get(row, {}).get(client))
        for row, client in CELLS
        if saw[row][client] != told.get(row, {}).get(client)
    }
    assert not different, (
        f"measured, published; {versions()}, published for {published['versions']}; if that is right: "
        "WRITE_SDK_RESULTS=1 pytest tests/sdks/test_transport.py"
    )


def test_the_published_table_is_of_these_clients_and_faults():
    """Nothing is published that is not measured, and every fault that breaks an exchange is measured."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))["rows"]
    assert sorted((row, client) for row, cells in rows.items() for client in cells) == sorted(CELLS)
    assert ([*TITLES], [*HEADS]) == ([*ROWS], [*CLIENTS])
    breaking = {each.title for each in FAULTS} - {"vendor:Code", "http:NNN", "latency"}
    assert breaking <= {row.rule.partition(",")[0] for row in ROWS.values()}
