"""The bound of an app's own failures, `abort`, is changed by hand while the app runs.

`test_recycled` has the failures of several workers.
"""

import sys

import pytest

from .launch import CONTROL, Way


@pytest.mark.slow
@pytest.mark.parametrize("store", ["private", "memory"], indirect=True)
@pytest.mark.parametrize(
    ("change", "status"), [({}, 200), ({"abort": None}, 418), ({"abort": "5xx>50%/1h,min=9999"}, 418)]
)
def test_a_hand_changes_the_bound_of_a_file(store, change, status, start, tmp_path):
    """The control API shows, removes and replaces a scenario's `abort`, below `run` too."""
    path = tmp_path / "rules.toml"
    path.write_text('abort = "5xx>50%/1h,min=20"\n[[rules]]\nfault = "http:418"\npath = "process"\n')
    way = Way("python serving.py wsgiref {port} served_failing:app")
    server = start(
        lambda port: [sys.executable, "-m", "faultinject", "run", "--file", path, "--", *way.command(port)],
        **CONTROL,
        **store,
    )
    assert server.control("GET", "/rules")["abort"] == "5xx>50%/1h,min=20"
    if change:
        server.control("PUT", "/rules", {"text": "http:418,path=process", **change})
        assert server.control("GET", "/rules").get("abort") == change["abort"]
    assert (server.statuses("/process", 1), server.statuses("/broken", 40)) == ([418], [500] * 40)
    assert server.statuses("/process", 1) == [status]
