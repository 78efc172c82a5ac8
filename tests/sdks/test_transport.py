"""Real clients on real servers meet every connection fault: exceptions and attempts.

`RESULTS.md` is made of `transport.json`, and that is what is measured here.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faultinject.rules.faults import FAULTS

from .table import HEADS, TITLES
from .trial import CELLS, CLIENTS, ROWS, SERVERS, measure, versions

FILE = Path(__file__).with_name("transport.json")
WRITING = os.environ.get("WRITE_SDK_RESULTS") == "1"


def expected(server, row, client, published):
    """The published cell, except for a mistake of the COS SDK.

    It reads Content-Length as spelled like this only.
    """
    if (server, client, ROWS[row].call) == ("uvicorn", "cos-python-sdk-v5", "download"):
        return {"saw": "builtins.KeyError", "attempts": 0}
    return published["rows"].get(row, {}).get(client)


@pytest.fixture(scope="module")
def measured():
    """The results of both servers, measured at once, as clients mostly wait."""
    with ThreadPoolExecutor() as threads:
        return dict(zip(SERVERS, threads.map(measure, SERVERS), strict=True))


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("server", SERVERS)
def test_what_clients_make_of_each_fault(server, measured):
    """Exception and attempts are the published ones, and each fault did what its rule says."""
    saw, did = measured[server]
    assert did == {name: sorted(row.did) for name, row in ROWS.items()}
    if WRITING and server == "werkzeug":
        FILE.write_text(json.dumps({"versions": versions(), "rows": saw}, indent=1) + "\n", encoding="utf-8")
    published = json.loads(FILE.read_text(encoding="utf-8"))
    told = {cell: expected(server, *cell, published) for cell in CELLS}
    different = {
        cell: (saw[cell[0]][cell[1]], told[cell]) for cell in CELLS if saw[cell[0]][cell[1]] != told[cell]
    }
    assert different == {}, (
        f"measured with {versions()}, published for {published['versions']}; if that is right: "
        "WRITE_SDK_RESULTS=1 pytest tests/sdks/test_transport.py"
    )


def test_the_published_table_is_of_these_clients_and_faults():
    """The published table has the measured cells, and every fault that breaks an exchange."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))["rows"]
    assert sorted((row, client) for row, cells in rows.items() for client in cells) == sorted(CELLS)
    assert ([*TITLES], [*HEADS]) == ([*ROWS], [*CLIENTS])
    named = {each.title for each in FAULTS} - {
        "vendor:Code",
        "http:NNN",
        "oneof",
        "latency",
        "edit",
        "overwrite",
        "stale",
    }
    assert named <= {row.rule.partition(",")[0] for row in ROWS.values()}
