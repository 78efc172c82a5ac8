"""`faultinject run` passes on exit codes and signals, and names Pythons out of its reach."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import msgspec
import pytest
import wrapt

import faultinject
from tests.slowly import others_slowly, slowly

RULE = "cos:SlowDown,times=3"
FOLDER = Path(faultinject.__file__).with_name("hooks")
SERVES = "import wsgiref.simple_server; "
REACHED = "['faultinject', 'wrapt']\n"
LOADED = (
    f"{SERVES}import sys; print(sorted({{each.partition('.')[0] for each in sys.modules}} & "
    f"{{'faultinject', 'wrapt'}}))"
)


@pytest.fixture
def environ(tmp_path):
    """The environment without a word to faultinject, and a place for private directories."""
    ours = re.compile(r"FAULTINJECT_|K8S_|DJANGO_|DD_|OTEL_|.*(ENV|STAGE)")
    kept = {name: value for name, value in os.environ.items() if not ours.match(name)}
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
            timeout=100,
        )
        return found.returncode, found.stdout, found.stderr

    return call


@pytest.fixture
def python(environ):
    """Run a Python that finds the hooks."""

    def call(*arguments, executable=sys.executable, path=(), **variables):
        # Another Python has a path of its own.
        rest = environ.get("PYTHONPATH") if executable == sys.executable else None
        places = [str(FOLDER), *map(str, path), *([rest] if rest else [])]
        found = subprocess.run(
            [executable, *arguments],
            env=environ | {"PYTHONPATH": os.pathsep.join(places)} | variables,
            capture_output=True,
            text=True,
            timeout=100,
        )
        return found.returncode, found.stdout, found.stderr

    return call


ON = {"FAULTINJECT_RUN": "1", "FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": RULE}


def test_the_exit_code_and_the_path_are_the_commands_own(run, tmp_path, monkeypatch):
    """Whatever they are; where nothing serves, there is nothing to say.

    The current directory stays on the path, as an empty element. `tests/cli/test_cli_run.py` has more of the path.
    """
    (tmp_path / "beside_it.py").write_text("print('found')")
    (tmp_path / "below").mkdir()
    program = tmp_path / "below" / "program.py"
    program.write_text("import beside_it, sys; sys.exit(7)")
    monkeypatch.chdir(tmp_path)
    found = run("--", sys.executable, str(program), given=("-r", RULE, "--seed", "s"), PYTHONPATH=":nowhere")
    assert found == (7, "found\n", "")


def test_a_command_that_is_not_python(run):
    """A command that is not Python runs unchanged, and one line says who gets faults.

    With options of its own, also without `--` and where they look like ours.
    """
    code, out, error = run("printf", "%s ", "-r", "--seed", "--file")
    assert (code, out) == (0, "-r --seed --file ")
    assert error.splitlines() == ["printf is not Python: only the Python processes that it starts get faults"]


LOOK = """
import os, sys
given = {name: value for name, value in GIVEN}
os.environ.pop("LC_CTYPE", None)  # which Python sets itself where there is no locale
print(dict(os.environ) == given)
print(sorted({each.partition('.')[0] for each in sys.modules} & {'faultinject', 'wrapt'}))
sys.exit(7)
"""


def test_where_faults_are_off_the_command_runs_untouched(run, environ):
    """It has its environment and exit code, and one line says why.

    `tests/cli/test_cli_run.py` has the other reasons.
    """
    known = {
        name: value for name, value in (environ | {"APP_ENV": "production"}).items() if name != "LC_CTYPE"
    }
    text = LOOK.replace("GIVEN", repr([*known.items()]))
    code, out, error = run("--", sys.executable, "-c", text, APP_ENV="production")
    assert (code, out) == (7, "True\n[]\n")
    says = f"faultinject: {sys.executable} runs untouched, without faults: APP_ENV=production looks like production, "
    assert (error.startswith(says), error.count("\n")) == (True, 1)


@pytest.mark.parametrize(
    "store", [{}, pytest.param({"FAULTINJECT_STORE": "memory:"}, marks=pytest.mark.slow)]
)
def test_a_journal(run, tmp_path, store):
    """`--journal` overrides the variable, and means the directory in which `run` was started."""
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
    assert (
        f"faultinject: {script} cannot be run: Exec format error: a script needs a first line such as #!/bin/sh"
        in error
    )
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
        "import os; print(sorted(each for each in os.environ if each.startswith('FAULTINJECT_')))\n"
        "from wsgiref.simple_server import make_server\n"
        "for _ in range(2): make_server('127.0.0.1', 0, lambda environ, start_response: []).server_close()",
    )
    variables = {
        "FAULTINJECT_RULES": "http:500",
        "FAULTINJECT_RULE_MORE": "http:501",
        "FAULTINJECT_SEED": "e",
    }
    code, out, error = run(*says, given=(), **variables)
    assert (code, out) == (0, "['FAULTINJECT_RUN', 'FAULTINJECT_SESSION']\n")
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


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_signals_reach_the_command(environ, number):
    """It has taken the place of `faultinject run`, so its end is the end."""
    text = (
        "import signal, sys\ntry:\n    print('ready', flush=True)\n    signal.pause()\nexcept "
        "KeyboardInterrupt:\n    sys.exit(5)"
    )
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
            assert process.wait(timeout=100) == (5 if number == signal.SIGINT else -signal.SIGTERM)
        finally:
            process.kill()


@pytest.mark.parametrize("options", ["-I", pytest.param("-Es", marks=pytest.mark.slow)])
def test_processes_of_processes_are_reached(run, options):
    """Whatever stands between them, also Pythons that look at no environment."""
    python = f'{sys.executable} {options} -c "{LOADED}"'
    assert run("--", "sh", "-c", f"{python}; {python.replace(f' {options}', '')}")[:2] == (0, REACHED * 2)


@pytest.mark.parametrize(
    "options",
    others_slowly([["-S"], ["-W", "ignore", "-uIS"], ["-Xutf8", "-S"]], lambda options: options == ["-S"]),
)
def test_a_python_without_site(run, options):
    """It is told before anything runs; `--strict` refuses it."""
    command = ("--", sys.executable, *options, "-c", LOADED)
    code, out, error = run(*command)
    assert (code, out) == (0, "[]\n")
    says = f"faultinject: nothing is injected in {sys.executable}: {sys.executable} "
    assert error.startswith(says)
    assert error.splitlines()[0].endswith(" -S loads nothing of faultinject; start it without -S")
    assert run(*command, given=("-r", RULE, "--strict"))[:2] == (2, "")


HIDING = """
import os, sys, wsgiref.simple_server
here = os.path.dirname(__file__)
os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ["PYTHONPATH"]])
"""
LAUNCHER = """
import os, sys
path = [HERE, *filter(None, [os.environ.get("PYTHONPATH")])]
os.environ["PYTHONPATH"] = os.pathsep.join(path)
os.execv(sys.argv[1], sys.argv[1:])
"""
SPAWNS = """
import multiprocessing, sys
def hooked():
    both = "faultinject.adapters.import_hooks" in sys.modules and hasattr(sys.modules["sitecustomize"], "here")
    print(both, flush=True)
