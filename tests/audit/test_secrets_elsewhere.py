"""Planted secrets do not appear in previews, failures, explorations or representations."""

import logging

import pytest
from werkzeug.test import Client

from faultinject import Injector, explore, inject
from faultinject.exceptions import ExplorationFailedError
from faultinject.store import ObjectStore
from faultinject.store.stores import STORES
from tests.audit.test_secrets import PLACES, ask_asgi, ask_wsgi, planted
from tests.rows import each_row

console = pytest.importorskip("tests.console")


def batches(size=48):
    """The planted requests, some at a time."""
    found = list(planted())
    assert len(found) >= 300
    return [found[start : start + size] for start in range(0, len(found), size)]


def leaks(secrets, outputs):
    """The outputs that hold one of the secrets, with the first."""
    return {
        name: next(each for each in secrets if each in text)
        for name, text in outputs.items()
        if any(each in text for each in secrets)
    }


@pytest.mark.parametrize("ask", [ask_wsgi, ask_asgi])
def test_failures_and_explorations(ask, caplog):
    """The messages of failed tests, the report of an exploration, its code, and `repr()`."""
    caplog.set_level(logging.DEBUG)
    off = Injector([], environ={})
    for batch in batches():
        outputs = {}
        with inject("http:503", "cos:SlowDown,path=nowhere,query.uploadId=7", seed=1) as faults:
            for _, target, headers in batch:
                ask(off, target, headers)
        for name, call in (
            ("fired", faults.assert_all_fired),
            ("retries", lambda faults=faults: faults.assert_retries(strict=True, require=["all"])),
        ):
            with pytest.raises(AssertionError) as caught:
                call()
            outputs[name] = str(caught.value)
        outputs["repr"] = repr([*faults.outcomes, *faults.calls, *faults.findings()])
        run = explore("http:503", "reset", max_runs=3)
        error = None
        try:
            for each in run:
                with each:
                    for _, target, headers in batch[:3]:
                        said = ask(off, target, headers)
                        assert "x-faultinject" not in said, "unhappy"
        except ExplorationFailedError as failed:
            error = failed
        outputs |= {"explored": run.report(), "JSON": run.to_json(), "failed": str(error)}
        outputs["log"] = caplog.text
        assert leaks([secret for secret, *_ in batch], outputs) == {}


@each_row("command", ["check", "check --json", "preview"])
def test_commands(command):
    """A presigned URL is pasted from somewhere, and what is printed goes to the log of a CI job."""
    for batch in batches(6)[::4]:
        for secret, target, _ in batch:
            if command == "preview":
                if not target.startswith("/"):
                    continue  # it is a path, whatever it looks like
                arguments = ["preview", "cos:SlowDown,path=nowhere", "--path", target]
                said = console.command(*arguments).stderr
                assert said
            else:
                arguments = ["http:503", "--request", f"PUT {target}", "--seed", "1"]
                said = console.command(*command.split(), *arguments).output
                assert "identity" in said or "is not a method and a path" in said
            assert secret not in said, target


@each_row("vendor", STORES)
def test_the_last_error_of_a_store(vendor):
    """It quotes what the store has not, and `explore` prints it."""
    store = ObjectStore(vendor)
    store.fill("photos", objects=(), uploads=(), content=b"")
    there = {"azure-blob": "/account/photos/cat", "gcs": "/storage/v1/b/photos/o/cat"}.get(
        vendor, "/photos/cat"
    )
    for place in (*PLACES, "/b/k?comp={}"):
        store.refused = ""
        Client(store).get(place.replace("/b/k", there).replace("{}", "S3CR3Tof24lettersanddigit"))
        assert store.refused
        assert "S3CR3T" not in store.refused, place
