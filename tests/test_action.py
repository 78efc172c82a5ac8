"""The GitHub Action runs as on a runner, and the container file builds the package."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.documents import BLOCKS

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[1]
PLACE = ".github/actions/judge"
ACTION = yaml.safe_load((ROOT / PLACE / "action.yml").read_text(encoding="utf-8"))
INSTALL, JUDGE = ACTION["runs"]["steps"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONTAINER = (ROOT / ".github" / "Containerfile").read_text(encoding="utf-8")
SUITE = """\
import os
import sys
import urllib.request

try:
    with urllib.request.urlopen(urllib.request.Request(os.environ["ENDPOINT"] + "/photos", method="PUT")):
        failure = ""
except OSError as error:
    failure = f'<failure message="{error}"/>'
with open("out.xml", "w", encoding="utf-8") as results:
    results.write(f'<testsuite><testcase classname="photos" name="test_upload">{failure}</testcase></testsuite>')
sys.exit(bool(failure))
"""


def judge(folder, arguments):
    """The exit code and output of the action's step, and what it wrote into the job's summary."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    environ |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "COMMAND": ACTION["inputs"]["command"]["default"],
        "ARGUMENTS": arguments,
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", JUDGE["run"]],
        cwd=folder, env=environ, stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    summary = folder / "summary.md"
    return done.returncode, done.stdout, summary.read_text(encoding="utf-8") if summary.exists() else ""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a script of bash")
def test_a_test_that_a_fault_breaks_is_annotated(tmp_path):
    """The step fails with the command's exit code; an annotation and the summary name the test."""
    (tmp_path / "suite.py").write_text(SUITE, encoding="utf-8")
    command = f"-r 's3:SlowDown' --results out.xml -- {shlex.quote(sys.executable)} suite.py"
    status, printed, summary = judge(tmp_path, command)
    annotations = re.findall("^::error.*(test_upload).*$", printed, re.MULTILINE)
    assert (status, annotations, printed.count("::error")) == (1, ["test_upload"], 1)
    assert "test_upload" in summary


@pytest.mark.skipif(sys.platform == "win32", reason="a script of bash")
def test_wrong_use_writes_no_summary(tmp_path):
    """The step fails with 2, and nothing is said to have been judged."""
    assert judge(tmp_path, "-r s3:Slowdown -- true")[::2] == (2, "")


def test_it_installs_the_version_that_a_workflow_names():
    """The runner unpacks the repository at that tag; the action installs it from there."""
    path = f"/actions/faultinject/v0.1.0/{PLACE}"
    install = INSTALL["run"].replace("python -m pip install --quiet", "printf %s")
    done = subprocess.run(
        ["bash", "-c", install], env={"GITHUB_ACTION_PATH": path}, stdout=subprocess.PIPE, text=True, check=True
    )  # fmt: skip
    assert done.stdout == "/actions/faultinject/v0.1.0[serve]"
    assert "serve" in PROJECT["optional-dependencies"]


def test_no_input_becomes_part_of_a_script():
    """Inputs go through variables, which a shell does not read as commands of its own."""
    assert [step["run"] for step in ACTION["runs"]["steps"] if "${{" in step["run"]] == []
    assert JUDGE["env"] == {name.upper(): f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]}


def test_documentation_shows_its_inputs():
    """The workflow of the page names the action and inputs that it has."""
    shown = [
        step
        for each in BLOCKS
        if each.language == "yaml" and PLACE in each.body
        for job in yaml.safe_load(each.body)["jobs"].values()
        for step in job["steps"]
        if PLACE in step.get("uses", "")
    ]
    assert {step.get("with", {}).get("command", "trial") for step in shown} == {"trial", "conformance"}
    assert {step["uses"].partition("/.github")[2] for step in shown} == {
        f"/actions/judge@v{PROJECT['version']}"
    }
    assert {name for step in shown for name in step["with"]} <= ACTION["inputs"].keys()


def test_container_has_what_the_package_is_built_of():
    """It copies all that the build reads, and names real extras, a real Python and the command."""
    copied = {
        word for line in re.findall(r"^COPY (.+) \S+$", CONTAINER, re.MULTILINE) for word in line.split()
    }
    needed = {"pyproject.toml", PROJECT["readme"], *PROJECT["license-files"], "faultinject", ".ci/sbom.py"}
    assert copied == needed
    [extras] = re.findall(r"\.whl\)\[(.+?)\]", CONTAINER)
    assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()
    pythons = re.findall(r"^FROM python:([\d.]+)", CONTAINER, re.MULTILINE)
    assert {f"Programming Language :: Python :: {each}" for each in pythons} <= {*PROJECT["classifiers"]}
    assert [f'ENTRYPOINT ["{name}"]' in CONTAINER for name in PROJECT["scripts"]] == [True]
