"""The marker on classes, on modules and on sets of parameters."""


def test_class_and_module_marker_hold_for_each_test_anew(passes):
    """Each test of a marked class or module counts from zero.

    Set-up and clean-up of a class get no faults.
    """
    passes(
        """
        import pytest
        from conftest import app

        pytestmark = pytest.mark.faultinject("http:503", times=1)

        def test_one(client):
            assert [client.get("/a").status_code for _ in range(2)] == [503, 200]

        @pytest.mark.faultinject("http:500", times=1)
        class TestUploads:
            def setup_method(self):
                assert app.test_client().get("/a").status_code == 200

            teardown_method = setup_method

            def test_one(self, client):
                assert [client.get("/a").status_code for _ in range(3)] == [503, 500, 200]

            def test_two(self, client, faults):
                assert [client.get("/a").status_code for _ in range(3)] == [503, 500, 200]
                assert faults.attempts == 3
        """,
        3,
    )


def test_order(passes):
    """Rules add up: module, base class, class, function, parameters.

    Decorators from the top, lists from left to right.
    """
    passes(
        """
        import pytest

        def mark(name):
            return pytest.mark.faultinject(f"http:500,name={name}")

        pytestmark = [mark("module-left"), mark("module-right")]

        @mark("base-top")
        @mark("base-bottom")
        class Base:
            pass

        @mark("class-top")
        @mark("class-bottom")
        class TestUploads(Base):
            @mark("top")
            @pytest.mark.parametrize("_", [pytest.param(1, marks=[mark("left"), mark("right")])])
            @mark("bottom")
            def test_one(self, client, faults, _):
                client.get("/a")
                assert [each.name for each in faults.rules] == [
                    "module-left", "module-right", "base-top", "base-bottom", "class-top", "class-bottom",
                    "top", "bottom", "left", "right",
                ]

        class TestList:
            pytestmark = [mark("class-left"), mark("class-right")]

            def test_one(self, client, faults):
                client.get("/a")
                assert [each.name for each in faults.rules][2:] == ["class-left", "class-right"]
        """,
        2,
    )
