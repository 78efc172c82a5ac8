"""A counter hands out each number once, also where the interpreter has no lock of its own."""

import sys

import pytest

from faultinject.engine import counting as counter


@pytest.mark.parametrize("atomic", [True, False])
def test_each_number_once(monkeypatch, in_threads, atomic):
    """Eight threads get 0 to 15,999 between them, with the interpreter's lock and with ours."""
    monkeypatch.setattr(counter, "ONE_CALL_IS_ATOMIC", atomic)
    counted = counter.Counter()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        numbers = in_threads(8, lambda _: [counted.next() for _ in range(2000)])
    finally:
        sys.setswitchinterval(before)
    assert sorted(each for some in numbers for each in some) == list(range(16_000))
    assert counted.value == 16_000
