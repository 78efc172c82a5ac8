"""Strict sessions from an installed package, which an editable install cannot show."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import faultinject

TEST = """
import flask
import pytest

app = flask.Flask("app")

@pytest.mark.faultinject("cos:SlowDown")
def test_one(faults):
    assert app.test_client().get("/a").status_code == 503
"""


@pytest.fixture
def installed(tmp_path):
    """The package as a wheel installs it: real files that its RECORD names."""
    site = tmp_path / "site"
    shutil.copytree(
        Path(faultinject.__file__).parent, site / "faultinject", ignore=shutil.ignore_patterns("__pycache__")
    )
    info = site / f"faultinject-{faultinject.__version__}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: faultinject\nVersion: {faultinject.__version__}\n"
    )
    (info / "entry_points.txt").write_text("[pytest11]\nfaultinject = faultinject.testing.pytest_plugin\n")
    (info / "RECORD").write_text(
        "".join(f"{each.relative_to(site)},,\n" for each in sorted(site.rglob("*.py")))
    )
    (tmp_path / "test_strict.py").write_text(TEST)
    return site


@pytest.mark.slow
@pytest.mark.parametrize(
    "before", ["pass", "import faultinject; faultinject.install(print, enabled=False, interface='wsgi')"]
)
def test_strict_markers_and_errors_for_warnings(installed, before):
    """`--strict-markers -W error` passes, also where the package was imported before pytest."""
    script = (
        f"{before}; import sys, pytest; code = pytest.main(['--strict-markers', '-W', 'error', "
        "'-q', '-p', 'no:randomly',"
        " '-p', 'no:cacheprovider', '-o', 'asyncio_default_fixture_loop_scope=function']);"
        " import faultinject; print(faultinject.__file__); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=installed.parent,
        env={"PYTHONPATH": str(installed), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == str(installed / "faultinject" / "__init__.py")
