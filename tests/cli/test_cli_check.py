"""`faultinject check`: rules in words and in numbers, one request, the environment."""

from __future__ import annotations

import json

import pytest

from faultinject import Rule
from faultinject.cli.descriptions import sentence

PHOTOS = "cos:SlowDown,probability=0.3,method=PUT,path=photos/,times=5"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("http:503", "All requests get a plain 503 Service Unavailable."),
        (
            PHOTOS,
            "PUT requests whose path is photos/ get cos:SlowDown (503) with a chance of 0.3, at most 5 times in all.",
        ),
        (
            "http:429,method=put,method=POST,header.x-test=a,header.x-test=b,query.uploads=,retry_after=2s",
            "PUT or POST requests whose header x-test is a or b and with the parameter uploads get a plain 429"
            " Too Many Requests, asked to wait 2s by Retry-After.",
        ),
        (
            "jss:@server,client=10.0.0.0/8,size=5MiB..,unless.path=health,unless.host=x.example,times=2,per=call",
            "Requests from 10.0.0.0/8 and of size 5MiB.., except those whose path is health or whose host is"
            " x.example, get one of the 2 errors of jss:@server (500 or 567), at most twice for every call.",
        ),
        (
            "cos:SlowDown,skip=2,every=3,times=1,above=5/s,begin=1s,end=2s,status=429",
            "All requests get cos:SlowDown (429), after the first 2 in all, every 3rd of them in all, at most once"
            " in all, as far as they exceed 5/s in all, from 1s after the start on, until 2s after the start.",
        ),
        ("http:503,every=11", "All requests get a plain 503 Service Unavailable, every 11th of them in all."),
        ("http:503,times=0", "All requests get a plain 503 Service Unavailable, never (times=0)."),
        ("latency,delay=100ms..2s", "All requests get the app's own answer 100 ms to 2 s late."),
        (
            "http:503,set.connection=close",
            "All requests get a plain 503 Service Unavailable, behind which the connection closes.",
        ),
        (
            "latency,delay=1s,when=after,operation=PutObject",
            "Requests whose operation is PutObject get the app's own answer 1 s late, held back when the app has"
            " run.",
        ),
        (
            "http:503,when=after,delay=1s,message=no,content_type=text/x,set.x-a=1,drain=no,cors=no",
            "All requests get a plain 503 Service Unavailable, after the app has run and in place of its answer,"
            " 1 s late, with the message no, with the content type text/x, with the header x-a: 1, without reading"
            " the request's body, without CORS headers.",
        ),
        (
            "reset,method=PUT,path=photos/,when=after,probability=0.5",
            "PUT requests whose path is photos/ get a connection reset with a chance of 0.5, after the app has run.",
        ),
        (
            "hang,times=2,drain=no",
            "All requests get nothing for 5 m and then a closed connection, at most twice in all, without reading"
            " the request's body.",
        ),
        (
            "hang,duration=90s,delay=1s..2s",
            "All requests get nothing for 90 s and then a closed connection, 1 s to 2 s late.",
        ),
        (
            "close,http2=yes,drain=yes,when=before",
            "All requests get a connection closed without an answer, over HTTP/2 together with all else on that"
            " connection.",
        ),
        ("truncate", "All requests get the app's own answer cut off after half of its body."),
        ("truncate,keep=0.07", "All requests get the app's own answer cut off after 7 % of its body."),
        ("truncate,keep=0.333", "All requests get the app's own answer cut off after 33.3 % of its body."),
        ("truncate,keep=0", "All requests get the app's own answer cut off after its head."),
        ("truncate,keep_bytes=0", "All requests get the app's own answer cut off after its head."),
        (
            "truncate,of=cos:SlowDown,keep_bytes=4KiB,delay=200ms",
            "All requests get cos:SlowDown (503) cut off after 4096 bytes of its body, 200 ms late.",
        ),
        (
            "drip,rate=1,of=jss:@server",
            "All requests get one of the 2 errors of jss:@server (500 or 567) at 1 byte a second.",
        ),
        ("drip,rate=1KiB", "All requests get the app's own answer at 1024 bytes a second."),
        ("corrupt", "All requests get the app's own answer with 1 byte of its body changed."),
        ("corrupt,flips=3", "All requests get the app's own answer with 3 bytes of its body changed."),
        (
            "cos:SlowDown,exact=yes",
            "All requests get cos:SlowDown (503), in the vendor's own words and order where the server lets us.",
        ),
        (
            "cos:InternalError,status=200,delay=2m",
            "All requests get cos:InternalError (200), the error 2 m late behind its head.",
        ),
        ("cos:InternalError,status=200,delay=0s", "All requests get cos:InternalError (200)."),
        (
            "cos:InternalError,operation=DeleteObjects,status=200,share=0.3",
            "Requests whose operation is DeleteObjects get cos:InternalError (200), in a DeleteObjects for 30 % of its"
            " keys.",
        ),
        (
            "cos:InternalError,status=200,share=1.0",
            "All requests get cos:InternalError (200), in a DeleteObjects for all of its keys.",
        ),
    ],
)
def test_a_rule_in_words(rule, words):
    """One plain sentence says which requests, what they get and how often."""
    from faultinject import Scenario

    assert sentence(Scenario.parse(rule).rules[0]) == words