if __name__ == "__main__":
    hooked()
    for method in ("fork", "spawn"):
        child = multiprocessing.get_context(method).Process(target=hooked)
        child.start()
        child.join()
"""


@pytest.mark.slow
@pytest.mark.parametrize("inside", [True, False])
def test_a_sitecustomize_of_another_tool_hides_nothing(run, tmp_path, inside):
    """Another tool's `sitecustomize` works with ours, in forked and spawned processes.

    A launcher puts one first on PYTHONPATH, below `run` or above it.
    """
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "sitecustomize.py").write_text(HIDING)
    (tmp_path / "launcher.py").write_text(LAUNCHER.replace("HERE", repr(str(tmp_path / "theirs"))))
    (tmp_path / "spawns.py").write_text(SPAWNS)
    launcher = (sys.executable, str(tmp_path / "launcher.py"))
    program = (sys.executable, str(tmp_path / "spawns.py"))
    if inside:
        code, out, error = run("--", *launcher, *program, given=("-r", RULE, "--strict"))
    else:
        again = (sys.executable, "-m", "faultinject", "run", "--strict", "-r", RULE, "--")
        code, out, error = run("--", *launcher, *again, *program, given=())
    assert (code, out.split()) == (0, ["True"] * 3), error


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"FAULTINJECT_RULES": RULE, "FAULTINJECT_ENABLED": "1"},
        {"FAULTINJECT_RUN": "", "FAULTINJECT_SESSION": ""},
    ],
)
def test_nothing_is_imported_when_off(python, variables):
    """The path file and the hooks' folder cost a look at two variables."""
    assert python("-c", LOADED, **variables) == (0, "[]\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "variables",
    [
        *[ON | {"FAULTINJECT_ENABLED": each} for each in ("0", "False", " no ", "OFF")],
        {"FAULTINJECT_ENABLED": "0", "FAULTINJECT_SESSION": "/nowhere"},
    ],
)
def test_nothing_is_watched_when_switched_off(python, variables):
    """Below `run` a child may have the switch."""
    assert python("-c", LOADED, **variables) == (0, "['faultinject']\n", "")


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


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A Python without the package."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    return str(folder / "bin" / "python")


NOT_HERE = "faultinject: nothing is injected in this Python: No module named 'faultinject'\n"


def test_a_python_without_the_package(python, bare):
    """One line on standard error, and it runs on."""
    assert python("-c", f"{SERVES}print('ran')", executable=bare, **ON) == (0, "ran\n", NOT_HERE)


@pytest.mark.slow
def test_a_strict_python_without_the_package(python, bare):
    """It ends as it is about to serve, with 2, and runs on where it serves nothing."""
    strict = ON | {"FAULTINJECT_RUN": "strict"}
    serves, other = f"{SERVES}print('ran')", "import sys; print('watching' in sys.modules)"
    ends = "faultinject: --strict ends this process, which is about to serve without faults\n"
    assert python("-c", serves, executable=bare, **strict) == (2, "", NOT_HERE + ends)
    assert python("-c", other, executable=bare, **strict) == (0, "False\n", NOT_HERE)


