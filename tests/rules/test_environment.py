"""The variables: what each means, what is refused, and what is read while off."""

import re
import subprocess
import sys
from operator import attrgetter

from faultinject import Rule, Scenario
from faultinject.exceptions import ConfigurationError
from faultinject.rules.environment import read_environment
from faultinject.rules.names import VARIABLES
from tests.refusals import refusal
from tests.rows import each_row

NOW = 1_000_000_000.0
ON = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "http:503"}


def as_dict(environment):
    return {name: getattr(environment, name) for name in environment.__slots__}


DEFAULTS = {
    "abort": None,
    "enabled": None,
    "scenario": None,
    "seed": None,
    "header": True,
    "endpoints": (),
    "store": None,
    "watch": None,
    "session": None,
    "journal": None,
    "max_active": 100,
    "on_request": False,
    "expires": None,
    "control": None,
    "production_allowed": False,
    "elsewhere": "",
}


ENABLED = {"FAULTINJECT_ENABLED": "1"}


@each_row(
    ("environ", "said"),
    [
        # It may be on, off, and empty, which is unset.
        *(
            ({**ON, "FAULTINJECT_ENABLED": text}, {"enabled": said})
            for said, texts in ((True, ("1", "true", "on", "yes", "TRUE", ' "1" ')), (False, ("0", "false", "off", "no", "No")), (None, ("", "  ", '""')))
            for text in texts
        ),
        # With a control API no rule is needed at the start; without it, its variables do nothing.
        ({**ENABLED, "FAULTINJECT_CONTROL": "/_faultinject"}, {"scenario": Scenario([]), "control.path": "/_faultinject"}),
        ({**ON, "FAULTINJECT_TOKEN": "x", "FAULTINJECT_CONTROL_REMOTE": "?"}, {"control": None}),
        # A session switches on, unless it is switched off, and no rule need be there.
        ({"FAULTINJECT_SESSION": "x", "FAULTINJECT_ENABLED": "0"}, {"enabled": False}),
        ({"FAULTINJECT_SESSION": "x"}, {"enabled": True, "session": "x", "scenario": Scenario([])}),
        # Kubernetes makes variables for a Service named faultinject.
        *(
            ({**ON, f"FAULTINJECT_{name}": "tcp://10.0.0.1:80"}, {"enabled": True})
            for name in ("SERVICE_HOST", "SERVICE_PORT_HTTP", "PORT", "PORT_80_TCP_ADDR")
        ),
        # Faults end after a duration from process start, or at a time, also one that has passed.
        *(
            ({**ON, "FAULTINJECT_EXPIRES": text}, {"expires": expires})
            for text, expires in (
                ("90s", NOW + 90), ("1.5m", NOW + 90), ("2001-09-09T01:47:00Z", NOW + 20), ("20010909T014700Z", NOW + 20),
                ("2001-09-09T03:47:00+02:00", NOW + 20), ("2000-01-01T00:00:00Z", 946684800.0),
            )
        ),
        # Of quotes only a pair is taken off, one at each end.
        ({**ON, "FAULTINJECT_SEED": '"'}, {"seed": '"'}),
        # Production is allowed for 24 hours at most from now, also until a moment.
        ({**ON, "FAULTINJECT_PRODUCTION": "allow", "FAULTINJECT_EXPIRES": "2001-09-10T01:46:40Z"}, {"production_allowed": True, "expires": NOW + 86400}),
        # Rules of variables stand in the order of their names: numbers as numbers, and before letters.
        ({**ENABLED, **{f"FAULTINJECT_RULE_{each}": "http:503" for each in ("A", "10", "9", "A10", "A9")}}, {"scenario.rules": tuple(Rule("http:503", name=each) for each in ("9", "10", "a", "a9", "a10"))}),
        # Where requests may ask no rule is needed.
        ({**ENABLED, "FAULTINJECT_ON_REQUEST": "yes"}, {"on_request": True, "scenario": Scenario()}),
        ({**ON, "FAULTINJECT_ON_REQUEST": "0"}, {"on_request": False}),
    ],
)  # fmt: skip
def test_what_is_right(environ, said):
    """The settings have each variable's meaning."""
    found = read_environment(environ, now=NOW)
    assert {name: attrgetter(name)(found) for name in said} == said


def test_while_off_nothing_else_is_read():
    """Whatever the other variables say."""
    wrong = dict.fromkeys([*VARIABLES, "FAULTINJECT_NONSENSE"], "nonsense")
    del wrong["FAULTINJECT_ENABLED"], wrong["FAULTINJECT_SESSION"]
    assert as_dict(read_environment(wrong, now=NOW)) == DEFAULTS
    off = {**wrong, "FAULTINJECT_ENABLED": "0", "FAULTINJECT_SESSION": "x"}
    assert as_dict(read_environment(off, now=NOW, forced=True)) == {**DEFAULTS, "enabled": False}


