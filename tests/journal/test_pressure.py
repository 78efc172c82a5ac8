"""How long work has waited for a processor, as Linux counts it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faultinject.journal.pressure import FRESH, PATH, Pressure

TEXT = b"some avg10=0.00 avg60=0.12 avg300=0.30 total=%d\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"


@pytest.fixture
def path(tmp_path):
    """A file as the kernel's."""
    path = tmp_path / "cpu"
    path.write_bytes(TEXT % 1_500_000)
    return path


@pytest.fixture
def number(path, monkeypatch):
    """What was opened, and the number of its descriptor."""
    opened = []
    real = os.open

    def open_file(*given):
        opened.append(real(*given))
        return opened[-1]

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", open_file)
        pressure = Pressure(str(path))
    return pressure, opened[0]


def test_the_sum_is_read_anew(path):
    """In seconds."""
    now = [5.0]
    pressure = Pressure(str(path), lambda: now[0])
    assert pressure.stalled() == 1.5
    path.write_bytes(TEXT % 2_750_000)
    now[0] += FRESH
    assert pressure.stalled() == 2.75


def test_the_sum_is_read_once_a_millisecond(path):
    """However many requests come in it."""
    now = [5.0]
    pressure = Pressure(str(path), lambda: now[0])
    assert pressure.stalled() == 1.5
    path.write_bytes(TEXT % 2_750_000)
    now[0] += FRESH / 2
    assert pressure.stalled() == 1.5


@pytest.mark.skipif(not Path(PATH).exists(), reason="this kernel keeps no such sum")
def test_the_kernels_own():
    """It never falls."""
    pressure = Pressure()
    first = pressure.stalled()
    assert first is not None
    assert pressure.stalled() >= first >= 0


@pytest.mark.parametrize("text", [b"", b"some avg10=0.00 total=\n", b"some total=x\n"])
def test_what_cannot_be_read_is_unknown(path, text):
    """And stays so."""
    path.write_bytes(text)
    pressure = Pressure(str(path))
    assert pressure.stalled() is None
    path.write_bytes(TEXT % 1)
    assert pressure.stalled() is None


def test_no_such_file(tmp_path):
    """As on other systems."""
    assert Pressure(str(tmp_path / "none")).stalled() is None


def test_a_closed_descriptor(number):
    """A program that becomes a daemon closes them all."""
    pressure, file = number
    os.close(file)
    assert pressure.stalled() is None


def test_a_descriptor_closed_before_the_end(number):
    """Nobody hears of it."""
    pressure, file = number
    os.close(file)
    pressure.close()


@pytest.mark.parametrize("reads", [True, False])
def test_anothers_descriptor(number, tmp_path, reads):
    """Once closed, its number may be that of another file, which is neither read nor closed."""
    pressure, file = number
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    os.write(other, TEXT % 9_000_000)
    os.dup2(other, file)
    if reads:
        assert pressure.stalled() is None
    pressure.close()
    assert os.pread(file, 4, 0) == b"some"
    os.close(file)
    os.close(other)
