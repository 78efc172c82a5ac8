"""A number is handed out once, also where the interpreter has no lock of its own."""

from itertools import count

from faultinject.engine.counting import locked


def test_each_number_once(in_many_threads):
    """Eight threads get 0 to 1,599 between them."""
    following = locked(count().__next__)
    numbers = in_many_threads(8, lambda _: [following() for _ in range(200)])
    assert sorted(each for some in numbers for each in some) == list(range(1600))
