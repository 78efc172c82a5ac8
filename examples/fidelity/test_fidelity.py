"""The results are by their schema, and those of our own store and of moto are still what comes of a run."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest
from fidelity import record
from jsonschema import Draft202012Validator

from faultinject.cli.schemas import SCHEMAS

RESULTS = record.recorded()


@pytest.mark.parametrize("name", RESULTS)
def test_each_file_is_by_its_schema(name: str) -> None:
    """And its numbers are those of its findings."""
    found = RESULTS[name]
    assert [*Draft202012Validator(SCHEMAS["fidelity"][1]()).iter_errors(found)] == []
    verdicts = [each["verdict"] for each in found["findings"]]
    counted = [verdicts.count(each) for each in ("agrees", "differs", "not judged")]
    assert [found["agree"], found["differ"], found["not_judged"]] == counted


@pytest.mark.slow
@pytest.mark.parametrize("vendor", record.VENDORS)
def test_our_own_store(vendor: str) -> None:
    """Each answer is what is on record, and nothing is left in the store."""
    with record.store(vendor) as url:
        found = record.ask(url, vendor, "our own")
    assert record.stable(found) == record.stable(RESULTS[f"faultinject-{vendor}.json"])
    assert (found["stopped"], found["left_behind"]) == (None, [])


def test_moto() -> None:
    """The version on record answers as it did; another one can be asked all the same."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        found = record.ask(f"http://{host}:{port}", "s3", f"moto {version('moto')}")
    finally:
        server.stop()
    assert (found["stopped"], found["left_behind"]) == (None, [])
    if found["service"] == RESULTS["moto.json"]["service"]:
        assert record.stable(found) == record.stable(RESULTS["moto.json"])


def test_the_table_is_of_the_files() -> None:
    """`python examples/fidelity/record.py` writes it."""
    page = Path(record.__file__).with_name("README.md").read_text(encoding="utf-8")
    assert page.partition(record.BEGIN)[2].partition(record.END)[0] == record.table()
    assert all(json.dumps(each) for each in RESULTS.values())