def test_two_rules_in_full(run):
    """Each rule in words, then the rates, then the chance that all attempts of a call fail."""
    code, out, err = run("check", "cos:SlowDown,probability=0.3", "http:500,probability=0.5,name=last")
    assert (code, err) == (0, "")
    assert out == (
        "rule-1  cos:SlowDown,probability=0.3\n"
        "    All requests get cos:SlowDown (503) with a chance of 0.3.\n"
        "last  http:500,probability=0.5,name=last\n"
        "    All requests get a plain 500 Internal Server Error with a chance of 0.5.\n"
        "\n"
        "Every attempt of a request that every rule matches (the first rule that passes its triggers fires):\n"
        "rule          fires\n"
        "rule-1        30 %\n"
        "last          35 %\n"
        "none of them  35 %\n"
        "\n"
        "All n attempts of one call fail:\n"
        "n  chance\n"
        "1  65 %\n"
        "2  42.25 %\n"
        "3  27.46 %\n"
        "4  17.85 %\n"
        "5  11.6 %\n"
    )


def test_json_says_the_same(run):
    """`--json` has the rules, rates and chances as data."""
    code, out, _ = run("check", "cos:SlowDown,probability=0.5,name=a", "http:500,times=0", "--json")
    assert code == 1
    assert json.loads(out) == {
        "ok": False,
        "rules": [
            {
                "name": "a",
                "rule": "cos:SlowDown,probability=0.5,name=a",
                "words": "All requests get cos:SlowDown (503) with a chance of 0.5.",
                "rate": 0.5,
                "dead": None,
                "warnings": [],
            },
            {
                "name": "rule-2",
                "rule": "http:500,times=0",
                "words": "All requests get a plain 500 Internal Server Error, never (times=0).",
                "rate": 0.0,
                "dead": "times is 0",
                "warnings": [],
            },
        ],
        "untouched": 0.5,
        "all_fail": [0.5, 0.25, 0.125, 0.0625, 0.03125],
        "seed": None,
    }


def test_what_hardly_any_request_matches(run):
    """A method that HTTP does not know is legal, and most likely a slip of the pen: a warning, with the nearest."""
    code, out, _ = run("check", "http:503,method=PUTT,unless.bucket=a/b", "http:500")
    assert code == 0
    assert out.splitlines()[1:5] == [
        "    PUTT requests, except those whose bucket is a/b, get a plain 503 Service Unavailable.",
        "    Warning: method=PUTT: HTTP knows no such method; did you mean PUT?",
        "    Warning: unless.bucket=a/b: the name of a bucket has no /; did you mean bucket=a,key=b?",
        "rule-2  http:500",
    ]
    _, out, _ = run("check", "http:503,method=PUTT", "--json")
    data = json.loads(out)
    assert data["ok"]
    assert [each["warnings"] for each in data["rules"]] == [
        ["method=PUTT: HTTP knows no such method; did you mean PUT?"]
    ]


