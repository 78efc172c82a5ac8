"""The loop form: what a run gives, what ends it, and what it does not hide."""

import itertools
import re
import time
from unittest.mock import Mock

import pytest

import faultinject
from faultinject.exceptions import ExplorationFailedError, InjectionFailedError

from .service import call, exploring, passing, send, texts


def test_a_run():
    """Entered, a run gives its faults; left, its requests and its error; the exploration counts."""
    exploration = faultinject.explore("http:500")
    seen = []
    for run in exploration:
        with run as faults:
            ok = send("PUT", "/b/k") == 200
            assert ok or faults.injected == 1
        seen.append((str(run.scenario), [each.status for each in run.requests], run.error))
    assert seen == [
        ("", [200], None),
        ("", [200], None),
        ("http:500,method=PUT,path=/b/k,times=1", [500], None),
    ]
    assert (texts(exploration), exploration.over) == (["http:500,method=PUT,path=/b/k,times=1"], True)
    assert 0 < exploration.seconds < 60


def test_what_the_test_says_of_a_run():
    """`pause()`, `call()` and `fast_forward()` of outer faults hold for the current run."""
    with faultinject.inject("http:418,path=b/nowhere") as faults:
        exploration = faults.explore("http:503")
        for run in exploration:
            with run as inner:
                with faults.pause():
                    assert send("GET", "/b/k") == 200
                with faults.call("upload"):
                    assert call("PUT", "/b/k")
                faults.fast_forward()
                time.sleep(600)
                assert [each.name for each in inner.calls] == ["upload"]
    assert texts(exploration) == ["http:503,method=PUT,path=/b/k,times=1"]
    assert (faults.attempts, faults.calls) == (0, [])


def test_a_run_whose_faults_do_not_come_in_force(monkeypatch):
    """It is not under way: what the test says then is about its own faults."""
    exploration = faultinject.explore("http:503")
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="not today"):
        for run in exploration:
            patch.setattr(faultinject.Injector, "put_in_force", Mock(side_effect=RuntimeError("not today")))
            with run:
                pytest.fail("it came in force")
    assert exploration.under_way is None


def test_a_run_is_to_be_entered():
    """A body without `with run:` would loop for ever."""
    with pytest.raises(ExplorationFailedError, match="write `with run:`"):
        for _ in faultinject.explore("reset"):
            send("PUT", "/b/k")


@pytest.mark.parametrize(
    "ending",
    [
        KeyboardInterrupt(),
        SystemExit(),
        GeneratorExit(),
        pytest.exit.Exception(),
        BaseExceptionGroup("tasks", [ValueError(), KeyboardInterrupt()]),
    ],
    ids=repr,
)
def test_what_ends_everything(ending):
    """Ctrl-C and the like end the loop in any run; so does `pytest.exit()`, an Exception."""
    runs = []

    def code():
        runs.append(call("PUT", "/b/k"))
        if len(runs) == 3:
            raise ending

    with pytest.raises(type(ending)):
        exploring(code, "reset")
    assert len(runs) == 3


@pytest.mark.parametrize("end", [pytest.fail, pytest.skip, pytest.xfail])
def test_what_ends_a_test(end):
    """A run that fails or skips itself because of a fault has failed.

    Without a fault it ends the test as it says.
    """
    _, error = exploring(lambda: send("PUT", "/b/k") is None and end("no service"), "reset")
    assert re.match(r"[^\n]+ 1 failed.*\n\n[A-Za-z]+: no service", str(error))
    with pytest.raises(end.Exception, match=r"^no service$"):
        exploring(lambda: end("no service"), "reset")


def test_errors_of_ours_are_no_failures_of_the_code(monkeypatch):
    """An error inside faultinject ends the exploration by its own name."""
    monkeypatch.setattr(faultinject.vendors.get("cos"), "envelope", Mock(side_effect=ZeroDivisionError))
    with pytest.raises(InjectionFailedError):
        exploring(lambda: send("PUT", "/b/k"), "cos:SlowDown")


def test_endpoints_of_ones_own(monkeypatch):
    """Bucket and key of a condition are read below one's own host, as everywhere."""
    monkeypatch.setenv("FAULTINJECT_ENDPOINT", "storage.example")
    hosts = [f"http://{each}.storage.example" for each in ("photos", "other")]
    exploration = passing(
        lambda: [call("PUT", "/k", base_url=each) for each in hosts], "cos:SlowDown,bucket=photos,key=k"
    )
    assert texts(exploration) == ["cos:SlowDown,method=PUT,path=/k,host=photos.storage.example,times=1"]


def test_virtual_hosts():
    """Requests with the bucket in the host are read as the explored vendor's, for any fault."""
    name = "photos-1250000000.cos.ap-guangzhou.myqcloud.com"
    host = {"base_url": f"http://{name}"}
    numbers = itertools.count()

    def code():
        call("PUT", "/k", headers={"x-cos-copy-source": "photos/from"}, **host)
        call("PUT", f"/tmp{next(numbers)}", **host)

    exploration = passing(code, "cos:InternalError,status=200,operation=CopyObject", "reset")
    assert texts(exploration) == [
        f"cos:InternalError,method=PUT,path=/k,host={name},times=1,status=200",
        f"reset,method=PUT,path=/k,host={name},times=1",
        "reset,operation=PutObject,vendor=cos,times=1",
    ]
    assert all(each.reached for each in exploration.runs)
