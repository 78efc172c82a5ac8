"""`faultinject check`: rules in words and in numbers, one request, the environment."""

from __future__ import annotations

import json

import pytest

PHOTOS = "cos:SlowDown,probability=0.3,method=PUT,path=photos/,times=5"


def test_what_hardly_any_request_matches(run):
    """A method that HTTP does not know is legal, and most likely a slip of the pen: a warning, with the nearest."""
    code, out, _ = run("check", "http:503,method=PUTT,unless.method=GTE", "http:500")
    assert code == 0
    assert out.splitlines()[1:5] == [
        "    PUTT requests, except those whose method is GTE, get a plain 503 Service Unavailable.",
        "    Warning: method=PUTT: HTTP knows no such method; did you mean PUT?",
        "    Warning: unless.method=GTE: HTTP knows no such method; did you mean GET?",
        "rule-2  http:500",
    ]
    _, out, _ = run("check", "http:503,method=PUTT", "--json")
    data = json.loads(out)
    assert data["ok"]
    assert [each["warnings"] for each in data["rules"]] == [
        ["method=PUTT: HTTP knows no such method; did you mean PUT?"]
    ]


def test_a_file_and_rules(run, tmp_path):
    """Rules of a file come first; a mistake in it is told with its line."""
    file = tmp_path / "rules.toml"
    file.write_text('seed = 4\n[[rules]]\nfault = "http:500"\nname = "filed"\n')
    code, out, _ = run("check", "--file", str(file), "http:503", "--json")
    assert code == 1
    data = json.loads(out)
    assert [each["name"] for each in data["rules"]] == ["filed", "rule-2"]
    assert data["rules"][1]["dead"] == "filed answers every request that it matches"
    assert data["seed"] == "4"
    file.write_text('[[rules]]\nfault = "http:50"\n')
    code, out, err = run("check", "--file", str(file), "x:y")
    assert (code, out) == (2, "")
    assert f"{file}:2: rules[0].fault: http:50 is not http: and a status from 400 to 599" in err
    assert "'x' is not a vendor" in err


def test_a_file_without_rules(run, tmp_path):
    """A file that holds no rule is told, with its name."""
    (tmp_path / "rules.toml").write_text("seed = 1\n")
    code, out, err = run("check", "--file", str(tmp_path / "rules.toml"))
    assert (code, out) == (2, "")
    assert (
        err
        == f"faultinject: {tmp_path}/rules.toml: there is no rule: give one, such as 'cos:SlowDown,times=2'\n"
    )


def test_a_request_is_read_and_replayed(run):
    """Identity, bucket, key, operation, the rules that match, and what a seed gives its attempts."""
    code, out, err = run(
        *("check", "cos:SlowDown,probability=0.5,method=PUT", "http:500,method=GET"),
        *("--request", "PUT /photos/1700000000.jpg?partNumber=2&uploadId=xyz", "--seed", "2"),
    )
    assert (code, err) == (0, "")
    assert out.partition("\n\n")[2].partition("\n\nEvery")[0] == (
        "PUT /photos/1700000000.jpg?partNumber=2&uploadId=xyz\n"
        "  identity   PUT /photos/~.jpg?partNumber=2\n"
        "  bucket     photos\n"
        "  key        1700000000.jpg\n"
        "  operation  UploadPart\n"
        "  matches    rule-1\n"
        f"  seed 2     {', '.join(drawn('2'))}"
    )


def drawn(seed):
    """What five requests get from a wrapped app, one after another."""
    from werkzeug.test import Client

    from faultinject import WSGIFaultMiddleware

    app = WSGIFaultMiddleware(_app, "cos:SlowDown,probability=0.5,method=PUT", seed=seed)
    client = Client(app)
    answers = [client.put("/photos/1700000000.jpg?partNumber=2&uploadId=xyz").status_code for _ in range(5)]
    assert {200, 503} == set(answers)
    return ["the app" if each == 200 else "cos:SlowDown" for each in answers]


def _app(environ, start):
    start("200 OK", [])
    return []


def test_the_host_names_the_bucket(run):
    """With a Host below the vendor's endpoint, the whole path is the key."""
    code, out, _ = run(
        *("check", "cos:SlowDown", "--request", "HEAD /a/b", "--json"),
        *("--host", "photos-1250000000.cos.ap-guangzhou.myqcloud.com:80", "--seed", "0"),
    )
    assert code == 0
    assert json.loads(out)["request"] == {
        "method": "HEAD",
        "target": "/a/b",
        "host": "photos-1250000000.cos.ap-guangzhou.myqcloud.com:80",
        "read": [
            {
                "identity": "HEAD /photos-~/a/b",
                "bucket": "photos-1250000000",
                "key": "a/b",
                "operation": "HeadObject",
            }
        ],
        "matches": ["rule-1"],
        "attempts": ["cos:SlowDown"] * 5,
    }


