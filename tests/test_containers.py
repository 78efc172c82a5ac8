"""The files of the containers' page do what it says; their commands run without Docker."""

import http.client
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click
import pytest
import yaml

from faultinject import Scenario
from faultinject.cli.program import group as program
from faultinject.rules.names import VARIABLES
from tests.console import command
from tests.documents import BLOCKS
from tests.ports import ReservedPort
from tests.started import answers
from tests.until import STARTS_WITHIN, until

pytestmark = pytest.mark.live

PAGE = "docs/how-to/containers.md"
FILES = {
    each.info.removeprefix("file="): each.body
    for each in BLOCKS
    if each.page == PAGE and (each.info or "").startswith("file=")
}
SHARED, SECRET = yaml.safe_load_all(FILES["pods.yaml"])
COMPOSE = yaml.safe_load(FILES["compose.yaml"])
FAULTS, DEPLOYMENT = yaml.safe_load_all(FILES["kubernetes.yaml"])
WORKFLOW = yaml.safe_load(FILES[".github/workflows/retries.yml"])


def instruction(file: str, name: str) -> list[str]:
    """The words of ENTRYPOINT or CMD; none where there is no such instruction."""
    lines = [line for line in FILES[file].splitlines() if line.startswith(f"{name} ")]
    return json.loads(lines[0].removeprefix(f"{name} ")) if lines else []


def surroundings() -> dict[str, str]:
    """The environment with this Python's programs first, and without a reader's own variables."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    return clean | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"}


@contextmanager
def container(folder: Path, file: str, environment: dict[str, str]) -> Iterator[int]:
    """Run the image's command in a folder, in place of `/app` and `/journal`; gives its port."""
    (folder / "app.py").write_text(FILES["app.py"], encoding="utf-8")
    with ReservedPort() as port:
        published = next(
            line.removeprefix("EXPOSE ") for line in FILES[file].splitlines() if line.startswith("EXPOSE")
        )

        def own(text: str) -> str:
            return (
                text.replace("0.0.0.0", "127.0.0.1")
                .replace(published, str(port))
                .replace("/journal/", f"{folder}/")
            )

        words = [own(each) for each in instruction(file, "ENTRYPOINT") + instruction(file, "CMD")]
        environ = surroundings() | {name: own(value) for name, value in environment.items()}
        process = subprocess.Popen(
            words, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            until(lambda: answers(port) or process.poll() is not None, patience=STARTS_WITHIN)
            assert process.poll() is None, process.stdout.read().decode()
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=STARTS_WITHIN)
        assert process.returncode == 0


