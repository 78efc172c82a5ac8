"""`.ci/run`, the jobs that share it, the sessions of nox and the lock files agree."""

import ast
import os
import re
import runpy
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from faultinject.conformance.sdks import SDKS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = [
    version
    for each in PROJECT["project"]["classifiers"]
    if re.fullmatch(r"3\.\d+", version := each.rpartition(" :: ")[2])
]
SCRIPT = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
WHOLE, PIECES, BESIDE = (
    re.search(rf"^{name}=\((.+)\)$", SCRIPT, re.MULTILINE)[1].split()
    for name in ("whole", "pieces", "beside")
)
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
JOBS = {
    f"{workflow}-{name}": job
    for workflow, content in WORKFLOWS.items()
    for name, job in content["jobs"].items()
}


def matrix(job, name):
    """The values that a job's matrix gives to a name."""
    return job.get("strategy", {}).get("matrix", {}).get(name, [])


def parts(job):
    """The parts of the full check that a job runs, in whatever instance of its matrix."""
    commands = [step.get("run", "") for step in job.get("steps", ())]
    words = [word for each in commands if each.startswith(".ci/run") for word in each.split()[1:]]
    return {*" ".join(matrix(job, "parts")).split(), *words} - {"$PARTS"}


def body(function):
    """The lines of a function of `.ci/run`."""
    return SCRIPT.partition(f"\n{function}() {{\n")[2].partition("\n}\n")[0]


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_jobs_name_parts_that_exist(job):
    """A job runs parts that `.ci/run` has, and with them the one that its matrix names."""
    assert parts(job) <= {*WHOLE, *PIECES}
    given = [step["env"]["PARTS"] for step in job.get("steps", ()) if "$PARTS" in step.get("run", "")]
    assert {*given} == ({"${{ matrix.parts }}"} if matrix(job, "parts") else set())


def test_every_part_is_a_function():
    """`.ci/run` has a function for each part that it names, and names no part twice."""
    assert {*WHOLE, *PIECES} <= set(re.findall(r"^([a-z]+)\(\) \{$", SCRIPT, re.MULTILINE))
    assert len({*WHOLE, *PIECES}) == len(WHOLE) + len(PIECES)


def test_nothing_is_left_out_where_parts_run_beside_the_slow_tests():
    """Without arguments each part runs once: the tests first, and those that need others last."""
    [last] = re.findall(r"^    set -- (.+)$", SCRIPT, re.MULTILINE)
    assert sorted(["tests", *BESIDE, *last.split()]) == sorted(WHOLE)


def test_the_site_is_built_with_locked_tools():
    """A new release of Sphinx or of the theme breaks nobody's build, and a warning is an error."""
    docs = body("docs")
    assert docs.index("locked\n") < docs.index(".venv/bin/sphinx-build -q -W")
    assert "-m slow tests/test_site.py" in docs
    named, all_ = ({canonicalize_name(each.name) for each in grouped(group)} for group in ("docs", "dev"))
    assert {"furo", "myst-parser", "sphinx-copybutton"} <= named <= all_
    source = (ROOT / "docs" / "conf.py").read_text(encoding="utf-8")
    assert all(each.replace("-", "_") in source for each in named - {"sphinx"})


def test_jobs_leave_nothing_out():
    """The jobs together run every part of the full check, on every Python.

    Of the tests they run both halves, and `dist` within `wheel`.
    """
    run = set().union(*(parts(job) for job in WORKFLOWS["ci"]["jobs"].values()))
    assert run == {*WHOLE, *PIECES} - {"tests", "dist", "second"}


def test_one_job_waits_for_all():
    """A branch rule on `passed` asks for every job, and each must have succeeded."""
    jobs = dict(WORKFLOWS["ci"]["jobs"])
    passed = jobs.pop("passed")
    (step,) = passed["steps"]
    script = f'[ "$RESULTS" = "{" ".join(["success"] * len(jobs))}" ]'
    assert (passed["if"], passed["needs"], step["run"]) == ("always()", [*jobs], script)


def test_pythons_are_those_of_the_classifiers():
    """CI tests every Python of the classifiers, and everything else uses the lowest."""
    lowest = PYTHONS[0]
    versions = [matrix(job, "python") for job in WORKFLOWS["ci"]["jobs"].values()]
    assert [each for each in versions if each] == [PYTHONS]
    assert {
        step["with"]["python-version"]
        for content in WORKFLOWS.values()
        for job in content["jobs"].values()
        for step in job.get("steps", ())
        if "setup-python" in step.get("uses", "")
    } == {lowest, "${{ matrix.python }}"}
    tools, ruffs = PROJECT["tool"], f"py{lowest.replace('.', '')}"
    named = (
        PROJECT["project"]["requires-python"],
        tools["mypy"]["python_version"],
        tools["ruff"]["target-version"],
    )
    assert named == (f">={lowest}", lowest, ruffs)


def test_nox_takes_them_from_there():
    """nox has a session of tests for the same Pythons."""
    pytest.importorskip("nox", reason="of the group dev")
    assert runpy.run_path(str(ROOT / ".ci" / "noxfile.py"))["PYTHONS"] == PYTHONS