def test_a_request_that_vendors_read_differently(run):
    """Where rules of several vendors read a request differently, each reading is shown."""
    host = "photos-1.cos.ap-guangzhou.myqcloud.com"
    _, out, _ = run(
        "check", "cos:SlowDown", "http:503,times=1", "--request", "/a/b", "--host", host, "--json"
    )
    assert [each["bucket"] for each in json.loads(out)["request"]["read"]] == ["photos-1", "a"]


def test_a_delay_is_not_waited_for(run):
    """Replaying a rule with an hour of delay costs no time."""
    _code, out, _ = run("check", "latency,delay=1h", "--request", "/a", "--seed", "0", "--json")
    assert json.loads(out)["request"]["attempts"] == ["latency"] * 5


def test_no_rule_for_the_request(run):
    """A request that no rule matches ends with 1."""
    code, out, err = run("check", "http:503,method=PUT", "--request", "GET /a\u202eb")
    assert (code, err) == (1, "")
    assert "  matches    no rule\n" in out
    assert "\u202e" not in out


@pytest.mark.parametrize(
    "rule",
    ["reset", "close,when=after", "hang", "truncate", "truncate,keep_bytes=5GiB", "drip,rate=1", "corrupt",
     "truncate,of=cos:SlowDown"],
)  # fmt: skip
def test_faults_of_the_connection_fire_for_a_request(run, rule):
    """`--request` tells of them as of any other, at once, whatever the app's answer would be."""
    code, out, err = run("check", f"{rule},times=2", "--request", "PUT /a/b", "--seed", "0", "--json")
    assert (code, err) == (0, "")
    fault = rule if ",of=" in rule else rule.partition(",")[0]
    assert json.loads(out)["request"]["attempts"] == [fault, fault, None, None, None]


def test_the_environment_on(run):
    """On: variables, seed and rules as a server would see them."""
    env = {
        "FAULTINJECT_ENABLED": "yes",
        "FAULTINJECT_RULES": "http:503,probability=0.5",
        "FAULTINJECT_SEED": "9",
    }
    code, out, err = run("check", env={**env, "FAULTINJECT_EXPIRES": "2h", "FAULTINJECT_HEADER": "0"})
    assert (code, err) == (0, "")
    lines = [line.split(maxsplit=1) for line in out.splitlines()[:9]]
    expires = lines.pop(7)
    assert expires[0] == "expires"
    assert expires[1].endswith("+00:00, if it is started now")
    assert lines == [
        ["faults", "on"],
        ["FAULTINJECT_ENABLED", "yes"],
        ["FAULTINJECT_EXPIRES", "2h"],
        ["FAULTINJECT_HEADER", "0"],
        ["FAULTINJECT_RULES", "http:503,probability=0.5"],
        ["FAULTINJECT_SEED", "9"],
        ["seed", "9"],
        ["marks", "none: no x-faultinject and no Cache-Control in injected answers"],
    ]
    assert "rule-1  http:503,probability=0.5\n" in out


@pytest.mark.parametrize("store", ["redis://user:hunter22@127.0.0.1:1/0", "rediss://:hunter22@h"])
@pytest.mark.parametrize("enabled", ["1", None])
def test_no_secret_of_the_environment_is_printed(run, store, enabled):
    """Neither the token of the control API nor the password of a store: what is printed is pasted into tickets."""
    env = {"FAULTINJECT_TOKEN": "open-sesame-22", "FAULTINJECT_STORE": store, "FAULTINJECT_CONTROL": "/_f"}
    env |= {"FAULTINJECT_RULES": "http:503"} | ({} if enabled is None else {"FAULTINJECT_ENABLED": enabled})
    for arguments in ((), ("--json",)):
        code, out, err = run("check", *arguments, env=env)
        assert (code, err) == (0, "")
        assert "FAULTINJECT_TOKEN" in out
        assert store.rpartition("@")[2] in out
        assert not [each for each in ("sesame", "hunter22") if each in out]


