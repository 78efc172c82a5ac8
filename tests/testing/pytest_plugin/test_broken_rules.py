"""Markers that are wrong: the test that carries them fails with a message, the others run."""

WRONG = {
    '"cos:Slowdown"': "cos:Slowdown is not a documented error of cos; did you mean cos:SlowDown?",
    '"http:503", probability=1.5': "http:503: probability: 1.5 is not between 0 and 1",
    "": "no rule is given; a marker needs one, such as faultinject('cos:SlowDown')",
    '"http:503", "http:500", times=1': "times: keys need exactly one fault, such as 'cos:SlowDown'",
    '"http:503", seed=1.5': "seed: 1.5 is not text or a whole number",
    "503": "rules[[]0[]]: 503 is not a rule: give text or a Rule",
}


def test_message(shows):
    """An error at set-up names node and mistake, without traceback; no fixture is set up."""
    broken = [
        f"""
        @pytest.mark.faultinject({marker})
        def test_{number}(never):
            pass
    """
        for number, marker in enumerate(WRONG)
    ]
    result = shows(
        """
        import pytest

        @pytest.fixture
        def never():
            raise AssertionError("set up")

        @pytest.mark.faultinject("http:503")
        def test_fine(client):
            assert client.get("/a").status_code == 503
    """
        + "".join(broken),
        passed=1,
        errors=len(WRONG),
    )
    for number, message in enumerate(WRONG.values()):
        result.stdout.fnmatch_lines(
            [
                f"*_ ERROR at setup of test_{number} _*",
                f"test_message.py::test_{number}: marker faultinject of test_{number}: {message}",
                f"ERROR test_message.py::test_{number}*",
            ]
        )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*marked.py*")


def test_where_a_mistake_is(shows):
    """Mistakes of class and function are told together, and wrong text has a caret below.

    Two markers whose rules have the same name cannot be told apart.
    """
    shows(
        """
        import pytest

        @pytest.mark.faultinject("cos:Nope")
        class TestAll:
            @pytest.mark.faultinject("http:99", delay="5")
            def test_broken(self):
                pass

        @pytest.mark.faultinject("http:503,times=-1")
        def test_text():
            pass

        @pytest.mark.faultinject("http:503", name="slow")
        @pytest.mark.faultinject("http:500", name="slow")
        def test_names():
            pass
        """,
        [
            "*::test_broken: marker faultinject of TestAll: cos:Nope *",
            "*::test_broken: marker faultinject of test_broken: http:99*",
            *("*_ ERROR at setup of test_text _*", "  http:503,times=-1", "                 ^^"),
            "*::test_names: markers faultinject together: *slow*",
        ],
        errors=3,
    )


def test_wrong_environment(shows, monkeypatch):
    """A variable that nobody knows is an error of each test with faults, and of no other."""
    monkeypatch.setenv("FAULTINJECT_HAEDER", "0")
    shows(
        """
        import pytest

        @pytest.mark.faultinject("http:503")
        def test_marked(client):
            pass

        def test_other(client):
            assert client.get("/a").status_code == 200
        """,
        ["FAULTINJECT_HAEDER is not a variable of faultinject; did you mean FAULTINJECT_HEADER?"],
        passed=1,
        errors=1,
    )
