"""Runs pytest in pytest, and imports here what a run may need, as a run forgets its imports.

A module of ours that is imported again for each run, and hears of forks, would keep that run in memory to the end.
Hypothesis' own plugin takes longer than all the rest of such a run together; in a process of its own so do Faker's and
anyio's.
"""

import importlib
import importlib.metadata
import pkgutil
import warnings

import boto3.s3.inject
import boto3.s3.transfer
import fastapi
import flask.testing
import httpx
import pytest
import requests
import trio
import uvicorn.lifespan.off
import uvicorn.lifespan.on
import uvicorn.loops.asyncio
import werkzeug.middleware.dispatcher
import werkzeug.serving
import wrapt

import faultinject
from faultinject import vendors

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would like another client library better
    import starlette.testclient

for each in vendors.names():
    vendors.get(each)
ROOMS = (
    "adapters",
    "audit",
    "counts",
    "engine",
    "http",
    "injector",
    "journal",
    "rules",
    "server",
    "store",
    "testing",
)
for room in ROOMS:
    for each in pkgutil.walk_packages([f"{faultinject.__path__[0]}/{room}"], f"faultinject.{room}."):
        importlib.import_module(each.name)


class ReadOnce:
    """An installed package whose files are read and parsed once, not for each inner run."""

    def __init__(self, package):
        self.package = package
        self.metadata, self.version = package.metadata, package.version
        self.entry_points, self.files = package.entry_points, package.files

    def __getattr__(self, name):
        return getattr(self.package, name)


PLUGINS = [
    ReadOnce(each)
    for each in importlib.metadata.distributions()
    if any(point.group == "pytest11" for point in each.entry_points)
]
"""The installed packages with pytest plugins, so that runs do not search all packages.

It would look at all packages, twice for each run.
"""


@pytest.fixture(autouse=True)
def only_plugins_are_installed(monkeypatch):
    """For what is run in this process."""
    monkeypatch.setattr(importlib.metadata, "distributions", lambda **_: iter(PLUGINS))


WITHOUT = [f"-pno:{each}" for each in ("anyio", "faker", "hypothesispytest", "platformdirs", "randomly")]
"""The plugins that a run in a process of its own would load for nothing."""

INI = """
[pytest]
addopts = --strict-markers -p no:django -p no:randomly -p no:cacheprovider -p no:hypothesispytest
    -p no:faker -p no:platformdirs -p no:doctest -p no:pastebin -p no:setupplan -p no:stepwise -p no:legacypath
    -p no:xdist -p no:xdist.looponfail
asyncio_mode = strict
asyncio_default_fixture_loop_scope = function
"""

CONFTEST = """
import flask
import pytest

app = flask.Flask("app")


@app.route("/", defaults={"path": ""}, methods=["GET", "PUT", "POST", "DELETE"])
@app.route("/<path:path>", methods=["GET", "PUT", "POST", "DELETE"])
def everything(path):
    return f"app: {path}"


@pytest.fixture
def client():
    return app.test_client()
"""


@pytest.fixture
def project(pytester, monkeypatch):
    """A project with a Flask app that nobody wrapped and a fixture `client` for it."""
    monkeypatch.delenv("FAULTINJECT_ENABLED", raising=False)
    for variable in ("CI", "BUILD_NUMBER"):  # pytest's summary is longer there
        monkeypatch.delenv(variable, raising=False)
    pytester.makeini(INI)
    pytester.makeconftest(CONFTEST)
    pytester.syspathinsert()
    return pytester


@pytest.fixture
def run(project):
    """Write a test file and run it in this process."""

    def run(source, *args):
        project.makepyfile(source)
        return project.runpytest_inprocess(*args)

    return run


@pytest.fixture
def passes(run):
    """Write a test file, run it, and expect so many passed tests and nothing else."""

    def passes(source, passed=1, *args):
        result = run(source, *args)
        result.assert_outcomes(passed=passed)
        assert result.ret == 0
        return result

    return passes


@pytest.fixture
def shows(run):
    """Write and run a test file; expect these lines and one failed test, or these outcomes."""

    def shows(source, lines=(), *args, **outcomes):
        result = run(source, *args)
        result.assert_outcomes(**(outcomes or {"failed": 1}))
        result.stdout.fnmatch_lines(lines)
        return result

    return shows


@pytest.fixture
def usage_error(run):
    """Write and run a test file; expect pytest to refuse its configuration with this line."""

    def usage_error(source, line, *args):
        result = run(source, *args)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([line])

    return usage_error
