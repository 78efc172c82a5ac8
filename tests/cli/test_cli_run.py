"""`faultinject run` in this process, until the command replaces it; `tests/hooks` goes on."""

import os
import sys
import tempfile
import venv
from pathlib import Path

import pytest

import faultinject
from tests.rows import each_row

RULE = "cos:SlowDown,times=3"
PAST = "2020-01-01T00:00:00Z"


@pytest.fixture
def became(tmp_path, monkeypatch):
    """The program, arguments and environment that replaced the process."""
    found = []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def execve(program, arguments, environ):
        found.append((program, arguments, dict(environ)))
        assert ("FAULTINJECT_SESSION" in environ) == len([*tmp_path.glob("faultinject-*/*/")])
        raise SystemExit(0)  # this process is no more

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.delattr(
        os, "pidfd_open", raising=False
    )  # else another process would watch this one to its end
    return found


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
    "elsewhere": (
        ("-r", RULE),
        {"FAULTINJECT_ONLY_WHERE": "APP_ENV=staging"},
        "faults are only where APP_ENV=staging (FAULTINJECT_ONLY_WHERE), and APP_ENV is not set here",
    ),
    "expired": (
        ("-r", RULE),
        {"FAULTINJECT_EXPIRES": PAST},
        "FAULTINJECT_EXPIRES has passed; set a later one",
    ),
    "no rule": ((), {}, "there is no rule: give one, such as -r cos:SlowDown,times=2"),
    "no rule, on": ((), {"FAULTINJECT_ENABLED": "1"}, None),
    "rules of the environment": ((), {"FAULTINJECT_RULES": RULE, "FAULTINJECT_ENABLED": "0"}, None),
    "a journal": (("--journal", "/no/such/journal"), {"FAULTINJECT_HEADER": "0"}, None),
}


@pytest.mark.parametrize("why", OFF)
def test_untouched(run, became, why):
    """Without faults it becomes the command, nothing is prepared, and one line says why."""
    given, variables, says = OFF[why]
    before = dict(os.environ)
    code, _, error = run("run", *given, "--", sys.executable, "-V", env=variables)
    assert (code, became) == (0, [(sys.executable, [sys.executable, "-V"], before | variables)])
    assert error == SAYS.format(sys.executable, says) or (says is None and "runs untouched" in error)
    assert error.count("\n") == 1


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
        (["ls"], ("-r", RULE, "--strict"), {"FAULTINJECT_ONLY_WHERE": "A=b"}, "faults are only where A=b"),
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
def test_wrong_use(refused, became, command, given, variables, says):
    """Exit code 2, the reason, no traceback, and the command does not run."""
    assert says in refused("run", *given, *command, env=variables)
    assert became == []


def test_a_journal(run, became, tmp_path):
    """It is made before anything starts, and named by its whole path."""
    path = tmp_path / "journal"
    given = ("-r", "http:500", "--journal", os.path.relpath(path))
    assert run("run", *given, "--", sys.executable, env={"FAULTINJECT_JOURNAL": "other"})[0] == 0
    [(_, _, environ)] = became
    assert (environ["FAULTINJECT_JOURNAL"], path.read_text()) == (str(path), "")


def ours(environ):
    """The command's faultinject variables; of a file's name the part before it."""
    found = {name: value for name, value in environ.items() if name.startswith("FAULTINJECT_")}
    return found | {"FAULTINJECT_RUN": found["FAULTINJECT_RUN"].partition(":")[0]}


def test_a_session(run, became, tmp_path):
    """The variables of rules are replaced by one, the others stay."""
    env = {"FAULTINJECT_RULES": "http:500", "FAULTINJECT_RULE_A": "http:501", "FAULTINJECT_HEADER": "0"}
    code, *_ = run("run", "--seed", "s", "--", sys.executable, "-V", env=env)
    [(program, arguments, environ)] = became
    assert (code, program, arguments) == (0, sys.executable, [sys.executable, "-V"])
    assert ours(environ).keys() == {"FAULTINJECT_SESSION", "FAULTINJECT_HEADER", "FAULTINJECT_RUN"}
    first, *rest = environ["PYTHONPATH"].split(os.pathsep)
    assert (Path(first) / "sitecustomize.py").is_file()
    others, folder = os.environ.get("PYTHONPATH", ""), Path(environ["FAULTINJECT_SESSION"]).parent.parent
    assert (os.pathsep.join(rest), folder) == (others, tmp_path)


