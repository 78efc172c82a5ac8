"""The commands of the documentation and of messages about extras install what they say."""

import os
import re
import subprocess
import venv

import pytest

from tests.documents import BLOCKS, PAGES, ROOT

COMMANDS = re.findall(r"^pip .*/path/to/faultinject.*$", PAGES["docs/how-to/install.md"], re.MULTILINE)
[EXAMPLE] = [
    block.body for block in BLOCKS if block.page == "README.md" and block.info == "file=test_lock.py"
]


@pytest.mark.slow  # it needs an index of packages
@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_of_the_readme_and_of_the_hint_are_taken(command, tmp_path):
    """The README's first example runs then; a message's command brings a missing extra."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    environ["PIP_COMPILE"] = "0"  # what is installed is used once
    venv.create(tmp_path / ".venv", with_pip=True)
    environ["PATH"] = f"{tmp_path / '.venv' / 'bin'}:{environ['PATH']}"

    def run(command, status=0):
        done = subprocess.run(
            ["bash", "-euc", command],
            cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done

    run(command.replace("/path/to/faultinject", str(ROOT)))
    (tmp_path / "test_lock.py").write_text(EXAMPLE)
    shown = run("pytest -q test_lock.py", 1).stdout
    assert ("✕ lost answer: false conflict" in shown, "1 failed, 1 passed" in shown) == (True, True)
    asked = "faultinject conformance --client no_such:Client --tls"
    hint = run(asked, 2).stderr.rstrip().partition("trustme: ")[2]
    assert hint == 'pip install "faultinject[tls]"'
    run(hint)
    assert "trustme" not in run(asked, 2).stderr


def test_the_page_has_both_ways():
    """From a checkout, as the README has it, and from a wheel."""
    first, _ = COMMANDS
    assert first in PAGES["README.md"].splitlines()


def test_every_page_has_one_form_of_the_install_line():
    """A reader who has installed it once recognises the line on every page; an image has wheels."""
    lines = [line for page in PAGES.values() for line in re.findall(r'pip install .*"\S*faultinject.*', page)]
    form = r'"(/path/to/faultinject(\[[a-z,]+\])?"|dist/)|--find-links'
    assert [each for each in lines if not re.search(form, each)] == []
    assert len(lines) > 20
