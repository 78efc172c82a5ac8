"""Where SDKs are looked for."""

from __future__ import annotations

import sys
from importlib import metadata

import pytest

from faultinject.conformance import homes


def written(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Programs of the machine are those that this makes, of the shell."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(name, text="exit 0"):
        path = written(folder / name, f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    return make


def test_a_jar_is_known_by_its_name(tmp_path, monkeypatch, programs):
    """Of the folder that JAVA_SDKS names; another jar whose name begins like it is none."""
    home = homes.Jar()
    monkeypatch.setenv(homes.JAVA, str(tmp_path))
    assert home.version("s3") is None
    programs("java")
    assert home.version("s3") is None
    written(tmp_path / "s3-control-2.1.0.jar")
    written(tmp_path / "s3-2.29.52.jar")
    assert home.version("s3") == "2.29.52"
    driver = homes.DRIVERS / "java"
    words = ("java", "-cp", str(tmp_path / "*"), str(driver / "Contract.java"), str(driver / "AwsJava2.java"))
    assert home.command("java", "AwsJava2.java", "s3") == words
    monkeypatch.delenv(homes.JAVA)
    assert home.version("s3") is None


@pytest.mark.parametrize(
    ("text", "version"),
    [('{"version": "8.0.7"}', "8.0.7"), ("[]", None), ("{", None), ('{"version": 8}', None)],
)
def test_a_package_of_npm_says_its_version(tmp_path, monkeypatch, programs, text, version):
    """Of the folder that JAVASCRIPT_SDKS names; one without a version is not installed."""
    home = homes.Npm()
    monkeypatch.setenv(homes.JAVASCRIPT, str(tmp_path))
    programs("node")
    assert home.version("minio") is None
    written(tmp_path / "node_modules" / "minio" / "package.json", text)
    assert home.version("minio") == version
    assert home.command("javascript", "minio.js", "minio") == (
        "node",
        str(homes.DRIVERS / "javascript" / "minio.js"),
    )
    monkeypatch.delenv(homes.JAVASCRIPT)
    assert home.version("minio") is None


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("echo tool 1.2.3 of 2026", "1.2.3"),
        ('[ "$1" = version ] && echo 0.14.0 >&2', "0.14.0"),
        ("echo hello", "unknown"),
        ("while :; do :; done", "unknown"),
    ],
)
def test_a_program_says_its_version(monkeypatch, programs, text, version):
    """By `--version` or `version`; one that says none, or does not end, is there all the same."""
    monkeypatch.setattr(homes, "ANSWER", 0.3 if version == "unknown" else 20.0)
    home = homes.Program()
    assert home.version("tool") is None
    programs("tool", text)
    assert home.version("tool") == version
    words = (
        sys.executable,
        "-m",
        "faultinject.conformance",
        "faultinject.conformance.drivers.tools.curl:Client",
    )
    assert home.command("tools", "curl:Client", "tool") == words


def test_a_pinned_distribution_stands_before_the_environments(tmp_path, monkeypatch):
    """Of the folder that PINNED_SDKS names, which the driver's process is told."""
    home = homes.Pip()
    assert home.version("pytest") == metadata.version("pytest")
    assert home.version("acme-no-such-sdk") is None
    monkeypatch.setenv(homes.PINNED, str(tmp_path))
    assert home.version("pytest") == metadata.version("pytest")
    described = "Metadata-Version: 2.1\nName: pytest\nVersion: 0.0.1\n"
    written(tmp_path / "pytest-0.0.1.dist-info" / "METADATA", described)
    assert home.version("pytest") == "0.0.1"
    assert home.command("python", "x:Client", "pytest")[-2:] == (
        "faultinject.conformance.drivers.python.x:Client",
        str(tmp_path),
    )


FOLDERS = {homes.PINNED, homes.JAVASCRIPT, homes.JAVA}
FRESH = {
    "pip": "pip install a b",
    "pinned": "pip install --target pinned a b && export PINNED_SDKS=$PWD/pinned",
    "npm": "npm install --prefix sdks a b && export JAVASCRIPT_SDKS=$PWD/sdks",
    "program": "apt-get install a b",
    "jar": "put a b-VERSION.jar and the jars that it needs into a folder, and export JAVA_SDKS=FOLDER",
}
MORE = FRESH | {
    "pinned": 'pip install --target "$PINNED_SDKS" a b',
    "npm": 'npm install --prefix "$JAVASCRIPT_SDKS" a b',
    "jar": 'put a b-VERSION.jar and the jars that it needs into "$JAVA_SDKS"',
}


@pytest.mark.parametrize(("variables", "told"), [((), FRESH), (FOLDERS, MORE)])
def test_every_home_says_what_installs(monkeypatch, tmp_path, programs, variables, told):
    """Into the folder that is there already, by the name of its variable; else into a new one that it names."""
    for each in FOLDERS:
        monkeypatch.delenv(each, raising=False)
    for each in variables:
        monkeypatch.setenv(each, str(tmp_path))
    without = {name: home.install("a b") for name, home in homes.HOMES.items()}
    needed = {"npm": "install Node 20.19 or newer, then ", "jar": "install a JDK 17 or newer, then "}
    assert without == {name: needed.get(name, "") + told[name] for name in homes.HOMES}
    programs("node")
    programs("java")
    assert {name: home.install("a b") for name, home in homes.HOMES.items()} == told
