"""The seeds of a session and of its tests, and a failing test's replay."""

import re
import shlex

import pytest

from .conftest import INI, WITHOUT

SHOWS_ITS_SEED = """
    import pytest

    @pytest.mark.faultinject("http:503")
    def test_one(client, faults):
        client.get("/a")
        print("seed:", faults.seed)
"""

THROWS_DICE = """
    import pytest

    @pytest.mark.faultinject("http:503", probability=0.5)
    def test_one(client):
        print("dice:", "".join(str(client.get(f"/{n}").status_code)[0] for n in range(64)))
        assert False
"""


def seed_of(result):
    result.assert_outcomes(passed=1)
    return re.search(
        r"seed: (\S+)", result.stdout.str().partition("test session starts")[2].partition("collected")[2]
    )[1]


def dice(result):
    """Read what was thrown, and the words of the command that throws it again."""
    result.assert_outcomes(failed=1)
    [command] = [each for each in result.outlines if each.startswith("replay: ")]
    thrown = re.search(r"^dice: ([25]+)$", result.stdout.str(), re.MULTILINE)[1]
    return thrown, shlex.split(command.removeprefix("replay: "))


@pytest.mark.parametrize(
    ("ini", "options", "seed"),
    [("", [], 0), ("faultinject_seed = 7\n", [], 7), ("faultinject_seed = 7\n", ["--faultinject-seed=8"], 8)],
    ids=["nothing", "ini", "option"],
)
def test_seed_and_node_id(project, run, ini, options, seed):
    """Without a word about it every session has the same faults, and every test others.

    `--faultinject-seed` overrides `faultinject_seed`, which overrides 0. A test that passes shows no section.
    """
    project.makeini(INI + ini)
    result = run(SHOWS_ITS_SEED, "-s", "-rA", *options)
    result.stdout.no_fnmatch_line("*- faultinject -*")
    assert seed_of(result) == f"{seed}/test_seed_and_node_id.py::test_one"
    result.stdout.fnmatch_lines([f"faultinject: seed {seed}"])


def test_random_seed_is_shown(run):
    """`random` chooses a number, another one each time, and the header says which."""
    chosen = set()
    for _ in range(2):
        result = run(SHOWS_ITS_SEED, "-s", "--faultinject-seed=random")
        header = re.search(r"^faultinject: seed (\d+)$", result.stdout.str(), re.MULTILINE)[1]
        assert seed_of(result).partition("/")[0] == header
        chosen.add(header)
    assert len(chosen) == 2


def test_markers_may_say_the_seed(run):
    """A marker's seed, or its scenario's, is the test's whatever the session's is.

    Of several markers with a seed the one nearest to the test is asked.
    """
    result = run(
        """
        import pytest
        from faultinject import Scenario

        @pytest.fixture(autouse=True)
        def shown(faults):
            yield
            print("seed:", faults.seed)

        @pytest.mark.faultinject("http:503", seed=42)
        def test_number(client, faults):
            client.get("/a")
            faults.clear()

        @pytest.mark.faultinject("http:503", seed="42")
        def test_text(client, faults):
            client.get("/a")
            faults.clear()

        @pytest.mark.faultinject(Scenario("http:503", seed=42))
        def test_scenario(client, faults):
            client.get("/a")
            faults.clear()

        @pytest.mark.faultinject("http:503", seed="class")
        class TestAll:
            @pytest.mark.faultinject("http:500", seed="function")
            @pytest.mark.faultinject("http:502")
            def test_one(self, client):
                client.get("/a")
        """,
        "-s",
        "--faultinject-seed=8",
    )
    result.assert_outcomes(passed=4)
    assert re.findall(r"seed: (\S+)", result.stdout.str()) == ["42", "42", "42", "function"]


def test_unprintable_seed(usage_error):
    """A seed that no terminal can show is refused in one line."""
    usage_error(
        SHOWS_ITS_SEED,
        "ERROR: --faultinject-seed: 'a\\x1b' is not printable text",
        "--faultinject-seed=a\x1b",
    )


def test_failing_test_shows_what_was_injected(shows):
    """A line a request, in order, with text from requests escaped and secrets left out."""
    result = shows("""
        import pytest

        @pytest.mark.faultinject("cos:SlowDown", times=1, name="slow")
        def test_one(client):
            client.put("/photos/cat%1B[31m.jpg?token=secret")
            client.get("/photos/cat.jpg")
            assert False
    """)
    section = result.stdout.str().partition("- faultinject -")[2].partition("\n")[2]
    section = re.sub(r"\+\d\.\d{3}s", "+0.000s", section.partition("=====")[0])
    assert section == (
        "seed 0/test_failing_test_shows_what_was_injected.py::test_one\n"
        "slow: cos:SlowDown,times=1,name=slow\n"
        "1 of 2 requests got a fault\n"
        "   arrived  request                              status  answered by\n"
        "1  +0.000s  PUT /photos/cat\\x1b[31m.jpg?token=…  503     slow: cos:SlowDown\n"
        "2  +0.000s  GET /photos/cat.jpg                  200     app\n"
        "replay: pytest 'test_failing_test_shows_what_was_injected.py::test_one' --faultinject-seed=0\n"
    )


@pytest.mark.slow
def test_long_record_is_cut_in_the_middle(run):
    """A thousand requests show the first and the last twenty, and how many are left out."""
    result = run("""
        import pytest

        @pytest.mark.faultinject("http:503", probability=0)
        def test_one(client):
            for number in range(1000):
                client.get(f"/{number}/{'x' * 200}")
            assert False
    """)
    table = (
        result.stdout.str()
        .partition("0 of 1000 requests got a fault\n")[2]
        .partition("replay:")[0]
        .splitlines()
    )
    assert [line.split()[0] for line in table[1:]] == [
        *map(str, range(1, 21)),
        "…",
        *map(str, range(981, 1001)),
    ]
    assert "… 960 more …" in table[21]
    assert max(map(len, table)) < 150


@pytest.mark.parametrize("has_ini", [True, False])
def test_replay_command_replays(project, run, monkeypatch, has_ini):
    """The command gives the same faults from another directory, and without an ini file."""
    if not has_ini:
        (project.path / "tox.ini").unlink()
    below = project.mkdir("below")
    project.makepyfile(
        **{
            "below/test_dice": THROWS_DICE.replace(
                "def test_one", "@pytest.mark.parametrize('_', ['it\\'s; $0'])\n    def test_one"
            ).replace("(client)", "(client, _)")
        }
    )
    monkeypatch.chdir(below)
    quiet = (*WITHOUT, "-W", "ignore", "-o", "asyncio_default_fixture_loop_scope=function")
    first = project.runpytest_inprocess(
        *quiet, "--faultinject-seed=3", *([] if has_ini else [f"--rootdir={project.path}"])
    )
    thrown, command = dice(first)
    assert command[:3] == ["pytest", "test_dice.py::test_one[it's; $0]", "--faultinject-seed=3"]
    assert dice(project.runpytest_inprocess(*quiet, *command[1:]))[0] == thrown


def test_replay_command_names_the_ini_file(project, run):
    """The command names the ini file, as its folder does not say where node ids begin.

    One that the command line names, in a folder beside the tests.
    """
    ini = project.mkdir("ci") / "pytest.ini"
    ini.write_text((project.path / "tox.ini").read_text())
    project.makepyfile(**{"tests/test_dice": THROWS_DICE})
    (project.path / "conftest.py").rename(project.path / "tests" / "conftest.py")
    first = dice(project.runpytest_inprocess("-c", "ci/pytest.ini", "tests"))
    assert dice(project.runpytest_inprocess(*first[1][1:])) == first
