"""The marker on classes."""


def test_class_marker_holds_for_each_test_anew(passes):
    """Every test of a marked class gets the rules with counts from zero."""
    passes(
        """
        import pytest

        @pytest.mark.faultinject("http:503", times=1)
        class TestUploads:
            def test_one(self, client):
                assert [client.get("/a").status_code for _ in range(2)] == [503, 200]

            def test_two(self, client):
                assert [client.get("/a").status_code for _ in range(2)] == [503, 200]
        """,
        2,
    )


def test_base_class_comes_first(passes):
    """Rules add up from the base class to the class to the function, decorators from the top."""
    passes("""
        import pytest

        mark = pytest.mark.faultinject

        @mark("http:500,name=base-top")
        @mark("http:500,name=base-bottom")
        class Base:
            pass

        @mark("http:500,name=class-top")
        @mark("http:500,name=class-bottom")
        class TestUploads(Base):
            @mark("http:500,name=function")
            def test_one(self, client, faults):
                client.get("/a")
                assert [each.name for each in faults.rules] == [
                    "base-top", "base-bottom", "class-top", "class-bottom", "function"
                ]
    """)


def test_list_in_the_class_is_read_from_left_to_right(passes):
    """`pytestmark = [...]` in a class's body adds up as it is written."""
    passes("""
        import pytest

        class TestUploads:
            pytestmark = [
                pytest.mark.faultinject("http:500,name=left"), pytest.mark.faultinject("http:500,name=right")
            ]

            def test_one(self, client, faults):
                client.get("/a")
                assert [each.name for each in faults.rules] == ["left", "right"]
    """)


def test_xunit_setup_is_left_alone(passes):
    """`setup_method` and `teardown_method` are set-up and clean-up too."""
    passes("""
        import pytest
        from conftest import app

        @pytest.mark.faultinject("http:503")
        class TestUploads:
            def setup_method(self):
                assert app.test_client().get("/a").status_code == 200

            teardown_method = setup_method

            def test_one(self, client, faults):
                assert client.get("/a").status_code == 503
                assert faults.attempts == 1
    """)