def test_a_connect_is_never_matched(run):
    """A rule for nothing else never fires."""
    code, out, _ = run("check", "http:503,method=connect")
    assert code == 1
    assert "    It never fires: a CONNECT is never matched." in out.splitlines()
    assert run("check", "http:503,method=CONNECT,method=GET")[0] == 0


def test_json_of_mistakes(run):
    """With --json the mistakes are on standard output as data, and on standard error for people."""
    code, out, err = run("check", "http:503,times=x", "--json")
    assert code == 2
    assert json.loads(out) == {
        "ok": False,
        "problems": [
            {
                "where": "times",
                "message": "x is not a whole number of 0 or more",
                "excerpt": "  http:503,times=x\n                 ^",
            }
        ],
    }
    assert err.startswith("faultinject: times: x is not")


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


@pytest.mark.parametrize("command", [("check",), ("serve", "--port", "0", "-r")])
@pytest.mark.parametrize("rule", ["", " ", ";", "\n"])
def test_nothing_is_no_rule(run, command, rule):
    """An argument that a shell left empty is told; it would look like a rule that is fine."""
    assert run(*command, rule) == (
        *(2, ""),
        "faultinject: there is no rule: give one, such as 'cos:SlowDown,times=2'\n",
    )


def test_a_file_without_rules(run, tmp_path):
    """A file that holds no rule is told, with its name."""
    (tmp_path / "rules.toml").write_text("seed = 1\n")
    code, out, err = run("check", "--file", str(tmp_path / "rules.toml"))
    assert (code, out) == (2, "")
    assert (
        err
        == f"faultinject: {tmp_path}/rules.toml: there is no rule: give one, such as 'cos:SlowDown,times=2'\n"
    )


def test_two_rules_of_one_name(run):
    """A name stands once, wherever its rules come from."""
    assert run("check", "http:500,name=a", "http:501,name=a") == (
        *(2, ""),
        "faultinject: RULE 2: name: a is already the name of RULE 1; names must be unique\n"
        "  http:501,name=a\n"
        "                ^\n",
    )


def test_dead_rules_are_said_and_end_with_one(run):
    """A rule that can never fire is named with the reason."""
    code, out, _ = run("check", "http:503", "cos:SlowDown,times=2")
    assert code == 1
    assert "    It never fires: rule-1 answers every request that it matches.\n" in out


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("http:503,method=GET,operation=PutObject", "PutObject comes with PUT only"),
        ("http:503,operation=ListBuckets,bucket=photos", "ListBuckets names no bucket"),
        ("http:503,vendor=b2,operation=b2_list_buckets,bucket=photos", "b2_list_buckets names no bucket"),
    ],
)
def test_an_operation_that_the_other_conditions_rule_out(run, rule, why):
    """Such a rule never fires, and has no rate."""
    code, out, _ = run("check", rule)
    assert code == 1
    assert f"    It never fires: {why}.\n" in out
    assert "rule-1        0 %\n" in out


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


@pytest.mark.parametrize("request_", ["PUT", "PUT photos", "", "P(T /a"])
def test_what_is_no_request(run, request_):
    """`--request` takes a method and a path."""
    code, out, err = run("check", "http:503", "--request", request_)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == (
        f"Error: --request: {request_!r} is not a method and a path, such as 'PUT /photos/cat.jpg'"
    )


@pytest.mark.parametrize("arguments", [("http:503",), ()])
@pytest.mark.parametrize("option", ["--seed", "--host"])
def test_what_is_for_a_request_needs_one(run, option, arguments):
    """`--seed` and `--host` say something about a request; without one they would be ignored."""
    code, out, err = run("check", *arguments, option, "1")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == f"Error: {option} is for the request of --request, and there is none"