@pytest.mark.skipif(os.name == "nt", reason="a script of bash")
def test_newer_pythons_are_those_that_start(tmp_path):
    """One of PATH is taken, else one of pyenv's; a shim that starts nothing is not."""
    starts, refuses = "#!/bin/sh\n", "#!/bin/sh\nexit 127\n"
    for place, text in {
        "bin/python3.12": starts,
        "pyenv/versions/3.12.1/bin/python3.12": starts,
        "bin/python3.13": refuses,
        "pyenv/versions/3.13.0/bin/python3.13": starts,
        "pyenv/versions/3.14.0/bin/python3.14": refuses,
    }.items():
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    environ = {"PATH": f"{tmp_path}/bin", "PYENV_ROOT": f"{tmp_path}/pyenv"}
    command = ["/bin/bash", "-euo", "pipefail", "-c", f"newer() {{\n{body('newer')}\n}}\nnewer"]
    found = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert found.splitlines() == [
        f"{tmp_path}/bin/python3.12",
        f"{tmp_path}/pyenv/versions/3.13.0/bin/python3.13",
    ]


def test_every_python_of_the_classifiers_is_looked_for():
    """The part `second` looks for those above the lowest, and for the next one."""
    [versions] = re.findall(r"for version in (.+); do", body("newer"))
    assert versions.split()[: len(PYTHONS) - 1] == PYTHONS[1:]


MUTANTS = tomllib.loads((ROOT / ".ci" / "mutants.toml").read_text(encoding="utf-8"))["accepted"]


def lines_of(place):
    """Lines of a function (`path:Class.function`) or of a file (`path:`), without indentation.

    There are none if it is gone.
    """
    path, _, name = place.partition(":")
    text = (ROOT / path).read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines()]
    if not name:
        return lines
    nodes = ast.parse(text).body
    for each in name.split("."):
        node = next((node for node in nodes if getattr(node, "name", None) == each), None)
        nodes = getattr(node, "body", [])
    return lines[node.lineno - 1 : node.end_lineno] if node else []


@pytest.mark.parametrize("group", MUTANTS, ids=lambda each: each["reason"][:40])
def test_accepted_mutants_are_of_lines_that_exist(group):
    """Each has a reason, and goes with the line that it is a mutant of."""
    gone = [
        each for each in group["mutants"] if not set(each["from"].splitlines()) <= set(lines_of(each["in"]))
    ]
    assert (gone, group.keys(), len(group["reason"]) > 20) == ([], {"reason", "mutants"}, True)


def wanted(extra):
    """The requirements of an extra, those of the extras that it names too."""
    for text in extras(extra):
        requirement = Requirement(text)
        if requirement.name == PROJECT["project"]["name"]:
            for each in requirement.extras:
                yield from wanted(each)
        else:
            yield requirement


def test_the_extras_have_each_sdk_that_pip_installs():
    """A driver's package is in the extra `conformance` or `conformance-native`, and no other is."""
    by_pip = [sdk for sdk in SDKS.values() if sdk.home in ("pip", "script")]
    driven = {package for sdk in by_pip for package in (sdk.packages or sdk.package).split()}
    texts = [*extras("conformance"), *extras("conformance-native")]
    there = {Requirement(text).name for text in texts} - {"faultinject"}
    assert there == driven, "the extras in pyproject.toml and the tables clients.toml differ"


def extras(extra):
    """The requirements of one extra, as text."""
    return PROJECT["project"]["optional-dependencies"][extra]


def grouped(group):
    """The requirements of a dependency group, those of the groups that it includes too."""
    for each in PROJECT["dependency-groups"][group]:
        if isinstance(each, str):
            yield Requirement(each)
        else:
            yield from grouped(each["include-group"])


REQUIREMENTS = {
    "requirements.txt": [
        *map(Requirement, PROJECT["project"]["dependencies"]),
        *wanted("test"),
        *grouped("dev"),
    ],
    "release.txt": [*grouped("release")],
}


def locked(name):
    """Map each package of a lock file to its versions, and whether each has hashes.

    Markers pick one of several versions.
    """
    text = (ROOT / ".ci" / name).read_text(encoding="utf-8").replace("\\\n", "")
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            package, version, rest = re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)(.*)", line).groups()
            found.setdefault(canonicalize_name(package), []).append((version, "--hash=sha256:" in rest))
    return found


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_lock_has_what_pyproject_wants(name):
    """Every requirement is locked at an allowed version, with hashes and no index.

    `nox -f .ci/noxfile.py -s lock` writes the files anew.
    """
    packages = locked(name)
    missing = [
        str(each)
        for each in REQUIREMENTS[name]
        if not (versions := packages.get(canonicalize_name(each.name)))
        or not all(each.specifier.contains(version, prereleases=True) for version, _ in versions)
    ]
    unhashed = [
        package for package, versions in packages.items() if not all(hashed for _, hashed in versions)
    ]
    text = (ROOT / ".ci" / name).read_text(encoding="utf-8")
    places = re.findall("://|file:|--index|--extra-index|--find-links| /", text)
    assert (missing, unhashed, places) == ([], [], [])