def test_the_environment_as_json(run):
    """The same as data."""
    env = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULE_PUTS": "http:503,method=PUT"}
    code, out, _ = run("check", "--json", env=env)
    data = json.loads(out)
    assert code == 0
    assert [each["name"] for each in data["rules"]] == ["puts"]
    assert data["environment"] == {
        "enabled": True,
        "switch": True,
        "variables": env,
        "seed": None,
        "abort": None,
        "production": None,
        "production_allowed": False,
        "expires": None,
        "header": True,
        "endpoints": [],
        "store": None,
        "journal": None,
        "max_active": 100,
        "on_request": False,
    }


@pytest.mark.parametrize("on", ["0", "1"])
def test_secrets_are_not_shown(run, on):
    """Neither the token of the control API nor the password of the store: what this says is copied into reports and logs."""
    env = {
        "FAULTINJECT_ENABLED": on,
        "FAULTINJECT_RULES": "http:503",
        "FAULTINJECT_CONTROL": "/control",
        "FAULTINJECT_TOKEN": "secret-token",
        "FAULTINJECT_STORE": " redis://user:secret-password@cache/2?prefix=a",
    }
    for options in ([], ["--json"]):
        code, out, err = run("check", *options, env=env)
        assert code == 0
        assert "secret" not in out + err
        assert "redis://…@cache/2?prefix=a" in out.replace("\\u2026", "…")


def test_an_expiry_that_has_passed(run):
    """The end of injection is told, and that nothing will be injected."""
    env = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "http:503"}
    _, out, _ = run("check", env={**env, "FAULTINJECT_EXPIRES": "2001-09-09T01:46:40Z"})
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    assert lines[0] == ["faults", "off: FAULTINJECT_EXPIRES has passed"]
    assert ["expires", "2001-09-09 01:46:40+00:00 has passed: nothing will be injected"] in lines


def test_faults_are_not_on_where_production_refuses_them(run):
    """The first line says what a server does, not what the switch says."""
    env = {"STAGE": "live", "FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "http:503"}
    code, out, _ = run("check", env=env)
    assert (code, out.splitlines()[0].split(maxsplit=1)) == (
        2,
        ["faults", "off: STAGE=live looks like production"],
    )


def test_production_allowed(run):
    """Allowed for a while, it is fine, and said."""
    env = {"STAGE": "live", "FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "http:503"}
    code, out, _ = run("check", env={**env, "FAULTINJECT_PRODUCTION": "allow", "FAULTINJECT_EXPIRES": "1h"})
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    assert (code, lines[0]) == (0, ["faults", "on"])
    assert ["production", "STAGE=live looks like production: faults are allowed"] in lines


def test_production_is_no_matter_while_off(run):
    """An app in production that has faults off is as it should be."""
    assert run("check", env={"ENV": "prod"})[0] == 0


def test_words_hide_what_does_not_print(run):
    """Text from a rule comes out escaped."""
    assert "\u202e" not in run("check", "http:503,path=a\u202eb")[1]


@pytest.mark.parametrize(
    ("mount", "target", "path", "bucket"),
    [
        ("/storage", "/storage/photos/cat.jpg", "storage/photos/", "photos"),
        ("/storage/", "/storage/photos/cat.jpg?x=1", "storage/photos/", "photos"),
        ("/ü", "/%C3%BC/photos/cat.jpg", "ü/photos/", "photos"),
        ("/a%20b", "/a b/photos/cat.jpg", "a b/photos/", "photos"),
        ("/", "/storage/photos/cat.jpg", "storage/photos/", "storage"),
    ],
)
def test_a_mounted_app(run, mount, target, path, bucket):
    """Its rules see the whole path, and read bucket and key below the mount point, as `DispatcherMiddleware` calls it."""
    rule = f'http:503,path="{path}",bucket={bucket}'
    code, out, err = run("check", rule, "--request", f"GET {target}", "--mount", mount, "--json")
    assert (code, err) == (0, "")
    [read] = json.loads(out)["request"]["read"]
    assert read["bucket"] == bucket


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--request", "/apple/a", "--mount", "/app"],
            "--mount: the path /apple/a does not begin with the mount",
        ),
        (
            ["--request", "/app/a", "--mount", "app"],
            "does not begin with the mount point app; give the whole path",
        ),
        (["--mount", "/app"], "--mount needs a request: add --request 'PUT /photos/cat.jpg'"),
    ],
)
def test_a_mount_point_that_cannot_be(run, arguments, said):
    """Exit code 2 and what would be right."""
    code, out, err = run("check", "http:503", *arguments)
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())