def test_everything_that_can_be_said():
    """Each variable in its place."""
    environ = {
        "FAULTINJECT_ENABLED": "yes",
        "FAULTINJECT_RULES": '"http:503,times=1 http:504"',
        "FAULTINJECT_RULE_PHOTOS_PUT": "'http:505'",
        "FAULTINJECT_SEED": "42",
        "FAULTINJECT_ABORT": "5xx>5%/1m, min=50",
        "FAULTINJECT_HEADER": "0",
        "FAULTINJECT_ENDPOINT": ".Storage.Example, cos.*.internal oss-*.shop_1.example S3.Storage.Example.com.",
        "FAULTINJECT_STORE": "file:/tmp/store",
        "FAULTINJECT_SESSION": "/tmp/session",
        "FAULTINJECT_JOURNAL": "/tmp/journal.jsonl",
        "FAULTINJECT_MAX_ACTIVE": "5",
        "FAULTINJECT_WATCH": "0",
        "FAULTINJECT_EXPIRES": "24h",
        "FAULTINJECT_PRODUCTION": "allow",
        "FAULTINJECT_CONTROL": "localhost:8765",
        "FAULTINJECT_TOKEN": "open-sesame-to-all",
        "FAULTINJECT_CONTROL_HOSTS": "Staging.Example",
        "FAULTINJECT_CONTROL_REMOTE": "allow",
        "PATH": "/bin",
    }
    environment = read_environment(environ, now=NOW + 5, started=lambda: NOW)
    control = environment.control
    assert (control.host, control.port, control.tokens[""], control.hosts, control.remote) == (
        "localhost",
        8765,
        "open-sesame-to-all",
        ("staging.example",),
        True,
    )
    bound = "5xx>5%/1m,min=50"
    assert as_dict(environment) == {
        "abort": bound,
        "enabled": True,
        "scenario": Scenario(
            [Rule("http:503", times=1), Rule("http:504"), Rule("http:505", name="photos-put")],
            seed=42,
            abort=bound,
        ),
        "seed": "42",
        "header": False,
        "endpoints": ("s3.storage.example.com", "cos.*.internal", "oss-*.shop_1.example", "storage.example"),
        "store": "file:/tmp/store",
        "watch": False,
        "session": "/tmp/session",
        "journal": "/tmp/journal.jsonl",
        "max_active": 5,
        "on_request": False,
        "expires": NOW + 86400,
        "control": control,
        "production_allowed": True,
        "elsewhere": "",
    }


def test_the_stores_password_is_not_shown():
    """The settings may stand in a traceback, without the control API's token too."""
    variables = {"STORE": "redis://u:secret@cache/1", "CONTROL": "localhost:1", "TOKEN": "open-sesame"}
    environ = {**ON, **{f"FAULTINJECT_{name}": value for name, value in variables.items()}}
    environment = read_environment(environ, now=NOW)
    assert environment.store == variables["STORE"]
    assert repr(environment).startswith("Environment(enabled=True")
    assert not {"secret", "open-sesame"} & {*re.findall(r"[\w-]+", repr(environment))}


def test_empty_is_unset_for_every_variable():
    """As compose files leave variables."""
    environ = {
        **dict.fromkeys(
            [
                *VARIABLES,
                "FAULTINJECT_RULE_X",
                "FAULTINJECT_CONTROL",
                "FAULTINJECT_SESSION",
                "FAULTINJECT_NONSENSE",
            ],
            "",
        ),
        **ON,
    }
    assert as_dict(read_environment(environ, now=NOW)) == {
        **DEFAULTS,
        "enabled": True,
        "scenario": Scenario("http:503"),
    }


def test_file_rules_and_named_rules_stand_in_this_order(tmp_path):
    """Names sorted, digits as numbers; SEED overrides the file's; `name` above the variable's."""
    file = tmp_path / "rules.toml"
    file.write_text('seed = 1\n[[rules]]\nfault = "http:500"\n')
    environ = {
        "FAULTINJECT_ENABLED": "1",
        "FAULTINJECT_RULE_B10": "http:505",
        "FAULTINJECT_RULE_B9": "http:504",
        "FAULTINJECT_RULE_A": "http:503,name=mine",
        "FAULTINJECT_RULES": "http:501 http:502",
        "FAULTINJECT_FILE": str(file),
    }
    scenario = read_environment(environ, now=NOW).scenario
    assert [(each.fault, each.name) for each in scenario.rules] == [
        ("http:500", None),
        ("http:501", None),
        ("http:502", None),
        ("http:503", "mine"),
        ("http:504", "b9"),
        ("http:505", "b10"),
    ]
    assert (scenario.seed, read_environment({**environ, "FAULTINJECT_SEED": "2"}, now=NOW).seed) == ("1", "2")


