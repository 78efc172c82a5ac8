"""`faultinject explore --speed`: faster clocks, and failures that come only from the speed."""

import json

import pytest

from .test_cli_explore import program as program  # a fixture

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("libfaketime")]

FAST = "'FAKETIME' in os.environ"
TWO = "ask('PUT', '/photos'); ask('PUT', '/photos/cat')"
ONLY_WHEN_FAST = f"ask('PUT', '/photos'); ask('PUT', '/photos/cat', 1 if {FAST} else 3)"
EACH_TIME = "ask('PUT', '/photos'); ask('PUT', '/photos/cat', 1)"


@pytest.mark.parametrize(
    ("source", "code", "fast"),
    [
        # In real time, then faster.
        pytest.param(TWO, 0, "0111", marks=pytest.mark.slow),
        # The run with a fault at the second request fails, and is repeated in real time.
        (ONLY_WHEN_FAST, 0, "01110"),
        pytest.param(EACH_TIME, 1, "01110", marks=pytest.mark.slow),
    ],
)
def test_what_fails_only_because_of_the_speed_is_no_failure(run, program, tmp_path, source, code, fast):
    """A failing run is repeated in real time, and that one counts."""
    noted = f"print(int({FAST}), end='', file=open({str(tmp_path / 'runs')!r}, 'a')); "
    exit_code, output, _ = run(
        "explore", "-r", "cos:SlowDown", "--speed", "20", "--json", "--", *program(noted + source)
    )
    assert (exit_code, json.loads(output)["runs"], (tmp_path / "runs").read_text()) == (code, 2, fast)


def test_a_command_that_fails_at_the_speed_without_faults(run, program):
    """A command that fails at the speed without faults is not explored; the message has advice."""
    words = program(f"ask('PUT', '/photos'); sys.exit(int({FAST}))")
    code, _, errors = run("explore", "-r", "cos:SlowDown", "--speed", "20", "--", *words)
    assert code == 2
    assert "the second run without faults fails (exit code 1)" in errors
    assert "leave out --speed, or give less" in errors
