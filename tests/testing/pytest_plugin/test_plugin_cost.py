"""The imports of the plugin, and their time."""

import pytest

from .conftest import WITHOUT

CONFTEST = """
import sys

def pytest_sessionfinish(session):
    ours = sorted(each for each in sys.modules if each.partition(".")[0] in ("faultinject", "wrapt"))
    print()
    print("loaded:", " ".join(ours))
"""


def loaded(project, source):
    project.makeconftest(CONFTEST)
    project.makepyfile(source)
    result = project.runpytest_subprocess(*WITHOUT)
    result.assert_outcomes(passed=1)
    [line] = [line for line in result.outlines if line.startswith("loaded:")]
    return line.split()[1:]


def test_session_without_faults_loads_nothing_of_the_engine(project):
    """The plugin alone: the package's front door and the plugin itself."""
    assert loaded(project, "def test_one(): pass") == [
        "faultinject",
        "faultinject.faces",
        "faultinject.testing",
        "faultinject.testing.pytest_plugin",
        "faultinject.testing.unwrapped",
    ]


@pytest.mark.slow
def test_session_with_faults_loads_it(project):
    """The other way round, so that the list above means something."""
    found = loaded(project, "def test_one(faults): pass")
    assert {"faultinject.engine.plan", "faultinject.adapters.patch", "wrapt"} <= {*found}