def test_rules_in_code_leave_the_variables_of_rules_unread():
    """But SEED and all others count."""
    environ = {
        "FAULTINJECT_RULES": "nonsense",
        "FAULTINJECT_FILE": "absent",
        "FAULTINJECT_RULE_X": "y",
        "FAULTINJECT_SEED": "7",
        "FAULTINJECT_MAX_ACTIVE": "1",
    }
    environment = read_environment(environ, now=NOW, rules_given=True, forced=True)
    assert as_dict(environment) == {**DEFAULTS, "enabled": True, "seed": "7", "max_active": 1}
    assert read_environment({}, now=NOW, rules_given=True).enabled is None


WRONG = [
    # variables, message
    ({"FAULTINJECT_ENABLED": "maybe"}, "FAULTINJECT_ENABLED: maybe is not yes or no; use 1 or 0"),
    (
        {"FAULTINJECT_ENABLED": "1"},
        (
            "faultinject is on and has no rule: set FAULTINJECT_RULES, such as "
            "FAULTINJECT_RULES=cos:SlowDown,probability=0.1"
        ),
    ),
    (
        {**ON, "FAULTINJECT_RULES": "cos:Slowdown"},
        (
            "FAULTINJECT_RULES: cos:Slowdown is not a documented error of cos; did you mean "
            "cos:SlowDown?\n  cos:Slowdown\n  ^^^^^^^^^^^^"
        ),
    ),
    (
        {**ON, "FAULTINJECT_RULES": "http:503 http:504,probability=1.5"},
        "FAULTINJECT_RULES: rule 2: probability: 1.5 is not between 0 and 1\n"
        "  http:503 http:504,probability=1.5\n"
        "                                ^^^",
    ),
    ({**ON, "FAULTINJECT_FILE": "absent.toml"}, "FAULTINJECT_FILE: absent.toml: there is no such file"),
    (
        {**ON, "FAULTINJECT_PROBABILITY": "1"},
        f"FAULTINJECT_PROBABILITY is not a variable of faultinject; there are {', '.join(VARIABLES)}",
    ),
    *(
        (
            {**ON, f"FAULTINJECT_{name}": "1"},
            f"FAULTINJECT_{name} is not a variable of faultinject; there are {', '.join(VARIABLES)}",
        )
        for name in ("TIMEOUT", "DEBUG", "X", "MIDDLEWARE")
    ),
    *(
        (
            {**ON, f"FAULTINJECT_{name}": "1"},
            f"FAULTINJECT_{name} is not a variable of faultinject; did you mean FAULTINJECT_{near}?",
        )
        for name, near in (("EXPIRE", "EXPIRES"), ("MAX", "MAX_ACTIVE"), ("ENDPOINTS", "ENDPOINT"))
    ),
    (
        {**ON, "FAULTINJECT_RULLES": "1"},
        "FAULTINJECT_RULLES is not a variable of faultinject; did you mean FAULTINJECT_RULES?",
    ),
    (
        {**ON, "FAULTINJECT_RULE": "1"},
        "FAULTINJECT_RULE is not a variable of faultinject; did you mean FAULTINJECT_RULES?",
    ),
    (
        {**ON, "FAULTINJECT_RULE_X": "http:503 http:504"},
        "FAULTINJECT_RULE_X: this names one rule and holds 2; FAULTINJECT_RULES takes several",
    ),
    (
        {**ON, "FAULTINJECT_RULE_X": ";"},
        "FAULTINJECT_RULE_X: this names one rule and holds 0; FAULTINJECT_RULES takes several",
    ),
    (
        {**ON, "FAULTINJECT_RULE_X": "http:1"},
        "FAULTINJECT_RULE_X: http:1 is not http: and a status from 400 to 599\n  http:1\n  ^^^^^^",
    ),
    ({**ON, "FAULTINJECT_RULE__X": "http:503"}, "FAULTINJECT_RULE__X: -x is not a name for a rule"),
    (
        {**ON, "FAULTINJECT_RULE_X": "http:503", "FAULTINJECT_RULE_x": "http:503"},
        "FAULTINJECT_RULE_x: x is already the name of FAULTINJECT_RULE_X; names must be unique",
    ),
    (
        {**ON, "FAULTINJECT_RULES": "http:503 http:504,name=x", "FAULTINJECT_RULE_X": "http:505"},
        "FAULTINJECT_RULE_X: x is already the name of rule 2 (FAULTINJECT_RULES); names must be unique",
    ),
    (
        {**ON, "FAULTINJECT_RULE_A": "http:503,name=x", "FAULTINJECT_RULE_B": "http:504,name=x"},
        "FAULTINJECT_RULE_B: name: x is already the name of FAULTINJECT_RULE_A; names must be unique\n"
        "  http:504,name=x\n"
        "                ^",
    ),
    ({**ON, "FAULTINJECT_SEED": "\udcff"}, "FAULTINJECT_SEED: not valid Unicode"),
    ({**ON, "FAULTINJECT_HEADER": "x"}, "FAULTINJECT_HEADER: x is not yes or no"),
    ({**ON, "FAULTINJECT_MAX_ACTIVE": "-1"}, "FAULTINJECT_MAX_ACTIVE: -1 is not a whole number of 0 or more"),
    (
        {**ON, "FAULTINJECT_STORE": "memory"},
        (
            "FAULTINJECT_STORE: memory is not a store; use memory: or file:DIRECTORY or "
            "redis://HOST; did you mean memory:?"
        ),
    ),
    (
        {**ON, "FAULTINJECT_STORE": "file:"},
        "FAULTINJECT_STORE: file: needs a directory, such as file:/tmp/faults",
    ),
    (
        {**ON, "FAULTINJECT_ENDPOINT": "a.b https://x.y"},
        (
            "FAULTINJECT_ENDPOINT: https://x.y is not a host suffix such as storage.example.com, "
            "without scheme, port and path"
        ),
    ),
    (
        {**ON, "FAULTINJECT_ENDPOINT": "."},
        "FAULTINJECT_ENDPOINT: . is not a host suffix such as storage.example.com, without scheme, port and path",
    ),
    *(
        (
            {**ON, "FAULTINJECT_ENDPOINT": text},
            (
                f"FAULTINJECT_ENDPOINT: {text} is not a host suffix such as storage.example.com, "
                "without scheme, port and path"
            ),
        )
        for text in ("h:80", "a/b", "*", "*.*", "_", "é.example", "..")
    ),
    *(
        ({**ON, "FAULTINJECT_ENDPOINT": text}, f"FAULTINJECT_ENDPOINT: {text} has nothing between two dots")
        for text in ("storage..example.com", "..example.com", "example..")
    ),
    *(
        (
            {**ON, "FAULTINJECT_ENDPOINT": text},
            f"FAULTINJECT_ENDPOINT: {text} has a * that is neither a whole label nor the end of one, "
            "as in cos.*.example.com and oss-*.example.com",
        )
        for text in ("*oss.example.com", "cos.a*b.example.com", "s3**.example.com")
    ),
    ({**ON, "FAULTINJECT_EXPIRES": "5"}, "FAULTINJECT_EXPIRES: 5 has no unit; did you mean 5s?"),
    (
        {**ON, "FAULTINJECT_EXPIRES": "2030-01-31T12:00:00"},
        "FAULTINJECT_EXPIRES: 2030-01-31T12:00:00 has no zone; did you mean 2030-01-31T12:00:00Z?",
    ),
    (
        {**ON, "FAULTINJECT_EXPIRES": "12:00"},
        "FAULTINJECT_EXPIRES: 12:00 is not a duration such as 2h or an ISO time with zone such as 2030-01-31T12:00:00Z",
    ),
    *(
        (
            {**ON, "FAULTINJECT_EXPIRES": text},
            (
                f"FAULTINJECT_EXPIRES: {text} is not a duration such as 2h or an ISO time with zone "
                "such as 2030-01-31T12:00:00Z"
            ),
        )
        for text in ("tomorrow", "2d", "-5s", "h")
    ),
    *(
        (
            {**ON, "FAULTINJECT_ONLY_WHERE": text},
            f"FAULTINJECT_ONLY_WHERE: {text} is not NAME=value, such as APP_ENV=staging",
        )
        for text in ("staging", "=staging", "APP_ENV=")
    ),
    ({**ON, "FAULTINJECT_PRODUCTION": "yes"}, "FAULTINJECT_PRODUCTION: yes is not allow"),
    (
        {**ON, "FAULTINJECT_PRODUCTION": "allow"},
        "FAULTINJECT_PRODUCTION: allow needs FAULTINJECT_EXPIRES of at most 24h",
    ),
    (
        {**ON, "FAULTINJECT_PRODUCTION": "allow", "FAULTINJECT_EXPIRES": "25h"},
        "FAULTINJECT_PRODUCTION: allow needs FAULTINJECT_EXPIRES of at most 24h",
    ),
    (
        {**ON, "FAULTINJECT_PRODUCTION": "allow", "FAULTINJECT_EXPIRES": "2001-09-10T01:46:41Z"},
        "FAULTINJECT_PRODUCTION: allow needs FAULTINJECT_EXPIRES of at most 24h",
    ),
]


