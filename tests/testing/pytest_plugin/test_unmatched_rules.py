"""A test whose rule no request met proves nothing, so it fails."""

import pytest

from .conftest import INI


def test_unmatched_rule_fails_a_passed_test(shows):
    """The failure names the rule, the nearest request and the condition that kept it away.

    One rule that was met does not speak for the other one, nor for a parameter's. Without any request the failure says
    so, and how to cover other apps.
    """
    result = shows(
        """
        import pytest

        @pytest.mark.faultinject("cos:SlowDown", method="PUT", path="photos/")
        def test_one(client):
            client.get("/videos/cat.mp4")
            client.get("/photos/cat.jpg")

        @pytest.mark.parametrize("_", [
            pytest.param(1, marks=pytest.mark.faultinject("http:504,name=parameter,method=DELETE"))
        ])
        @pytest.mark.faultinject("http:503,name=met", "http:500,name=not-met,method=PUT")
        def test_each(client, _):
            client.get("/a")

        @pytest.mark.faultinject("cos:SlowDown")
        def test_no_request():
            pass
        """,
        [
            "*_ test_one _*",
            "faultinject: no request met the conditions of",
            "  rule-1 (cos:SlowDown,method=PUT,path=photos/)",
            "    nearest: GET /photos/cat.jpg (method=PUT did not hold)",
            "*- faultinject -*",
            "0 of 2 requests got a fault",
            *("*_ test_each[[]1[]] _*", "faultinject: no request met the conditions of"),
            *("  not-met (*", "    near*", "  parameter (*", "    near*"),
            *("*_ test_no_request _*", "    no request was seen"),
            "Flask, Django*need no set-up. *ASGIFaultMiddleware*faultinject_store starts a store*",
        ],
        failed=3,
    )
    result.stdout.no_fnmatch_line("*All traceback entries*")


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("APP_ENV", "production", "APP_ENV=production looks like production; unset it where tests run"),
        (
            "FAULTINJECT_ONLY_WHERE",
            "APP_ENV=staging",
            "faults are only where APP_ENV=staging (FAULTINJECT_ONLY_WHERE), and APP_ENV is not set here",
        ),
        ("FAULTINJECT_EXPIRES", "2001-09-09T01:46:40Z", "FAULTINJECT_EXPIRES has passed"),
    ],
)
def test_an_environment_that_injects_nothing_is_named_first(shows, monkeypatch, variable, value, why):
    """An environment that allows no faults is named before the rules."""
    monkeypatch.setenv(variable, value)
    result = shows(
        """
        import pytest

        @pytest.mark.faultinject("http:503")
        def test_one(client):
            client.get("/a")
        """,
        [
            "*_ test_one _*",
            f"faultinject: nothing is injected, because {why}",
            "faultinject: no request met the conditions of",
            "  rule-1 (http:503)",
        ],
    )
    result.stdout.no_fnmatch_line("Flask, Django, Starlette and FastAPI apps*")


def test_class_and_module_markers_count_together(shows):
    """Rules of classes and modules are for many tests: one of them met is enough, none is not."""
    result = shows(
        """
        import pytest

        pytestmark = pytest.mark.faultinject("http:503", method="PUT", name="module")

        @pytest.mark.faultinject("http:500", method="DELETE", name="class")
        class TestAll:
            def test_meets_one(self, client):
                assert client.put("/a").status_code == 503

            def test_meets_none(self, client):
                assert client.get("/a").status_code == 200

            @pytest.mark.faultinject("http:502", method="POST", name="function")
            def test_meets_one_but_not_its_own(self, client):
                assert client.put("/a").status_code == 503
        """,
        [
            "*test_meets_none*",
            "  module (*",
            "    near*",
            "  class (*",
            "*test_meets_one_but_not_its_own*",
            "  function (*",
        ],
        passed=1,
        failed=2,
    )
    assert "  module (" not in result.stdout.str().partition("_ TestAll.test_meets_one_but_not_its_own _")[2]