def put(port: int, path: str) -> int:
    """The status of a PUT."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=STARTS_WITHIN)) as connection:
        connection.request("PUT", path, b"meow")
        return connection.getresponse().status


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "faults"),
    [(COMPOSE["services"]["app"]["environment"], 2), ({}, 0)],
    ids=["compose's variables", "without variables"],
)
def test_the_app_fails_twice_in_all(environment, faults, tmp_path):
    """Two workers share their counts, and the journal can be judged.

    Without variables the app is untouched.
    """
    with container(tmp_path, "Dockerfile", environment) as port:
        statuses = sorted(put(port, "/photos/cat.jpg") for _ in range(8))
    lines = [json.loads(each) for path in tmp_path.glob("*.jsonl") for each in path.read_text().splitlines()]
    injected = {(each["pid"], each["seq"]) for each in lines if each.get("status") == 503}
    assert (statuses, len(injected)) == ([201] * (8 - faults) + [503] * faults, faults)
    assert bool(lines) is bool(environment)


@pytest.mark.slow
def test_pods_count_together(tmp_path, start_redis):
    """Two pods on one Redis give as many faults as the rule says in all.

    The token of one switches the faults of both off.
    """
    environment = SHARED["data"] | SECRET["stringData"]
    store = environment["FAULTINJECT_STORE"].replace("redis://redis:6379/0", start_redis().url)
    environment |= {"FAULTINJECT_STORE": store}
    with (
        container(tmp_path, "Dockerfile", environment) as one,
        container(tmp_path, "Dockerfile", environment) as other,
    ):
        found: list[int] = []
        end = time.monotonic() + STARTS_WITHIN
        # A request for which Redis was too slow passes, and a second's worth behind it.
        while found.count(503) < 10:
            assert time.monotonic() < end
            found += [put(port, "/photos/cat.jpg") for port in (one, other)]
        found += [put(port, "/photos/cat.jpg") for port in (one, other) for _ in range(8)]
        assert found.count(503) == 10
        control = [sys.executable, "-m", "faultinject", "control"]
        for words in (("reset",), ("off",)):
            url = f"http://127.0.0.1:{one}{environment['FAULTINJECT_CONTROL']}"
            done = subprocess.run(
                [*control, *words, "--url", url], env=surroundings() | SECRET["stringData"], stdout=subprocess.PIPE, check=True
            )  # fmt: skip
        assert done.stdout.startswith(f"{url}: off\n".encode())
        while [put(port, "/photos/cat.jpg") for port in (one, other) for _ in range(4)] != [201] * 8:
            assert time.monotonic() < end
    assert SHARED["metadata"]["name"] == FAULTS["metadata"]["name"]


@pytest.mark.slow
def test_the_store_fails_twice_for_every_call(tmp_path):
    """And is there for any language, path style."""
    with container(tmp_path, "store.Dockerfile", {}) as port:
        statuses = [put(port, path) for path in ("/photos", "/photos/cat.jpg") for _ in range(3)]
    assert statuses == [503, 503, 200] * 2
    told = command("report", "--format", "markdown", tmp_path / "store.jsonl")
    assert told.exit_code in (0, 1, 3)
    assert re.search("SlowDown|judged", told.stdout)


def test_variables_are_those_that_there_are():
    """In compose and in Kubernetes; their rules are right."""
    container_ = DEPLOYMENT["spec"]["template"]["spec"]["containers"][0]
    environments = [
        COMPOSE["services"]["app"]["environment"],
        FAULTS["data"] | {each["name"]: each["value"] for each in container_["env"]},
        SHARED["data"] | SECRET["stringData"],
    ]
    for environment in environments:
        assert set(environment) <= set(VARIABLES)
        assert {*map(type, environment.values())} == {str}
        assert Scenario.parse(environment["FAULTINJECT_RULES"]).rules
    assert container_["envFrom"][0]["configMapRef"]["name"] == FAULTS["metadata"]["name"]


def test_files_name_each_other():
    """The files of the page exist, and ports and volumes are the same in all of them."""
    copied = {line.split()[1] for line in FILES["Dockerfile"].splitlines() if line.startswith("COPY")}
    services = COMPOSE["services"]
    assert {*copied, services["store"]["build"]["dockerfile"]} - {"wheels"} <= set(FILES)
    for name, file in (("app", "Dockerfile"), ("store", "store.Dockerfile")):
        [published] = services[name]["ports"]
        assert f"EXPOSE {published.rpartition(':')[2]}\n" in FILES[file]
        assert services[name]["volumes"] == ["journal:/journal"]
    assert set(COMPOSE["volumes"]) == {"journal"}


def test_commands_of_the_workflow_exist():
    """Each `faultinject` of a step is a command with options that it has."""
    steps = WORKFLOW["jobs"]["retries"]["steps"]
    lines = [line for step in steps for line in step.get("run", "").splitlines()]
    found = [shlex.split(line.split(" | ")[0].rstrip(" &")) for line in lines if "faultinject " in line]
    assert [words[1] for words in found] == ["serve", "report"]
    for words in found:
        named = program.get_command(click.Context(program), words[1])
        options = {flag for each in named.params for flag in each.opts}
        assert {each for each in words if each.startswith("--")} <= options


CLIENT = """#!/bin/sh
for attempt in 1 2 3; do curl --silent --output /dev/null --request PUT "$ENDPOINT/photos"; done
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a script of bash")
def test_the_workflow_writes_the_report_into_the_summary(tmp_path):
    """Its scripts run as a runner runs them, and the journal holds only the client's requests."""
    (tmp_path / "run-my-client").write_text(CLIENT)
    (tmp_path / "run-my-client").chmod(0o755)
    named = {step["name"]: step for step in WORKFLOW["jobs"]["retries"]["steps"] if "name" in step}
    environ = surroundings() | {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]
    with ReservedPort() as port:
        for name, code in (("Meet faults", 0), ("Report", 3)):  # one call decides nothing
            script = named[name]["run"].replace("9000", str(port))
            done = subprocess.run(
                [*bash, script], cwd=tmp_path, env=environ, timeout=STARTS_WITHIN, check=False
            )
            assert (name, done.returncode) == (name, code)
    assert "not enough data for any check" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    lines = map(json.loads, (tmp_path / "store.jsonl").read_text(encoding="utf-8").splitlines())
    requests = [(each["method"], each["path"]) for each in lines if each.get("method")]
    assert set(requests) == {("PUT", "/photos")}
