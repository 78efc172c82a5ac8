"""The marker on a module."""


def test_module_marker_holds_for_each_test(passes):
    """`pytestmark` marks every test of the module, methods as well."""
    passes(
        """
        import pytest

        pytestmark = pytest.mark.faultinject("http:503", times=1)

        def test_one(client):
            assert [client.get("/a").status_code for _ in range(2)] == [503, 200]

        class TestTwo:
            def test_two(self, client):
                assert [client.get("/a").status_code for _ in range(2)] == [503, 200]
        """,
        2,
    )


def test_module_markers_are_read_from_left_to_right(passes):
    """The rules of a module's list add up as it is written, before those of the function."""
    passes("""
        import pytest

        pytestmark = [
            pytest.mark.faultinject("http:500,times=1"), pytest.mark.faultinject("http:502,times=1")
        ]

        @pytest.mark.faultinject("http:504,times=1")
        def test_one(client):
            assert [client.get("/a").status_code for _ in range(4)] == [500, 502, 504, 200]
    """)
