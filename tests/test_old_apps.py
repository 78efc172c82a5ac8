"""Installing faultinject changes nobody's app: the wheel in apps of 2023.

They keep their versions, and get their faults.
"""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HIDDEN = ("FAULTINJECT_", "PYTEST_", "PYTHONPATH")

FLASK = """
from flask import Flask

app = Flask(__name__)


@app.put("/photos/<name>")
def store(name):
    return "stored", 201


def statuses(count):
    client = app.test_client()
    return [client.put("/photos/cat.jpg").status_code for _ in range(count)]
"""
FASTAPI = """
from fastapi import FastAPI
from fastapi.testclient import TestClient

app = FastAPI()


@app.put("/photos/{name}", status_code=201)
def store(name: str):
    return "stored"


def statuses(count):
    client = TestClient(app)
    return [client.put("/photos/cat.jpg").status_code for _ in range(count)]
"""
DJANGO = """
import django
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import path

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="secret")
django.setup()


def store(request, name):
    return HttpResponse("stored", status=201)


urlpatterns = [path("photos/<name>", store)]


def statuses(count):
    client = Client()
    return [client.put("/photos/cat.jpg").status_code for _ in range(count)]
"""
LITESTAR = """
from faultinject import ASGIFaultMiddleware
from litestar import Litestar, put
from litestar.testing import TestClient


@put("/photos/{name:str}", status_code=201)
async def store(name: str) -> str:
    return "stored"


app = ASGIFaultMiddleware(Litestar([store]), [])


def statuses(count):
    with TestClient(app) as client:
        return [client.put("/photos/cat.jpg").status_code for _ in range(count)]
"""
TESTS = """
import pytest
from app import statuses


def test_the_app_works():
    assert statuses(1) == [201]


@pytest.mark.faultinject("cos:SlowDown", times=2, path="photos/")
def test_two_slowdowns(faults):
    assert statuses(3) == [503, 503, 201]
    assert faults.injected == 2
"""
STORE = """
def test_a_store(faultinject_store):
    faultinject_store("cos")
"""
APPS = {
    "Flask 2.2": (FLASK, "flask==2.2.5 werkzeug==2.2.3 click==8.1.3"),
    "Flask 2.3": (FLASK, "flask==2.3.3 werkzeug==2.3.8 click==8.1.7"),
    "FastAPI 0.100": (
        FASTAPI,
        "fastapi==0.100.1 starlette==0.27.0 anyio==3.7.1 httpx==0.24.1 uvicorn==0.23.2 click==8.1.7",
    ),
    "Django 4.2": (DJANGO, "django==4.2.8"),
    "Litestar 2.4": (LITESTAR, "litestar==2.4.5 msgspec==0.18.5 anyio==4.1.0 httpx==0.25.2 click==8.1.7"),
}
"""Apps by name: the module, and the versions of December 2023 and earlier that matter to it."""


class Environment:
    """An environment of an app, with pytest of its time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / ".venv" / "bin" / "python"
        self._variables = {
            name: value for name, value in os.environ.items() if not name.startswith(HIDDEN)
        } | {"PIP_COMPILE": "0", "PIP_NO_WARN_SCRIPT_LOCATION": "1"}
        venv.create(folder / ".venv", with_pip=False)

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command in the app's folder."""
        return subprocess.run(
            command, cwd=self.folder, env=self._variables, capture_output=True, text=True, timeout=300, check=False
        )  # fmt: skip

    def pip(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run the pip of this Python there: making one for each environment takes seconds."""
        return self.run(sys.executable, "-m", "pip", "--python", self.python, *arguments)

    def install(self, *wanted: str | Path) -> None:
        """Install built packages; one that the registry lacks for this Python skips the test."""
        done = self.pip("install", "-q", "--only-binary", ":all:", *wanted)
        if lacking := re.search(r"No matching distribution found for (\S+)", done.stderr):
            pytest.skip(f"the registry has no {lacking[1]} for this Python")
        assert done.returncode == 0, done.stderr

    def versions(self) -> set[str]:
        """Every package with its version, as `pip freeze` has it."""
        return set(self.pip("freeze").stdout.splitlines())


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The wheel of this checkout."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--wheel-dir",
            str(tmp_path / "dist"),
            ROOT,
        ],
        check=True,
        capture_output=True,
    )
    [built] = (tmp_path / "dist").glob("*.whl")
    return built


@pytest.mark.slow  # it needs an index of packages
@pytest.mark.parametrize("name", APPS)
def test_an_app_of_2023_keeps_its_versions(name: str, wheel: Path, tmp_path: Path) -> None:
    """No version changes, the app works, a marked test injects, the store names its extra."""
    app, wanted = APPS[name]
    (tmp_path / "app.py").write_text(app)
    (tmp_path / "test_app.py").write_text(TESTS)
    (tmp_path / "test_store.py").write_text(STORE)
    environment = Environment(tmp_path)
    environment.install(*wanted.split(), "pytest==7.4.4")
    before = environment.versions()
    environment.install(f"{wheel}[pytest]")
    assert before - environment.versions() == set()
    pytest_ = (environment.python, "-m", "pytest", "-q", "--strict-markers")
    for module, said in (("test_app.py", "2 passed"), ("test_store.py", 'pip install "faultinject[serve]"')):
        done = environment.run(*pytest_, module)
        assert said in done.stdout, done.stdout + done.stderr
        assert "INTERNALERROR" not in done.stdout