@each_row(("environ", "message"), WRONG)
def test_a_wrong_variable_is_refused_in_exact_words(environ, message):
    """With its name."""
    assert str(refusal(read_environment, environ, now=NOW)) == message


def test_a_name_of_the_file_and_of_a_variable(tmp_path, monkeypatch):
    """A name is unique across the file and the variables, and both places are told."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.toml").write_text('[[rules]]\nfault = "http:503"\nname = "x"\n')
    environ = {**ON, "FAULTINJECT_FILE": "rules.toml", "FAULTINJECT_RULE_X": "http:504"}
    assert str(refusal(read_environment, environ, now=NOW)) == (
        "FAULTINJECT_RULE_X: x is already the name of rules[0] (FAULTINJECT_FILE: rules.toml:3); names must be unique"
    )


@each_row("variable", ["FAULTINJECT_DEMO_SERVICE_HOST", "FAULTINJECT_DEMO_PORT_80_TCP"])
def test_a_service_of_another_name_is_not_guessed_at(variable):
    """A variable of ours may be spelt so by a slip; `enableServiceLinks: false` keeps them away."""
    refused = refusal(read_environment, {**ON, variable: "tcp://10.0.0.1:80"}, now=NOW)
    assert str(refused).startswith(f"{variable} is not a variable of faultinject")


def test_every_mistake_is_told_at_once():
    """Of all variables."""
    environ = {
        **ON,
        "FAULTINJECT_RULES": "http:1",
        "FAULTINJECT_HEADER": "x",
        "FAULTINJECT_STORE": "file",
        "FAULTINJECT_SEEED": "1",
    }
    error = refusal(read_environment, environ, now=NOW)
    assert type(error) is ConfigurationError
    assert [each.where or each.message for each in error.problems] == [
        "FAULTINJECT_SEEED is not a variable of faultinject; did you mean FAULTINJECT_SEED?",
        "FAULTINJECT_RULES",
        "FAULTINJECT_HEADER",
        "FAULTINJECT_STORE",
    ]


def test_reading_rules_from_text_loads_nothing_heavy():
    """Reading rules from text imports nothing slow, because start-up time is a goal.

    Each of these costs milliseconds in a process that is switched on and has not loaded it itself.
    """
    script = (
        "import sys; before = set(sys.modules);"
        "from faultinject.rules.environment import read_environment;"
        "read_environment({'FAULTINJECT_ENABLED': '1', 'FAULTINJECT_RULES': 'http:503,delay=1s,path=a/**'}, now=0);"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = "json tomllib difflib urllib http email asyncio threading decimal ipaddress datetime logging csv"
    assert "faultinject.rules.rule" in loaded
    assert sorted({each.partition(".")[0] for each in loaded} & set(heavy.split())) == []


@each_row(
    ("environ", "said"),
    [
        ({"FAULTINJECT_ON_REQUEST": "maybe"}, "FAULTINJECT_ON_REQUEST: maybe is not yes or no"),
        (
            {"FAULTINJECT_ON_REQUEST": "1", "FAULTINJECT_HEADER": "0"},
            "FAULTINJECT_ON_REQUEST: a cache might keep an answer without Cache-Control, and give it to others;"
            " leave FAULTINJECT_HEADER=0 out",
        ),
        (
            {
                "FAULTINJECT_ON_REQUEST": "1",
                "FAULTINJECT_PRODUCTION": "allow",
                "FAULTINJECT_EXPIRES": "1h",
                "STAGE": "live",
            },
            (
                "FAULTINJECT_ON_REQUEST: STAGE=live looks like production, where no client may ask "
                "for faults; leave it out"
            ),
        ),
    ],
)
def test_where_requests_may_not_ask(environ, said):
    """In production, however much is allowed there, and where a cache might keep what they got."""
    assert str(refusal(read_environment, {**ON, **environ}, now=NOW)) == said
    allowed = {**ON, **environ, "FAULTINJECT_ON_REQUEST": "0"}
    assert read_environment(allowed, now=NOW).on_request is False