HOOKS = str(Path(faultinject.__file__).with_name("hooks"))


@pytest.mark.parametrize(
    ("given", "path"),
    [
        # An empty element is the current directory, and stays; an empty value is none.
        (":other", f"{HOOKS}::other"),
        ("other:", f"{HOOKS}:other:"),
        ("other::more", f"{HOOKS}:other::more"),
        (":", f"{HOOKS}::"),
        ("", HOOKS),
        # The hooks stand first, and once.
        (f"a:{HOOKS}:other", f"{HOOKS}:a:other"),
        (None, HOOKS),
    ],
)
def test_the_path(run, became, given, path):
    """Other elements of the path keep their places."""
    assert run("run", "-r", "http:500", "--", sys.executable, env={"PYTHONPATH": given})[0] == 0
    assert became[0][2]["PYTHONPATH"] == path


def test_a_named_store(run, became):
    """No session: the rules are told, in their own words."""
    rules = ("cos:SlowDown,times=3,path=photos/", 'http:500,header.x="a b",name=second')
    given = [word for each in rules for word in ("-r", each)]
    env = {"FAULTINJECT_STORE": "memory:", "FAULTINJECT_SESSION": "/nowhere", "FAULTINJECT_FILE": "x.toml"}
    assert run("run", "--seed", "s", *given, "--", sys.executable, env=env)[0] == 0
    [(_, _, environ)] = became
    assert ours(environ) == {
        "FAULTINJECT_ENABLED": "1",
        "FAULTINJECT_RUN": "1",
        "FAULTINJECT_RULES": 'cos:SlowDown,path=photos/,times=3\nhttp:500,header.x="a b",name=second',
        "FAULTINJECT_SEED": "s",
        "FAULTINJECT_STORE": "memory:",
    }


