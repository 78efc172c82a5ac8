"""`faultinject check`: rules in words and in numbers, one request, the environment."""

import json

import pytest
from werkzeug.test import Client

from faultinject import WSGIFaultMiddleware
from tests.asking import app
from tests.rows import each_row


def test_a_file_and_rules(run, refused, tmp_path):
    """Rules of a file come first; a mistake in it is told with its line."""
    file = tmp_path / "rules.toml"
    file.write_text('seed = 4\n[[rules]]\nfault = "http:500"\nname = "filed"\n')
    code, out, _ = run("check", "--file", str(file), "http:503", "--json")
    data = json.loads(out)
    assert (code, [each["name"] for each in data["rules"]]) == (1, ["filed", "rule-2"])
    assert (data["rules"][1]["dead"], data["seed"]) == ("filed answers every request that it matches", "4")
    file.write_text('[[rules]]\nfault = "http:50"\n')
    err = refused("check", "--file", str(file), "x:y")
    assert f"{file}:2: rules[0].fault: http:50 is not http: and a status from 400 to 599" in err
    assert "'x' is not a vendor" in err
    file.write_text("seed = 1\n")
    told = f"faultinject: {file}: there is no rule: give one, such as 'cos:SlowDown,times=2'\n"
    assert run("check", "--file", file) == (2, "", told)


def test_a_request_is_read_and_replayed(succeeds):
    """The report has identity, bucket, key, operation, matching rules, and a seed's results."""
    rule, target = (
        "cos:SlowDown,probability=0.5,method=PUT",
        "/photos/1700000000.jpg?partNumber=2&uploadId=xyz",
    )
    client = Client(WSGIFaultMiddleware(app, rule, seed="2"))
    answers = [client.put(target).status_code for _ in range(5)]
    out = succeeds("check", rule, "http:500,method=GET", "--request", f"PUT {target}", "--seed", "2")
    drawn = ["the app" if each == 200 else "cos:SlowDown" for each in answers]
    assert {*answers} == {200, 503}
    assert out.partition("\n\n")[2].partition("\n\nEvery")[0] == (
        "PUT /photos/1700000000.jpg?partNumber=2&uploadId=xyz\n"
        "  identity   PUT /photos/~.jpg?partNumber=2\n"
        "  bucket     photos\n"
        "  key        1700000000.jpg\n"
        "  operation  UploadPart\n"
        "  matches    rule-1\n"
        f"  seed 2     {', '.join(drawn)}"
    )


@each_row(
    "rule",
    ["reset", "close,when=after", "hang", "truncate", "truncate,keep_bytes=5GiB", "drip,rate=1", "corrupt",
     "truncate,of=cos:SlowDown"],
)  # fmt: skip
def test_faults_of_the_connection_fire_for_a_request(succeeds, rule):
    """`--request` tells of them as of any other, at once, whatever the app's answer would be."""
    out = succeeds("check", f"{rule},times=2", "--request", "PUT /a/b", "--seed", "0", "--json")
    fault = rule if ",of=" in rule else rule.partition(",")[0]
    assert json.loads(out)["request"]["attempts"] == [fault, fault, None, None, None]


@pytest.mark.parametrize(
    "store", [" redis://user:secret-password@cache/2?prefix=a", "rediss://:secret-password@cache/2?prefix=a"]
)
@pytest.mark.parametrize("on", ["0", "1", None])
def test_secrets_are_not_shown(succeeds, on, store):
    """Neither the control API's token nor the store's password is shown.

    The output is copied into reports and logs.
    """
    env = {
        "FAULTINJECT_ENABLED": on,
        "FAULTINJECT_RULES": "http:503",
        "FAULTINJECT_CONTROL": "/control",
        "FAULTINJECT_TOKEN": "secret-token",
        "FAULTINJECT_STORE": store,
    }
    for options in ([], ["--json"]):
        out = succeeds("check", *options, env=env).replace("\\u2026", "…")
        shown = [each in out for each in ("FAULTINJECT_TOKEN", "://…@cache/2?prefix=a", "secret")]
        assert shown == [True, True, False]


def test_a_journal_that_cannot_be_written(succeeds, tmp_path):
    """A line says so, with the settings: the command may be elsewhere than the server."""
    env = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "http:503"}
    told = "journal              cannot be written here, so a server would refuse to start here"
    for directory, tells in ((tmp_path / "nowhere", True), (tmp_path, False)):
        out = succeeds("check", env={**env, "FAULTINJECT_JOURNAL": str(directory / "j.jsonl")})
        assert (told in out.splitlines(), (directory / "j.jsonl").exists()) == (tells, False)


def test_production_allowed(run):
    """Allowed for a while, it is fine, and said."""
    env = {"STAGE": "live", "FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "http:503"}
    code, out, _ = run("check", env={**env, "FAULTINJECT_PRODUCTION": "allow", "FAULTINJECT_EXPIRES": "1h"})
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    assert (code, lines[0]) == (0, ["faults", "on"])
    assert ["production", "STAGE=live looks like production: faults are allowed"] in lines
    [ends] = [line[1] for line in lines if line[:1] == ["expires"]]
    assert ends.endswith("+00:00, if it is started now")


@each_row(
    ("env", "off"),
    [
        (
            {"STAGE": "live", "FAULTINJECT_PRODUCTION": "allow", "FAULTINJECT_EXPIRES": "1h"}
            | {"FAULTINJECT_ONLY_WHERE": "APP_ENV=staging"},
            "faults are only where APP_ENV=staging (FAULTINJECT_ONLY_WHERE), and APP_ENV is not set here",
        ),
        ({"STAGE": "live"}, "STAGE=live looks like production"),
        ({"FAULTINJECT_EXPIRES": "2020-01-01T00:00Z"}, "FAULTINJECT_EXPIRES has passed"),
    ],
)
def test_where_nothing_is_injected_no_line_says_otherwise(run, env, off):
    """Chances are those of faults that are on, and production is not said to allow them."""
    rules = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "http:503,probability=0.2"}
    lines = [line.split(maxsplit=1) for line in run("check", env=rules | env)[1].splitlines()]
    assert lines[0] == ["faults", f"off: {off}"]
    assert [line[1] for line in lines if line[:1] == ["production"]] == [
        "STAGE=live looks like production: nothing is injected"
    ] * ("STAGE" in env)
    assert [line for line in lines if "attempt of a request" in " ".join(line)] == [
        ["If", "faults were on, every attempt of a request that the rule matches:"]
    ]


@each_row(
    ("mount", "target", "path", "bucket"),
    [
        ("/storage", "/storage/photos/cat.jpg", "storage/photos/", "photos"),
        ("/storage/", "/storage/photos/cat.jpg?x=1", "storage/photos/", "photos"),
        ("/ü", "/%C3%BC/photos/cat.jpg", "ü/photos/", "photos"),
        ("/a%20b", "/a b/photos/cat.jpg", "a b/photos/", "photos"),
        ("/", "/storage/photos/cat.jpg", "storage/photos/", "storage"),
    ],
)
def test_a_mounted_app(succeeds, mount, target, path, bucket):
    """Rules see the whole path of a mounted app, and read bucket and key below the mount.

    As `DispatcherMiddleware` calls it.
    """
    rule = f'http:503,path="{path}",bucket={bucket}'
    out = succeeds("check", rule, "--request", f"GET {target}", "--mount", mount, "--json")
    assert [each["bucket"] for each in json.loads(out)["request"]["read"]] == [bucket]
