"""The page shows what was recorded, and the programs that are here still fail that way."""

from __future__ import annotations

import shutil

import pytest
from crashes import record


def test_the_page_shows_what_was_recorded():
    """Its table is that of the results, and every job is in it."""
    document = record.recorded()
    assert f"{record.BEGIN}{record.table(document)}{record.END}" in record.PAGE.read_text(encoding="utf-8")
    assert [each["job"] for each in document["results"]] == list(record.JOBS)


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("s3cmd") is None, reason="it is a program of its own: apt-get install s3cmd")
def test_it_is_found_again():
    """Of the same version the same requests, runs and findings."""
    [before] = [each for each in record.recorded()["results"] if each["job"] == "s3cmd-sync"]
    if record.version("s3cmd-sync") != before["program"]:
        pytest.skip(f"what was recorded is of {before['program']}")
    assert record.kept("s3cmd-sync", record.explored("s3cmd-sync")) == before