def test_no_place_for_files(run, became, monkeypatch):
    """Without writable files a store on a server works; options that need a file are refused."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", list)
    given = ("-r", "http:500", "--", sys.executable)
    env = {"FAULTINJECT_STORE": "redis://127.0.0.1:1"}
    assert (run("run", *given, env=env)[0], became[0][2]["FAULTINJECT_RUN"]) == (0, "1:")
    for more, others in ((("--strict",), env), ((), {})):
        code, _, err = run("run", *more, *given, env=others)
        assert (code, "No usable temporary directory" in err) == (2, True)
    assert len(became) == 1


@pytest.mark.parametrize("more", [{"FAULTINJECT_STORE": "memory:"}, {"FAULTINJECT_CONTROL": "/_faultinject"}])
@pytest.mark.parametrize(
    ("words", "env", "abort"),
    [
        (("--file", "{}"), {}, "5xx>5%/1m"),
        ((), {"FAULTINJECT_FILE": "{}"}, "5xx>5%/1m"),
        (("--file", "{}"), {"FAULTINJECT_ABORT": "5xx>9%/1m"}, "5xx>9%/1m"),
        ((), {"FAULTINJECT_FILE": "{}", "FAULTINJECT_ABORT": ""}, "5xx>5%/1m"),
    ],
)
def test_the_bound_of_a_file(run, became, tmp_path, more, words, env, abort):
    """The command gets `abort` of the file too, even with shared counts or a control API.

    Otherwise faults would go on that have to end.
    """
    path = tmp_path / "rules.toml"
    path.write_text('abort = "5xx>5%/1m"\nseed = "file"\n[[rules]]\nfault = "http:500"\n')
    env = {name: text.format(path) for name, text in env.items()} | more | {"FAULTINJECT_SEED": "other"}
    assert run("run", *(each.format(path) for each in words), "--", sys.executable, env=env)[0] == 0
    environ = became[0][2]
    assert environ.get("FAULTINJECT_ABORT") == env.get("FAULTINJECT_ABORT"), (
        "it would override what the API sets"
    )
    assert (faultinject.Scenario.from_env(environ).abort, environ["FAULTINJECT_SEED"]) == (
        abort,
        "file" if words else "other",
    )


def test_a_control_api(run, became, tmp_path):
    """With a control API there is no session: the processes share a store in a private folder.

    So its changes hold in all processes.
    """
    env = {"FAULTINJECT_CONTROL": "/_faultinject", "FAULTINJECT_RULES": "http:500,times=2"}
    for _ in range(2):
        assert run("run", "--seed", "s", "--", sys.executable, env=env)[0] == 0
    stores = [environ.pop("FAULTINJECT_STORE") for _, _, environ in became]
    assert [ours(environ) for _, _, environ in became] == [
        {
            "FAULTINJECT_CONTROL": "/_faultinject",
            "FAULTINJECT_ENABLED": "1",
            "FAULTINJECT_RULES": "http:500,times=2",
            "FAULTINJECT_RUN": "1",
            "FAULTINJECT_SEED": "s",
        }
    ] * 2
    places = {Path(each.removeprefix("file:")) for each in stores}
    assert len(places) == 2, "each command has its own"
    found = {(each.parent.parent, each.name.partition("-")[0]) for each in places}
    assert found == {(tmp_path, str(os.getpid()))}


PYTHON = sys.executable
REACHED = {
    f"#!{PYTHON} -S\n": False,
    f"#!/usr/bin/env -S {PYTHON} -ES\n": False,
    f"#!{PYTHON} -uS\n": False,
    f"#!{PYTHON} -W ignore -S\n": False,
    f"#!{PYTHON} -uX utf8 -S\n": False,
    f"#!{PYTHON} -Wignore::SyntaxWarning\n": True,
    f"#!{PYTHON} -Ximporttime=S -Wignore -Em http.server -S\n": True,
    f"#!/bin/sh\n'''exec' \"{PYTHON}\" -S \"$0\" \"$@\"\n' '''\n": False,
    f"#!{PYTHON} -Wignore -c pass -S\n": True,
    f"#!{PYTHON} -W\n": True,
    "#!/bin/sh\necho it's not python\n": True,
    "#!/bin/sh\n: /nowhere/python\n": True,
    "#!/bin/sh\n# nothing\n": True,
    "#!/usr/bin/env python3\n": True,
    '#!/bin/sh\n"exec" "/a/long/path/python" "$0" "$@"\n': True,
    "#!/bin/sh\n": True,
}


@each_row("text", REACHED)
def test_what_runs_a_script_is_known(run, became, tmp_path, monkeypatch, text):
    """A script's first lines show its Python: without site there is a warning, or a refusal.

    `--strict` refuses it; if they show nothing, nothing is refused, and what is no Python is named.
    """
    became.clear()
    monkeypatch.setenv("PATH", str(Path(PYTHON).parent), prepend=os.pathsep)
    program = tmp_path / "program"
    program.write_text(text)
    program.chmod(0o755)
    code, _, err = run("run", "-r", "http:500", "--", str(program))
    assert (code, len(became), "nothing is injected in" not in err) == (0, 1, REACHED[text])
    assert ("is not Python: only" in err) is (text in ("#!/bin/sh\n# nothing\n", "#!/bin/sh\n"))
    code, _, err = run("run", "--strict", "-r", "http:500", "--", str(program))
    assert (code, len(became), "without -S" not in err) == ((0, 2, True) if REACHED[text] else (2, 1, False))


@pytest.mark.parametrize(
    ("words", "reached"),
    [
        # Options behind `-c` and `-m` are not Python's; `--strict` refuses a Python without site.
        ([PYTHON, "-S", "-m", "platform", "--terse"], False),
        ([PYTHON, "-I", "-m", "gunicorn", "--workers", "2"], True),
        ([PYTHON, "-c", "pass", "-S"], True),
        ([PYTHON, "-S", "--no-such-option"], False),
        # A server with a Python in it is one.
        (["{folder}/uwsgi"], True),
    ],
)
def test_what_is_a_python_with_site(run, became, tmp_path, words, reached):
    """By its name, and by its own options."""
    (tmp_path / "uwsgi").touch(0o755)
    words = [each.format(folder=tmp_path) for each in words]
    code, _, err = run("run", "--strict", "-r", "http:500", "--", *words)
    assert (code, len(became), "without -S" in err) == ((0, 1, False) if reached else (2, 0, True))
    assert "is not Python" not in err


def test_a_python_without_the_package(run, refused, became, tmp_path, monkeypatch):
    """Only `--strict` asks it; otherwise it says so itself as it starts."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    python = str(tmp_path / "bare" / "bin" / "python")
    assert run("run", "-r", "http:500", "--", python)[0] == 0
    err = refused("run", "--strict", "-r", "http:500", "--", python)
    told = f"faultinject: nothing is injected in {python}: {python} has no faultinject; install it there\n"
    assert (err, len(became)) == (told, 1)