@pytest.mark.slow
def test_a_package_that_no_path_file_came_with(python, bare):
    """A package that is only on PYTHONPATH is found by `sitecustomize`."""
    places = [Path(faultinject.__file__).parents[1], Path(wrapt.__file__).parents[1]]
    assert python("-c", LOADED, executable=bare, path=places, **ON)[:2] == (0, REACHED)


WRONG = ON | {"FAULTINJECT_RULES": "cos:Slowdown"}


@pytest.mark.parametrize(
    ("variables", "ends", "says"),
    [
        slowly(WRONG, (0, "ran\n"), "FAULTINJECT_RULES: "),
        slowly({"FAULTINJECT_SESSION": "/nowhere"}, (0, "ran\n"), "FAULTINJECT_SESSION: "),
        (WRONG | {"FAULTINJECT_RUN": "strict"}, (2, ""), "FAULTINJECT_RULES: "),
    ],
    ids=["rules", "session", "strict"],
)
def test_wrong_variables(python, variables, ends, says):
    """A Python says why nothing is injected as soon as it may serve, and runs on: it may be any.

    A strict one ends, as it would serve without faults.
    """
    code, out, error = python("-c", f"{SERVES}print('ran')", **variables)
    assert (code, out) == ends
    assert error.startswith(f"faultinject: nothing is injected in this Python: {says}")


def test_a_python_that_serves_nothing_loads_next_to_nothing(python):
    """Build steps, linters and clients below `run` start as quickly as without it."""
    modules = "import sys; print(' '.join(sys.modules))"
    plain, hooked = (set(python("-c", modules, **variables)[1].split()) for variables in ({}, ON))
    assert hooked - plain == {
        "faultinject",
        "faultinject.faces",
        "faultinject.hooks",
        "faultinject.hooks.watching",
    } | (hooked & {"__future__"} - plain)


BEGINS = """
import sys

class Old:
    # As finders were: without `find_spec`.
    def find_module(self, name, path=None):
        return None

sys.meta_path.append(Old())
for each in sys.argv[1:]:
    try:
        __import__(each)
    except ImportError as error:
        print(error)
    else:
        if each == "faultinject.hooks":
            sys.modules[each].begin()
    print("faultinject.adapters.import_hooks" in sys.modules)
"""


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        # What was imported before the hooks, by a path file, for example: they come at once.
        ("wsgiref.simple_server faultinject.hooks", "False\nTrue\n"),
        # The first that is imported behind them; others call nothing.
        ("faultinject.hooks wsgiref.util wsgiref.simple_server", "False\nFalse\nTrue\n"),
        # One that is not there is not found, as without us.
        ("faultinject.hooks waitress.server", "False\nNo module named 'waitress.server'\nTrue\n"),
    ],
)
def test_hooks_come_with_what_may_serve(environ, tmp_path, modules, said):
    """Before or behind them."""
    (tmp_path / "waitress").mkdir()
    (tmp_path / "waitress" / "__init__.py").touch()
    found = subprocess.run(
        [sys.executable, "-c", BEGINS, *modules.split()],
        env=environ | {"FAULTINJECT_RULES": RULE, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (found.returncode, found.stdout) == (0, said), found.stderr


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_what_is_installed_has_one_path_file(environ, tmp_path, kind):
    """It stands beside the package, and a Python that finds it there is reached."""
    root = Path(faultinject.__file__).parents[1]
    if not (root / "pyproject.toml").exists():
        pytest.skip("not run from the sources")
    pytest.importorskip("hatchling")
    pytest.importorskip("editables")
    source = tmp_path / "source"
    source.mkdir()
    for each in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / each, source)
    shutil.copytree(
        root / "faultinject", source / "faultinject", ignore=shutil.ignore_patterns("__pycache__")
    )
    built = subprocess.run(
        [sys.executable, "-c", f"import hatchling.build as b; print(b.build_{kind}({str(tmp_path)!r}))"],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(tmp_path / built.stdout.split()[-1]) as wheel:
        wheel.extractall(tmp_path / "site")
    names = [each.name for each in (tmp_path / "site").glob("*.pth")]
    assert [each for each in names if not each.startswith("_editable")] == ["faultinject.pth"]
    rest = [Path(each.__file__).parents[1] for each in (wrapt, msgspec)]
    look = f"import site; site.addsitedir({str(tmp_path / 'site')!r}); {LOADED}"
    found = subprocess.run(
        [sys.executable, "-S", "-c", look],
        env=environ | ON | {"PYTHONPATH": os.pathsep.join(map(str, rest))},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (found.returncode, found.stdout) == (0, REACHED), found.stderr


@pytest.mark.slow
def test_production_that_is_allowed(run):
    """Then there are faults."""
    allowed = {"APP_ENV": "production", "FAULTINJECT_PRODUCTION": "allow", "FAULTINJECT_EXPIRES": "1h"}
    code, out, error = run("--", sys.executable, "-c", LOADED, **allowed)
    assert (code, out, "untouched" in error) == (0, "['faultinject', 'wrapt']\n", False)
