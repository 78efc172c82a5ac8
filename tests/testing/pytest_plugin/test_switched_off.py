"""Sessions without faults: marked tests are skipped, not run without their faults."""

import pytest

SOURCE = """
    import pytest

    @pytest.mark.faultinject("cos:SlowDown")
    def test_marked(client):
        assert client.get("/a").status_code == 503

    def test_uses_the_fixture(client, faults):
        faults.add("http:503")
        assert client.get("/a").status_code == 503

    def test_asks_at_run_time(request):
        request.getfixturevalue("faults")

    @pytest.mark.faultinject_explore("http:503")
    def test_explored(client):
        client.get("/a")

    def test_other(client):
        assert client.get("/a").status_code == 200
"""


def test_option(shows):
    """`--faultinject-off` skips marked tests and users of `faults`, with that reason and place."""
    lines = [
        "faultinject: seed 0, off",
        "SKIPPED [[]1[]] test_option.py:3: faultinject is off: --faultinject-off",
    ]
    shows(SOURCE, lines, "--faultinject-off", "-rs", passed=1, skipped=4)


@pytest.mark.parametrize("word", ["0", "off", "No"])
def test_environment(shows, monkeypatch, word):
    """`FAULTINJECT_ENABLED=0` does the same."""
    monkeypatch.setenv("FAULTINJECT_ENABLED", word)
    shows(SOURCE, ["SKIPPED *faultinject is off: FAULTINJECT_ENABLED=0"], "-rs", passed=1, skipped=4)


@pytest.mark.parametrize("word", ["1", ""])
def test_environment_that_does_not_switch_off(run, monkeypatch, word):
    """Tests need no switch, and one that is on does no harm though it comes without rules."""
    monkeypatch.setenv("FAULTINJECT_ENABLED", word)
    run(SOURCE).assert_outcomes(passed=5)


def test_environment_with_another_word(run, usage_error, monkeypatch):
    """A word that is neither yes nor no stops the session with its line."""
    monkeypatch.setenv("FAULTINJECT_ENABLED", "maybe")
    usage_error(SOURCE, "ERROR: FAULTINJECT_ENABLED: *maybe*")
    run("def test_other(): pass").assert_outcomes(passed=1)


def test_production(shows, monkeypatch):
    """In production nothing is injected, and the failing test says why."""
    monkeypatch.setenv("APP_ENV", "production")
    shows(
        """
        import pytest

        @pytest.mark.faultinject("cos:SlowDown")
        def test_marked(client):
            assert client.get("/a").status_code == 200
        """,
        ["*faultinject is off: APP_ENV=production looks like production*"],
    )


def test_plugin_left_out(run):
    """`-p no:faultinject` leaves no fixture and no marker, and does no harm to other tests."""
    run(
        "def test_other(client): assert client.get('/a').status_code == 200", "-p", "no:faultinject"
    ).assert_outcomes(passed=1)
