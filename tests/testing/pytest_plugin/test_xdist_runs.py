"""Marked tests under xdist, in processes of their own."""

import re

import pytest

from .conftest import WITHOUT

SOURCE = """
    import pytest

    pytestmark = pytest.mark.faultinject("cos:SlowDown", times=1)

    @pytest.mark.parametrize("number", range(8))
    def test_one(client, faults, number):
        assert [client.get("/a").status_code for _ in range(2)] == [503, 200]
        print("seed:", faults.seed)
        assert number != 3
"""


@pytest.mark.slow
def test_workers_share_one_seed_and_no_faults(project):
    """The controller chooses one seed, and each worker's tests have their own rules and counts."""
    project.makepyfile(SOURCE)
    result = project.runpytest_subprocess(*WITHOUT, "-p", "xdist", "-n2", "--faultinject-seed=random", "-rA")
    result.assert_outcomes(passed=7, failed=1)
    shown = re.search(r"^faultinject: seed (\d+)$", result.stdout.str(), re.MULTILINE)[1]
    assert re.findall(r"^seed: (\d+)/", result.stdout.str(), re.MULTILINE) == [shown] * 8
    result.stdout.fnmatch_lines(
        [
            f"replay: pytest 'test_workers_share_one_seed_and_no_faults.py::test_one[[]3[]]' --faultinject-seed={shown}"
        ]
    )
