"""`faultinject run` itself: what becomes of the command, its exit code, signals, and Pythons that are not reached."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import venv
import wsgiref
import zipfile
from pathlib import Path

import pytest

import faultinject
from faultinject import hooks
from faultinject.adapters.import_hooks import SERVERS
from faultinject.adapters.patch import BRIDGES, PLACES
from faultinject.hooks.watching import MODULES, Watch
from faultinject.injector.session_sync import import_hooks
from faultinject.rules.production import production_reason

RULE = "cos:SlowDown,times=3"
PAST = "2020-01-01T00:00:00Z"
FOLDER = Path(hooks.__file__).parent
SERVES = "import wsgiref.simple_server; "
LOADED = f"{SERVES}import sys; print(sorted({{each.partition('.')[0] for each in sys.modules}} & {{'faultinject', 'wrapt'}}))"


@pytest.fixture
def environ(tmp_path):
    """The environment without a word to faultinject, and a place for private directories."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("FAULTINJECT_") and not production_reason({name: value})
    }
    return kept | {"TMPDIR": str(tmp_path)}


@pytest.fixture
def run(environ):
    """Run a command under `faultinject run`: exit code, standard output, standard error."""

    def call(*command, given=("-r", RULE), **variables):
        found = subprocess.run(
            [sys.executable, "-m", "faultinject", "run", *given, *command],
            env=environ | variables,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return found.returncode, found.stdout, found.stderr

    return call


@pytest.fixture
def python(environ):
    """Run a Python that finds the hooks."""

    def call(*arguments, executable=sys.executable, path=(), **variables):
        rest = environ.get("PYTHONPATH")
        places = [str(FOLDER), *map(str, path), *([rest] if rest else [])]
        found = subprocess.run(
            [executable, *arguments],
            env=environ | {"PYTHONPATH": os.pathsep.join(places)} | variables,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return found.returncode, found.stdout, found.stderr

    return call


ON = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": RULE}


def test_the_exit_code_is_the_commands_own(run):
    """Whatever it is; and one line tells what is on."""
    code, out, error = run(
        "--",
        sys.executable,
        "-c",
        "import sys; print('here'); sys.exit(7)",
        given=("-r", RULE, "--seed", "s"),
    )
    assert (code, out, error) == (7, "here\n", f"faultinject is on: seed s, rules {RULE}\n")


def test_a_command_that_is_not_python(run, tmp_path):
    """It runs as ever, and one line says who gets faults."""
    (tmp_path / "file").touch()
    code, out, error = run("--", "ls", str(tmp_path / "file"))
    assert (code, out) == (0, f"{tmp_path / 'file'}\n")
    assert error.splitlines()[1:] == ["ls is not Python: only the Python processes that it starts get faults"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("#!/usr/bin/env python3", False),
        ('#!/bin/sh\n"exec" "/a/long/path/python" "$0" "$@"', False),
        ("#!/bin/sh", True),
    ],
)
def test_scripts_of_python_are_known(run, tmp_path, first, told):
    """By their first lines, as installers write them; a script of a shell is none."""
    script = tmp_path / "tool"
    script.write_text(f"{first}\n")
    script.chmod(0o755)
    _, _, error = run("--", str(script))
    assert ("is not Python: only" in error) is told


def test_options_of_the_command_are_its_own(run):
    """Also without `--`, and also where they look like ours."""
    code, out, _ = run("printf", "%s ", "-r", "--seed", "--file")
    assert (code, out) == (0, "-r --seed --file ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "given", "variables", "says"),
    [
        (["--", "no-such-command"], ("-r", RULE), {}, "faultinject: no-such-command: command not found\n"),
        ([], ("-r", RULE), {}, "a command is missing, as in: faultinject run -- gunicorn app:app"),
        (["ls"], ("--strict",), {}, "there is no rule"),
        (["ls"], ("-r", "cos:Slowdown"), {}, "did you mean cos:SlowDown?"),
        (["ls"], ("--file", "nowhere.toml"), {}, "nowhere.toml"),
        (
            ["ls"],
            ("-r", RULE, "--strict"),
            {"FAULTINJECT_ENABLED": "0"},
            "FAULTINJECT_ENABLED=0 switches all faults off; unset it",
        ),
        (
            ["ls"],
            ("-r", RULE, "--strict"),
            {"APP_ENV": "production"},
            "APP_ENV=production looks like production",
        ),
        (["ls"], ("-r", RULE, "--strict"), {"FAULTINJECT_EXPIRES": PAST}, "FAULTINJECT_EXPIRES has passed"),
        (["ls"], ("-r", "cos:Slowdown"), {"FAULTINJECT_ENABLED": "0"}, "did you mean cos:SlowDown?"),
        (
            ["ls"],
            (),
            {"FAULTINJECT_RULES": "cos:Slowdown", "FAULTINJECT_ENABLED": "0"},
            "did you mean cos:SlowDown?",
        ),
        (["ls"], ("-r", "cos:Slowdown"), {"APP_ENV": "production"}, "did you mean cos:SlowDown?"),
        (["ls"], ("--file", os.devnull), {}, "there is no rule"),
        (["no-such-command"], (), {}, "faultinject: no-such-command: command not found\n"),
        ([], (), {"FAULTINJECT_ENABLED": "0"}, "a command is missing"),
        (
            ["ls"],
            ("-r", RULE, "--journal", "/no/such/j"),
            {},
            "--journal: cannot write to '/no/such/j': No such file",
        ),
        (["ls"], ("-r", RULE), {"FAULTINJECT_JOURNAL": "/no/such/j"}, "FAULTINJECT_JOURNAL: cannot write to"),
        (["ls"], ("-r", RULE), {"FAULTINJECT_STORE": "redis://h:x"}, "it looks like redis://"),
        (["ls"], ("-r", RULE), {"FAULTINJECT_SEDE": "1"}, "did you mean FAULTINJECT_SEED?"),
    ],
)
def test_wrong_use(run, command, given, variables, says):
    """Exit code 2, the reason, no traceback, and the command does not run."""
    code, out, error = run(*command, given=given, **variables)
    assert (code, out) == (2, "")
    assert says in error
    assert "Traceback" not in error


SAYS = "faultinject: {} runs untouched, without faults: {}\n"
OFF = {
    "switched off": (
        ("-r", RULE),
        {"FAULTINJECT_ENABLED": " No "},
        "FAULTINJECT_ENABLED=0 switches all faults off",
    ),
    "switched off, no rule": (
        (),
        {"FAULTINJECT_ENABLED": "0"},
        "FAULTINJECT_ENABLED=0 switches all faults off",
    ),
    "production": (
        ("-r", RULE),
        {"APP_ENV": "production"},
        "APP_ENV=production looks like production, where nothing is injected; to inject there set"
        " FAULTINJECT_PRODUCTION=allow and FAULTINJECT_EXPIRES to at most 24h",
    ),
    "expired": (
        ("-r", RULE),
        {"FAULTINJECT_EXPIRES": PAST},
        "FAULTINJECT_EXPIRES has passed; set a later one",
    ),
    "no rule": ((), {}, "there is no rule: give one, such as -r cos:SlowDown,times=2"),
    "no rule, on": ((), {"FAULTINJECT_ENABLED": "1"}, None),
    "rules of the environment": ((), {"FAULTINJECT_RULES": RULE, "FAULTINJECT_ENABLED": "0"}, None),
    "a journal": (("--journal", "/no/such/journal"), {}, None),
}
LOOK = """
import os, sys
given = {name: value for name, value in GIVEN}
os.environ.pop("LC_CTYPE", None)  # which Python sets itself where there is no locale
print(dict(os.environ) == given)
print(sorted({each.partition('.')[0] for each in sys.modules} & {'faultinject', 'wrapt'}))
sys.exit(7)
"""


@pytest.mark.parametrize("why", OFF)
def test_where_faults_are_off_the_command_runs_untouched(run, environ, why):
    """Its environment, its exit code, nothing of ours in it; one line says why there are no faults."""
    given, variables, says = OFF[why]
    known = {name: value for name, value in (environ | variables).items() if name != "LC_CTYPE"}
    text = LOOK.replace("GIVEN", repr([*known.items()]))
    code, out, error = run("--", sys.executable, "-c", text, given=given, **variables)
    assert (code, out) == (7, "True\n[]\n")
    assert error.count("\n") == 1
    assert error == SAYS.format(sys.executable, says) or (says is None and "runs untouched" in error)


def test_untouched_a_command_that_is_not_python(run):
    """It is said once, and nothing of who would get faults."""
    code, out, error = run("--", "echo", "-r", given=())
    assert (code, out, error.count("\n")) == (0, "-r\n", 1)


@pytest.mark.slow
def test_production_that_is_allowed(run):
    """Then there are faults."""
    allowed = {"APP_ENV": "production", "FAULTINJECT_PRODUCTION": "allow", "FAULTINJECT_EXPIRES": "1h"}
    code, out, error = run("--", sys.executable, "-c", LOADED, **allowed)
    assert (code, out, "untouched" in error) == (0, "['faultinject', 'wrapt']\n", False)


@pytest.mark.parametrize("store", [{}, {"FAULTINJECT_STORE": "memory:"}])
def test_a_journal(run, tmp_path, store):
    """`--journal` stands above the variable, and means the directory in which `run` was started."""
    text = """
import os
os.chdir("/")
import faultinject
def app(environ, start_response):
    start_response("200 OK", [])
    return [b""]
app = faultinject.install(app)
app({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None)
"""
    place = os.path.relpath(tmp_path / "mine")
    code, _, _ = run(
        "--", sys.executable, "-c", text, given=("-r", RULE, "--journal", place),
        FAULTINJECT_JOURNAL=str(tmp_path / "other"), **store,
    )  # fmt: skip
    lines = [json.loads(each) for each in (tmp_path / "mine").read_text().splitlines()]
    assert (code, [bool(each.get("ended")) for each in lines]) == (0, [False, True])
    assert not (tmp_path / "other").exists()


def test_a_command_that_cannot_be_run(run, tmp_path):
    """It is told, and nothing is left behind."""
    script = tmp_path / "script"
    script.write_text("\0")
    script.chmod(0o755)
    code, _, error = run("--", str(script))
    assert code == 2
    assert f"faultinject: {script}: Exec format error" in error
    assert [*tmp_path.glob("faultinject-*/*")] == []


@pytest.mark.slow
def test_an_app_that_wraps_itself_twice(run):
    """With rules of its own: the session goes before them, and counts once."""
    script = """
from faultinject import WSGIFaultMiddleware

def app(environ, start_response):
    start_response("200 OK", [])
    return []

apps = [WSGIFaultMiddleware(app, "http:500,path=none/") for _ in range(2)]
for each in apps * 3:
    list(each({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda status, _: print(status[:3])))
"""
    code, out, error = run("--", sys.executable, "-c", script)
    assert (code, out.split()) == (0, ["503"] * 3 + ["200"] * 3), error


def test_rules_of_the_environment_and_of_a_file(run, tmp_path):
    """Those of the environment where none are given; a file's come before those of -r."""
    says = (
        "--",
        sys.executable,
        "-c",
        "import os; print(sorted(each for each in os.environ if each.startswith('FAULTINJECT_')))",
    )
    variables = {
        "FAULTINJECT_RULES": "http:500",
        "FAULTINJECT_RULE_MORE": "http:501",
        "FAULTINJECT_SEED": "e",
    }
    code, out, error = run(*says, given=(), **variables)
    assert (code, out) == (0, "['FAULTINJECT_SESSION']\n")
    assert error == "faultinject is on: seed e, rules http:500 http:501,name=more\n"
    file = tmp_path / "rules.toml"
    file.write_text('seed = "f"\n[[rules]]\nfault = "http:502"\n')
    _, _, error = run(*says, given=("--file", str(file), "-r", "http:503"), **variables)
    assert error == "faultinject is on: seed f, rules http:502 http:503\n"


def test_a_named_store_is_used(run, tmp_path):
    """Then the processes are told by variables, so that other commands may share it."""
    text = """
import faultinject
def app(environ, start_response):
    start_response("200 OK", [])
    return [b""]
app = faultinject.install(app)
for number in range(2):
    app({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda status, headers: print(status[:3]))
"""
    command = ("--", sys.executable, "-c", text)
    given = ("-r", RULE, "--seed", "s")
    store = f"file:{tmp_path / 'store'}"
    assert run(*command, given=given, FAULTINJECT_STORE=store)[:2] == (0, "503\n503\n")
    assert run(*command, given=given, FAULTINJECT_STORE=store)[:2] == (0, "503\n200\n")
    assert run(*command, given=given, FAULTINJECT_STORE="memory:")[:2] == (0, "503\n503\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_the_command(environ, number):
    """It has taken the place of `faultinject run`, so its end is the end."""
    text = "import signal, sys\ntry:\n    print('ready', flush=True)\n    signal.pause()\nexcept KeyboardInterrupt:\n    sys.exit(5)"
    with subprocess.Popen(
        [sys.executable, "-m", "faultinject", "run", "-r", RULE, "--", sys.executable, "-c", text],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            assert process.wait(timeout=30) == (5 if number == signal.SIGINT else -signal.SIGTERM)
        finally:
            process.kill()


def test_processes_of_processes_are_reached(run):
    """Whatever stands between them."""
    code, out, _ = run("--", "sh", "-c", f'{sys.executable} -c "{LOADED}"')
    assert (code, out) == (0, "['faultinject', 'wrapt']\n")


@pytest.mark.slow
@pytest.mark.parametrize("option", ["-S", "-I", "-E"])
def test_pythons_that_are_not_reached(run, option):
    """Those that look at no environment, or load no site."""
    code, out, _ = run("--", sys.executable, option, "-c", LOADED)
    assert (code, out) == (0, "[]\n")


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"FAULTINJECT_RULES": RULE},
        {"FAULTINJECT_ENABLED": ""},
        *[ON | {"FAULTINJECT_ENABLED": each} for each in ("0", "False", " no ", "OFF")],
        {"FAULTINJECT_ENABLED": "0", "FAULTINJECT_SESSION": "/nowhere"},
    ],
)
def test_nothing_is_imported_when_off(python, variables):
    """The hooks' folder alone costs a look at two variables."""
    assert python("-c", LOADED, **variables) == (0, "[]\n", "")


