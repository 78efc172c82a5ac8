"""`faultinject run` in this process, up to the moment where the command takes its place; `tests/hooks` goes on there."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from faultinject.injector.session_sync import import_hooks


@pytest.fixture
def became(tmp_path, monkeypatch):
    """What the process became: program, arguments, environment."""
    found = []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def execve(program, arguments, environ):
        found.append((program, arguments, dict(environ)))
        assert ("FAULTINJECT_SESSION" in environ) == [*tmp_path.glob("faultinject-*/*")].__len__()
        raise SystemExit(0)  # this process is no more

    monkeypatch.setattr(os, "execve", execve)
    return found


def test_untouched(run, became):
    """Without a rule it becomes the command as it is, and nothing is prepared for anybody."""
    before = dict(os.environ)
    code, _, err = run(
        "run", "--journal", "/no/such/journal", "--", sys.executable, "-V", env={"FAULTINJECT_HEADER": "0"}
    )
    assert (code, err.count("runs untouched, without faults: there is no rule")) == (0, 1)
    assert became[0] == (sys.executable, [sys.executable, "-V"], before | {"FAULTINJECT_HEADER": "0"})


def test_a_journal(run, became, tmp_path):
    """It is made before anything starts, and named by its whole path."""
    path = tmp_path / "journal"
    given = ("-r", "http:500", "--journal", os.path.relpath(path))
    assert run("run", *given, "--", sys.executable, env={"FAULTINJECT_JOURNAL": "other"})[0] == 0
    [(_, _, environ)] = became
    assert environ["FAULTINJECT_JOURNAL"] == str(path)
    assert path.read_text() == ""


def ours(environ):
    return {name: value for name, value in environ.items() if name.startswith("FAULTINJECT_")}


def test_a_session(run, became, tmp_path):
    """The variables of rules are replaced by one, the others stay."""
    env = {"FAULTINJECT_RULES": "http:500", "FAULTINJECT_RULE_A": "http:501", "FAULTINJECT_HEADER": "0"}
    assert run("run", "--seed", "s", "--", sys.executable, "-V", env=env)[0] == 0
    [(program, arguments, environ)] = became
    assert (program, arguments) == (sys.executable, [sys.executable, "-V"])
    assert ours(environ).keys() == {"FAULTINJECT_SESSION", "FAULTINJECT_HEADER"}
    assert environ["PYTHONPATH"] == import_hooks(os.environ)["PYTHONPATH"]
    assert Path(environ["FAULTINJECT_SESSION"]).parent.parent == tmp_path


def test_a_named_store(run, became):
    """No session: the rules are told, in their own words."""
    rules = ("cos:SlowDown,times=3,path=photos/", 'http:500,header.x="a b",name=second')
    given = [word for each in rules for word in ("-r", each)]
    env = {"FAULTINJECT_STORE": "memory:", "FAULTINJECT_SESSION": "/nowhere", "FAULTINJECT_FILE": "x.toml"}
    assert run("run", "--seed", "s", *given, "--", sys.executable, env=env)[0] == 0
    [(_, _, environ)] = became
    assert ours(environ) == {
        "FAULTINJECT_ENABLED": "1",
        "FAULTINJECT_RULES": 'cos:SlowDown,path=photos/,times=3\nhttp:500,header.x="a b",name=second',
        "FAULTINJECT_SEED": "s",
        "FAULTINJECT_STORE": "memory:",
    }


def test_a_control_api(run, became, tmp_path):
    """No session: what the API changes is in force in all processes, by a store of their own below the private directory."""
    env = {"FAULTINJECT_CONTROL": "/_faultinject", "FAULTINJECT_RULES": "http:500,times=2"}
    for _ in range(2):
        assert run("run", "--seed", "s", "--", sys.executable, env=env)[0] == 0
    stores = [environ.pop("FAULTINJECT_STORE") for _, _, environ in became]
    assert [ours(environ) for _, _, environ in became] == [
        {
            "FAULTINJECT_CONTROL": "/_faultinject",
            "FAULTINJECT_ENABLED": "1",
            "FAULTINJECT_RULES": "http:500,times=2",
            "FAULTINJECT_SEED": "s",
        }
    ] * 2
    places = {Path(each.removeprefix("file:")) for each in stores}
    assert len(places) == 2, "each command has its own"
    assert {each.parent.parent for each in places} == {tmp_path}
    assert all(each.name.startswith(f"{os.getpid()}-") for each in places)
