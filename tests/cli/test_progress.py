"""Progress of a long command: a line every half minute, or one redrawn line on a terminal."""

from faultinject.cli.progress import Progress


class Time:
    """A clock that only goes on while somebody waits."""

    now = 1000.0
    end = 1075.0

    def __call__(self):
        return self.now

    def wait(self, _over, seconds):
        self.now += seconds
        return self.now > self.end


def test_a_line_every_half_minute(capsys):
    """Each says how far it is, and after how long; the clock is the caller's."""
    time = Time()
    with Progress(lambda: f"run {time.now:.0f}", clock=time, wait=time.wait) as progress:
        progress.show()
    assert capsys.readouterr() == (
        "",
        "faultinject: run 1030, 30 s so far\nfaultinject: run 1060, 60 s so far\n",
    )


def test_a_command_that_is_quick_says_nothing(capsys):
    """The block ends at once, whatever is left of the half minute."""
    with Progress(lambda: "run 1"):
        pass
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal(capsys, monkeypatch):
    """The line is redrawn on change, at most five times a second, and removed at the end.

    Or there is none at all.
    """
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    time = Time()
    with Progress(lambda: f"run {min(time.now, 1000.5):g}", clock=time) as progress:
        for time.now in (1000.0, 1000.1, 1000.25, 1000.5, 1001.0):
            progress.show()
    blank = " " * len("run 1000.25 ")
    assert capsys.readouterr() == ("", f"\rrun 1000 \rrun 1000.25 \rrun 1000.5  \r{blank}\r")
    with Progress(lambda: "run 1", quiet=True) as progress:
        progress.show()
    assert capsys.readouterr() == ("", "")
