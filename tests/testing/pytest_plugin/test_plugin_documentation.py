"""pytest's own texts about the plugin."""

import re

import pytest


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (
            ["--markers"],
            [
                "@pytest.mark.faultinject(rule, /, [*]rules, seed=None, fast_forward=False, "
                "[*][*]keys): inject these faults*"
            ],
        ),
        (
            ["--fixtures", "-v"],
            ["faults -- *", "*The faults of this test, and methods to change them.*"],
        ),
        (
            ["--help"],
            [
                "*--faultinject-seed=N|random",
                "*--faultinject-off*",
                "*--faultinject-report=FILE.html*",
                "*faultinject_seed (string):*",
                "*faultinject_unmatched (string):*",
            ],
        ),
    ],
    ids=["marker", "fixture", "options and ini values"],
)
def test_what_pytest_says_of_it(run, options, lines):
    """The marker has its full signature."""
    run("", *options).stdout.fnmatch_lines(lines)


def test_markers_option_has_every_key_of_an_exploration(run):
    """The option names each key of the marker and no other, as the error for a wrong key does."""
    line = next(
        each for each in run("", "--markers").outlines if each.startswith("@pytest.mark.faultinject_explore(")
    )
    shown = re.findall(r"(\w+)=", line.partition("):")[0])
    result = run(
        """
        import pytest

        @pytest.mark.faultinject_explore("cos", wrong=1)
        def test_one(): pass
        """
    )
    said = next(each for each in result.outlines if "takes no wrong; it takes " in each)
    assert sorted(shown) == sorted(re.findall(r"\w+", said.partition("it takes ")[2].replace(" and ", ", ")))


def test_collect_only(run):
    """`--collect-only` collects and patches nothing."""
    result = run(
        """
        import flask
        import pytest

        original = vars(flask.Flask)["__call__"]

        @pytest.mark.faultinject("http:503")
        def test_one():
            pass
        """,
        "--collect-only",
        "-q",
    )
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["test_collect_only.py::test_one"])