def test_the_environment_off(run):
    """Nothing set: off, and fine."""
    assert run("check") == (
        *(0, "faults  off: FAULTINJECT_ENABLED is not set, so install() does nothing\n"),
        "",
    )


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
        "production": None,
        "production_allowed": False,
        "expires": None,
        "header": True,
        "endpoints": [],
        "store": None,
        "journal": None,
        "max_active": 100,
    }


def test_the_environment_waiting(run):
    """Rules that nobody switched on: off, and what they would do."""
    code, out, _ = run("check", env={"FAULTINJECT_RULES": "http:503"})
    assert code == 0
    assert out.splitlines()[0].split(maxsplit=1)[1] == (
        "off: FAULTINJECT_ENABLED is not set, so install() does nothing; with 1 it would be as below"
    )
    assert "rule-1  http:503\n" in out


def test_the_kill_switch(run):
    """Switched off by hand: nothing else is read, as a server reads nothing else."""
    env = {"FAULTINJECT_ENABLED": "0", "FAULTINJECT_RULES": "nonsense", "FAULTINJECT_X": "1"}
    code, out, err = run("check", env=env)
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split(maxsplit=1)[1] == (
        "off: FAULTINJECT_ENABLED says so, and that stands above everything"
    )


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (
            {"FAULTINJECT_ENABLED": "1"},
            "faultinject is on and has no rule: set FAULTINJECT_RULES, such as"
            " FAULTINJECT_RULES=cos:SlowDown,probability=0.1",
        ),
        ({"FAULTINJECT_ENABLED": "maybe"}, "FAULTINJECT_ENABLED: maybe is not yes or no; use 1 or 0"),
        (
            {"FAULTINJECT_RULES": "http:503", "FAULTINJECT_SED": "1"},
            "FAULTINJECT_SED is not a variable of faultinject; did you mean FAULTINJECT_SEED?",
        ),
    ],
)
def test_a_wrong_environment(run, env, message):
    """What a server would refuse is refused here, with the same words."""
    assert run("check", env=env) == (2, "", f"faultinject: {message}\n")


@pytest.mark.parametrize("arguments", [("check",), ("check", "http:503"), ("serve", "-r", "http:503")])
def test_production_is_refused(run, arguments):
    """Where nothing would be injected, the programs that inject or check end with 2 and say how to allow it."""
    env = {"DEPLOY_ENV": "Production-eu", "FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "http:503"}
    code, _, err = run(*arguments, env=env)
    assert (code, err) == (
        2,
        "faultinject: DEPLOY_ENV=Production-eu looks like production, where nothing is injected; to inject there"
        " set FAULTINJECT_PRODUCTION=allow and FAULTINJECT_EXPIRES to at most 24h\n",
    )


def test_an_expiry_that_has_passed(run):
    """The end of injection is told, and that nothing will be injected."""
    env = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "http:503"}
    _, out, _ = run("check", env={**env, "FAULTINJECT_EXPIRES": "2001-09-09T01:46:40Z"})
    assert ["expires", "2001-09-09 01:46:40+00:00 has passed: nothing will be injected"] in [
        line.split(maxsplit=1) for line in out.splitlines()
    ]


def test_production_allowed(run):
    """Allowed for a while, it is fine, and said."""
    env = {"STAGE": "live", "FAULTINJECT_ENABLED": "1", "FAULTINJECT_RULES": "http:503"}
    code, out, _ = run("check", env={**env, "FAULTINJECT_PRODUCTION": "allow", "FAULTINJECT_EXPIRES": "1h"})
    assert code == 0
    assert ["production", "STAGE=live looks like it, and allowed"] in [
        line.split(maxsplit=1) for line in out.splitlines()
    ]


def test_production_is_no_matter_while_off(run):
    """An app in production that has faults off is as it should be."""
    assert run("check", env={"ENV": "prod"})[0] == 0


def test_words_hide_what_does_not_print():
    """Text from a rule comes out escaped."""
    assert "\u202e" not in sentence(Rule("http:503", path="a\u202eb"))
