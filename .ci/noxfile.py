"""Checks of `.ci/run` in environments that stay: `nox -f .ci/noxfile.py`, `-s tests-3.12 -- -m "not live"`, `-s lowest`, `-s stress`, `-s museum`, `-s lock`."""

from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = nox.project.python_versions(nox.project.load_toml(ROOT / "pyproject.toml"))
"""What the classifiers promise; an interpreter that is not there is left out, but for CI."""

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.envdir = str(ROOT / ".nox")
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types"]


def from_lock(session: nox.Session) -> None:
    """Install the locked packages, and this package without what it would fetch."""
    session.chdir(ROOT)
    session.install("--require-hashes", "-r", ".ci/requirements.txt")
    session.install("--no-deps", "-e", ".")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the default suite, or the part of it that the arguments name."""
    from_lock(session)
    session.run("pytest", "-q", *session.posargs, env={"PYTHONDONTWRITEBYTECODE": None})


@nox.session(python=PYTHONS[0])
def whole(session: nox.Session) -> None:
    """Run every case of products that `tests/pairs.py` makes small, also what is slow: before a release, for hours."""
    from_lock(session)
    session.run(
        *("pytest", "-q", "--whole", "-m", "not alone", *session.posargs),
        env={"PYTHONDONTWRITEBYTECODE": None},
    )
    session.run(
        *("pytest", "-q", "--whole", "-m", "alone", "-n", "0", *session.posargs),
        env={"PYTHONDONTWRITEBYTECODE": None},
    )


@nox.session(python=PYTHONS[0])
def museum(session: nox.Session) -> None:
    """Run real releases that have a retry bug, those that are repaired, and some that are right: `-- aws_sdk_js`, which needs node, or all."""
    from_lock(session)
    session.run("python", "examples/museum/run.py", *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run what the core's dependencies are used by, with the lowest versions that pyproject.toml allows."""
    from_lock(session)
    bounds = nox.project.load_toml(ROOT / "pyproject.toml")["project"]["dependencies"]
    session.install(*(each.replace(">=", "==") for each in bounds))
    used = (
        "engine",
        "journal",
        "rules",
        "testing/test_inject.py",
        "adapters/test_install.py",
        "adapters/test_parity.py",
    )
    session.run("pytest", "-q", *(f"tests/{each}" for each in used))


@nox.session(python=PYTHONS[0])
def lint(session: nox.Session) -> None:
    """Check style, layers and workflows."""
    from_lock(session)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")
    session.run("zizmor", "--offline", "--quiet", ".github")


@nox.session(python=PYTHONS[0])
def types(session: nox.Session) -> None:
    """Check types."""
    from_lock(session)
    session.run("mypy")


@nox.session(python=PYTHONS[0])
def mutants(session: nox.Session) -> None:
    """Break every line of the engine and the grammar, or those that the arguments name: under an hour on two processors."""
    from_lock(session)
    session.run("python", ".ci/mutants.py", *session.posargs, env={"PYTHONDONTWRITEBYTECODE": None})


@nox.session(python=PYTHONS[0])
def stress(session: nox.Session) -> None:
    """Run the tests ten times, each time in another order, on a machine that is busy and stops now and then."""
    from_lock(session)
    session.run("python", ".ci/stress.py", *session.posargs, env={"PYTHONDONTWRITEBYTECODE": None})


@nox.session(python=PYTHONS[0])
def lock(session: nox.Session) -> None:
    """Write the lock files anew, for every platform and Python, with the newest that pyproject.toml allows."""
    session.chdir(ROOT)
    session.install("uv")
    for wanted, path in (
        (("--extra", "test", "--group", "dev", "pyproject.toml"), "requirements"),
        (("--group", "release"), "release"),
    ):
        session.run(
            *(
                "uv",
                "pip",
                "compile",
                "--quiet",
                "--no-config",
                "--universal",
                "--python-version",
                PYTHONS[0],
            ),
            *("--generate-hashes", "--no-annotate", "--upgrade", *wanted, "--output-file", f".ci/{path}.txt"),
            *("--custom-compile-command", "nox -f .ci/noxfile.py -s lock"),
        )
