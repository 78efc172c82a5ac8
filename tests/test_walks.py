"""The tutorials and guides are followed from an empty folder, and print what they show.

A block `file=NAME` is written, a block of `sh` is run in a shell, and a block of `text` behind it is what it prints.
In `sh stays` a server begins, which is asked to end at the end of the page; what it prints until then holds each line
of the block behind it. `sh stays anew` ends the servers before it first, as Ctrl-C does. `sh exit=1` ends with that
status. `sh install` is for readers: what it installs is there already. A block `yaml runs` is a workflow of GitHub's:
what its steps run is run, but for `pip install`. `...` in what is printed stands for anything, a line of `...` for
any lines. Port 8000 becomes a free one.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.documents import BLOCKS, Block
from tests.ports import ReservedPort
from tests.started import answers
from tests.until import until

pytestmark = pytest.mark.live

PAGES = sorted({each.page for each in BLOCKS if each.info and "file=" in each.info})
PATIENCE = 300.0


def pattern(shown: str) -> re.Pattern[str]:
    """The pattern that a shown output stands for; blanks at the ends of lines do not count."""
    lines = [
        r"(?:.*\n)*?"
        if line.strip() == "..."
        else re.escape(line.rstrip()).replace(r"\.\.\.", ".*") + r"\s*\n"
        for line in shown.splitlines()
    ]
    return re.compile(rf"{''.join(lines)}\s*")


class Walk:
    """A reader in an empty folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = str(port)
        hidden = ("FAULTINJECT_", "PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        path = os.pathsep.join((str(Path(sys.executable).parent), environ.get("PATH", "")))
        # The imports of these plugins take longer than the tests of the pages, which need neither.
        self.environ = environ | {
            "PATH": path,
            "PYTHONUNBUFFERED": "1",
            "GITHUB_STEP_SUMMARY": "summary.md",
            "PYTEST_ADDOPTS": "-p no:anyio -p no:hypothesispytest",
            "COLUMNS": "120",
            "LC_ALL": "C.UTF-8",
        }
        self.servers: list[tuple[subprocess.Popen[bytes], Path]] = []
        self.printed: str | None = None
        self.stays = False

    def own(self, text: str) -> str:
        return text.replace("8000", self.port)

    def take(self, block: Block) -> None:
        """Do what a block says."""
        info = (block.info or "").split()
        named = dict(each.split("=", 1) for each in info if "=" in each)
        if "file" in named:
            path = self.folder / named["file"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.own(block.body), encoding="utf-8")
        elif block.language == "sh" and "install" not in info:
            if "anew" in info:
                self.end(signal.SIGINT)
            self.run(block, stays="stays" in info, status=int(named.get("exit", 0)))
        elif "runs" in info:
            steps = [step for job in yaml.safe_load(block.body)["jobs"].values() for step in job["steps"]]
            for each in steps:
                if not each.get("run", "pip install ").startswith("pip install "):
                    step = Block(block.page, block.place, block.language, block.info, each["run"])
                    self.run(step, stays=False, status=0)
        elif block.language == "text" and self.printed is not None:
            self.compare(block)

    def run(self, block: Block, *, stays: bool, status: int) -> None:
        command = ["bash", "-euo", "pipefail", "-c", self.own(block.body)]
        output = self.folder.parent / f"output-{len(self.servers)}"
        self.stays = stays
        if stays:
            with output.open("wb") as file:
                process = subprocess.Popen(
                    command, cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL, stdout=file,
                    stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
            self.servers.append((process, output))
            self.printed = ""
            self.until(lambda: answers(self.port) or process.poll() is not None, block.place)
            assert process.poll() is None, output.read_text()
            return
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=PATIENCE, check=False,
        )  # fmt: skip
        # A run of more than half a minute says how far it is.
        self.printed = re.sub(r"(?m)^faultinject: run .* s so far\n", "", done.stdout.decode())
        assert done.returncode == status, f"{block.place}\n{self.printed}"

    def until(self, true: Callable[[], object], place: str) -> None:
        until(true, place, PATIENCE)

    def compare(self, block: Block) -> None:
        shown = self.own(block.body)
        if self.stays:
            _, output = self.servers[-1]
            for line in shown.splitlines():
                self.until(
                    lambda line=line: pattern(line).search(f"{output.read_text()}\n"),
                    f"{block.place}: {line}",
                )
        else:
            assert pattern(shown).fullmatch(f"{self.printed}\n"), (
                f"{block.place} shows\n{shown}\nbut\n{self.printed}\nservers:\n{self.logs}"
            )
        self.printed = None

    @property
    def logs(self) -> str:
        """The output of the servers so far."""
        return "\n".join(output.read_text() for _, output in self.servers)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        for process, _ in reversed(self.servers):
            if process.poll() is None:
                os.killpg(process.pid, how)
        for process, _ in self.servers:
            try:
                process.wait(300)  # gunicorn gives a worker that has missed its signal 30 s
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        # Their workers have gone as well. Whether the port is free says less: another program may have got it.
        self.until(
            lambda: not any(lives(process.pid) for process, _ in self.servers), "the servers have ended"
        )


def lives(group: int) -> bool:
    """Whether a process of the group lives; one that has ended and waits to be reaped does not."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    stats = [*Path("/proc").glob("[0-9]*/stat")]  # elsewhere the dead are reaped
    return not stats or any(is_alive_in(group, each) for each in stats)


def is_alive_in(group: int, stat: Path) -> bool:
    """Whether that process is of the group and runs."""
    try:
        state, _parent, its, *_ = stat.read_text(errors="replace").rpartition(")")[2].split()
    except (OSError, ValueError):  # it has gone meanwhile
        return False
    return int(its) == group and state not in ("Z", "X")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_page_can_be_followed(page: str, tmp_path: Path) -> None:
    """From an empty folder to what it shows."""
    folder = tmp_path / "project"
    folder.mkdir()
    with ReservedPort() as port:
        walk = Walk(folder, port)
        try:
            for block in BLOCKS:
                if block.page == page:
                    walk.take(block)
        finally:
            walk.end()


def test_no_block_escapes() -> None:
    """Every block that a reader would copy is written or run; foreign workflows are only read."""
    assert [
        each.place
        for each in BLOCKS
        if each.page in PAGES
        and each.language not in ("sh", "text", "yaml")
        and "file=" not in (each.info or "")
    ] == []