def test_what_is_met(shows):
    """Chance, skip, times, begin and end decide whether a rule fires: no mistake of the test.

    `faults.clear()` hides no unmet rule, and forgets no met one.
    """
    shows(
        """
        import pytest

        @pytest.mark.faultinject("http:503", probability=0)
        @pytest.mark.faultinject("http:503", skip=5)
        @pytest.mark.faultinject("http:503", times=0)
        def test_never_fired(client, faults):
            assert client.get("/a").status_code == 200
            with pytest.raises(AssertionError, match="rule-1 .* injected nothing: 1 request met its conditions"):
                faults.assert_all_fired()

        @pytest.mark.faultinject("http:503")
        def test_met(client, faults):
            client.get("/a")
            faults.clear()

        @pytest.mark.faultinject("http:503", method="PUT")
        def test_not_met(client, faults):
            client.get("/a")
            faults.clear()

        @pytest.mark.faultinject("http:503")
        def test_added(client, faults):
            faults.add("http:500", method="PUT")
            client.get("/a")

        @pytest.mark.faultinject("http:503", begin="1h", path="photos/")
        def test_early(client):
            assert client.get("/photos/1").status_code == 200

        @pytest.mark.faultinject("http:503", begin="1h", path="photos/")
        def test_another_path(client):
            assert client.get("/films/1").status_code == 200
        """,
        [
            "*nearest: GET /films/1 (path=photos/ did not hold)*",
            "FAILED *::test_not_met*",
            "FAILED *::test_another_path*",
        ],
        passed=4,
        failed=2,
    )


def test_failed_and_skipped_tests_keep_their_own_reason(shows):
    """An unmatched rule is no news of a test that did not pass."""
    result = shows(
        """
        import pytest

        @pytest.mark.faultinject("http:503")
        def test_fails():
            assert 1 == 2

        @pytest.mark.faultinject("http:503")
        def test_skips():
            pytest.skip("not today")

        @pytest.mark.faultinject("http:503")
        @pytest.mark.xfail
        def test_fails_as_expected():
            assert 1 == 2

        @pytest.mark.faultinject("http:503")
        @pytest.mark.skip
        def test_never():
            pass
    """,
        failed=1,
        skipped=2,
        xfailed=1,
    )
    result.stdout.no_fnmatch_line("*no request met*")


def test_an_unmatched_rule_is_not_the_error_that_a_test_expects(shows):
    """An unmet rule is the expected failure only if the mark names no error."""
    shows(
        """
        import pytest

        @pytest.mark.faultinject("http:503")
        @pytest.mark.xfail
        def test_fails_somehow():
            pass

        @pytest.mark.faultinject("http:503")
        @pytest.mark.xfail(raises=AssertionError)
        def test_fails_by_its_assertion():
            pass
        """,
        ["FAILED *::test_fails_by_its_assertion*"],
        failed=1,
        xfailed=1,
    )


@pytest.mark.parametrize(("word", "warnings"), [("warn", 1), ("ignore", 0)])
def test_ini_can_soften_it(project, shows, word, warnings):
    """`faultinject_unmatched = warn`: the test passes with a warning; `ignore`: it passes."""
    project.makeini(f"{INI}faultinject_unmatched = {word}\n")
    source = """
        import pytest

        @pytest.mark.faultinject("http:503", method="PUT")
        def test_one(client):
            client.get("/a")
    """
    shows(
        source,
        ["*PytestWarning: faultinject: no request met*", "*nearest: GET /a (method=PUT did*"] * warnings,
        "-W",
        "default::pytest.PytestWarning",
        passed=1,
        warnings=warnings,
    )


def test_ini_with_another_word(project, usage_error):
    """Any other word stops the session with a line that names the three."""
    project.makeini(f"{INI}faultinject_unmatched = maybe\n")
    usage_error(
        "def test_one(): pass", "ERROR: faultinject_unmatched: 'maybe' is not one of error, warn, ignore"
    )