@pytest.mark.slow
def test_imported_when_on(python):
    """The same with the variables."""
    assert python("-c", LOADED, **ON)[:2] == (0, "['faultinject', 'wrapt']\n")


@pytest.mark.parametrize("on", [True, False])
def test_a_sitecustomize_behind_ours_is_loaded(python, tmp_path, on):
    """Under its own name, and with the path that it would have."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nVALUE = 'mine'\nprint('loaded', __name__, sys.path[0])\n"
    )
    code, out, _ = python(
        "-c", "import sitecustomize; print(sitecustomize.VALUE)", path=[tmp_path], **(ON if on else {})
    )
    assert (code, out) == (0, f"loaded sitecustomize {tmp_path}\nmine\n")


def test_an_error_of_the_one_behind_is_its_own(python, tmp_path):
    """Python says it, as it does without us."""
    (tmp_path / "sitecustomize.py").write_text("import no_such_module\n")
    code, out, error = python("-c", "print('ran')", path=[tmp_path])
    assert (code, out) == (0, "ran\n")
    assert "no_such_module" in error


def test_a_python_without_the_package(environ, tmp_path):
    """One line on standard error, and it runs on."""
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    found = subprocess.run(
        [str(tmp_path / "bare" / "bin" / "python"), "-c", "print('ran')"],
        env=environ | {"PYTHONPATH": str(FOLDER)} | ON,
        capture_output=True,
        text=True,
        timeout=60,
    )
    says = "faultinject: nothing is injected in this Python: No module named 'faultinject'\n"
    assert (found.returncode, found.stdout, found.stderr) == (0, "ran\n", says)


@pytest.mark.slow
def test_wrong_variables_do_not_stop_a_python(python):
    """It may be any: it says why nothing is injected as soon as it may serve, and runs on."""
    serve = f"{SERVES}print('ran')"
    code, out, error = python("-c", serve, FAULTINJECT_ENABLED="1", FAULTINJECT_RULES="cos:Slowdown")
    assert (code, out) == (0, "ran\n")
    assert error.startswith("faultinject: nothing is injected in this Python: FAULTINJECT_RULES: ")
    code, out, error = python("-c", serve, FAULTINJECT_SESSION="/nowhere")
    assert (code, out) == (0, "ran\n")
    assert error.startswith("faultinject: nothing is injected in this Python: FAULTINJECT_SESSION: ")


def test_a_python_that_serves_nothing_loads_next_to_nothing(python):
    """Build steps, linters and clients below `run` start as quickly as without it."""
    modules = "import sys; print(' '.join(sys.modules))"
    plain, hooked = (set(python("-c", modules, **variables)[1].split()) for variables in ({}, ON))
    assert hooked - plain == {"faultinject", "faultinject.hooks", "faultinject.hooks.watching"} | (
        hooked & {"__future__"} - plain
    )


def test_every_module_with_hooks_is_watched():
    """None is imported without the hooks being there."""
    assert set(MODULES) == {*PLACES, *SERVERS, *BRIDGES}


def test_one_that_was_imported_before_the_hooks(monkeypatch):
    """By a path file, for example: they come at once."""
    called = []
    monkeypatch.setitem(sys.modules, "flask.app", sys)
    Watch(lambda: called.append(1)).begin()
    assert called == [1]


def test_the_first_of_them_calls_once(monkeypatch):
    """Before it is found, by finders that the call has put in as well; other modules call nothing."""
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(sys, "modules", {n: each for n, each in sys.modules.items() if n not in MODULES})
    asked, called = [], []

    class Finder:
        def find_spec(self, name, path=None, target=None):
            asked.append(name)

    watch = Watch(lambda: called.append(watch.find_spec("flask.app")) or sys.meta_path.insert(0, Finder()))
    sys.meta_path.append(object())  # very old finders have no `find_spec`
    watch.begin()
    assert sys.meta_path[0] is watch
    assert watch.find_spec("json") is None
    for _ in range(2):  # another thread may have asked for the same
        assert watch.find_spec("wsgiref.simple_server", wsgiref.__path__).name == "wsgiref.simple_server"
    assert (called, asked) == ([None], ["wsgiref.simple_server"] * 2)
    assert watch in sys.meta_path, "an import of another thread may be going through the list"


def test_one_that_is_not_there():
    """It is not found, as without us."""
    watch = Watch(lambda: None)
    assert watch.find_spec("waitress.server", []) is None


def test_the_current_directory_stays_on_the_path(python, tmp_path, monkeypatch):
    """As an empty element, which Python takes for it; an empty value is none."""
    for given in (":other", "other:", "other::more", ":"):
        assert import_hooks({"PYTHONPATH": given}) == {"PYTHONPATH": f"{FOLDER}:{given}"}
    assert import_hooks({"PYTHONPATH": ""}) == {"PYTHONPATH": str(FOLDER)}
    (tmp_path / "beside_it.py").write_text("print('found')")
    (tmp_path / "below").mkdir()
    program = tmp_path / "below" / "program.py"
    program.write_text("import beside_it")
    monkeypatch.chdir(tmp_path)
    assert python(str(program), **import_hooks({"PYTHONPATH": ":nowhere"}))[:2] == (0, "found\n")


def test_the_hooks_folder_stays_first_and_once(tmp_path):
    """What is on the path besides keeps its place."""
    given = os.pathsep.join([str(tmp_path), str(FOLDER), "other"])
    expected = os.pathsep.join([str(FOLDER), str(tmp_path), "other"])
    assert import_hooks({"PYTHONPATH": given}) == {"PYTHONPATH": expected}
    assert import_hooks({}) == {"PYTHONPATH": str(FOLDER)}


@pytest.mark.slow
def test_a_later_run_clears_up_behind_an_earlier_one(run, tmp_path):
    """The command keeps the number of `faultinject run`: when it has ended, its directory is nobody's."""
    for _ in range(3):
        assert run("--", "true")[0] == 0
    assert len([*tmp_path.glob("faultinject-*/*")]) == 1


def test_no_path_file_in_the_wheel(tmp_path):
    """Nothing that every Python of an environment would run."""
    root = Path(faultinject.__file__).parents[1]
    if not (root / "pyproject.toml").exists():
        pytest.skip("not run from the sources")
    pytest.importorskip("hatchling")
    source = tmp_path / "source"
    source.mkdir()
    for each in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / each, source)
    shutil.copytree(
        root / "faultinject", source / "faultinject", ignore=shutil.ignore_patterns("__pycache__")
    )
    built = subprocess.run(
        [sys.executable, "-c", f"import hatchling.build as b; print(b.build_wheel({str(tmp_path)!r}))"],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(tmp_path / built.stdout.split()[-1]) as wheel:
        names = wheel.namelist()
    assert [each for each in names if each.endswith(".pth")] == []
    assert "faultinject/hooks/sitecustomize.py" in names
    assert [each for each in names if each.endswith("sitecustomize.py")] == [
        "faultinject/hooks/sitecustomize.py"
    ]
