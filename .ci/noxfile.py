"""Checks of `.ci/run` in environments that stay: `nox -f .ci/noxfile.py`.

Single ones: `-s tests-3.12 -- -m "not live"`, `-s stress`, `-s museum`, `-s lock`.
"""

from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = nox.project.python_versions(nox.project.load_toml(ROOT / "pyproject.toml"))
"""The Pythons that the classifiers promise; a missing one is left out, except in CI."""

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
    """Run all combinations that `tests/pairs.py` reduces, and the slow tests.

    For use before a release: it takes hours.
    """
    from_lock(session)
    session.run(
        *("pytest", "-q", "--whole", "--timeout", "7200", "-m", "not alone", *session.posargs),
        env={"PYTHONDONTWRITEBYTECODE": None},
    )
    session.run(
        *("pytest", "-q", "--whole", "--timeout", "7200", "-m", "alone", "-n", "0", *session.posargs),
        env={"PYTHONDONTWRITEBYTECODE": None},
    )


@nox.session(python=PYTHONS[0])
def museum(session: nox.Session) -> None:
    """Run real releases with a retry bug, their repaired releases, and some that are right.

    All of them, or those that are named: `-- aws_sdk_js`, which needs node.
    """
    from_lock(session)
    session.run("python", "examples/museum/run.py", *session.posargs)


@nox.session(python=PYTHONS[0])
def lint(session: nox.Session) -> None:
    """Check style, layers and workflows."""
    from_lock(session)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("python", ".ci/language.py")
    session.run("lint-imports")
    session.run("zizmor", "--offline", "--quiet", ".github")


@nox.session(python=PYTHONS[0])
def types(session: nox.Session) -> None:
    """Check types."""
    from_lock(session)
    session.run("mypy")


@nox.session(python=PYTHONS[0])
def mutants(session: nox.Session) -> None:
    """Break lines that a seed draws: `-- --seed 7 --count 200` takes over half an hour."""
    from_lock(session)
    session.run("python", ".ci/mutants.py", *session.posargs, env={"PYTHONDONTWRITEBYTECODE": None})


@nox.session(python=PYTHONS[0])
def stress(session: nox.Session) -> None:
    """Run the tests ten times, in ten orders, on a machine that is busy and stops at times."""
    from_lock(session)
    session.run("python", ".ci/stress.py", *session.posargs, env={"PYTHONDONTWRITEBYTECODE": None})


@nox.session(python=PYTHONS[0])
def lock(session: nox.Session) -> None:
    """Write the lock files for every platform and Python, with the newest releases allowed."""
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
