"""The marker on a set of parameters."""


def test_parameter_marker_holds_for_its_set_alone(passes):
    """`pytest.param(..., marks=...)` marks one of the tests that a function makes."""
    passes(
        """
        import pytest

        @pytest.mark.parametrize("expected", [
            200,
            pytest.param(503, marks=pytest.mark.faultinject("cos:SlowDown")),
            pytest.param(400, marks=pytest.mark.faultinject("jss:SlowDown")),
        ])
        def test_one(client, expected):
            assert client.get("/a").status_code == expected
        """,
        3,
    )


def test_parameter_comes_last(passes):
    """Rules add up: module, class, function from the top, then the parameters' from left to right."""
    passes("""
        import pytest

        mark = pytest.mark.faultinject
        pytestmark = [mark("http:500,name=module")]

        @mark("http:500,name=class")
        class TestAll:
            @mark("http:500,name=top")
            @pytest.mark.parametrize("_", [pytest.param(1, marks=[
                mark("http:500,name=left"), mark("http:500,name=right")
            ])])
            @mark("http:500,name=bottom")
            def test_one(self, client, faults, _):
                client.get("/a")
                assert [each.name for each in faults.rules] == ["module", "class", "top", "bottom", "left", "right"]
    """)
