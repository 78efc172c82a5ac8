"""Each call of the control API, over WSGI, over ASGI and on its own address."""

import base64
from unittest.mock import patch

import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from faultinject import Rule, Scenario, install
from faultinject.control.calls import CALLS
from tests.adapters.live import uvicorn_server, werkzeug_server

from .conftest import Api, Client, control, fastapi_app, flask_app, make_injector


def test_the_state_says_what_is_in_force_and_what_came_of_it(client):
    """Switch, rules with counts, limits."""
    assert client.ask_app() == 503
    state = client.state()
    assert state["now"] > 1_700_000_000
    assert state == {
        "now": state["now"],
        "generation": state["generation"],
        "rules": state["rules"],
        "v": 1,
        "on": True,
        "enabled": True,
        "until": None,
        "expires": None,
        "seed": "42",
        "production": None,
        "store": "memory:",
        "max_active": 100,
        "active": 0,
        "refused": 0,
        "undecided": 0,
        "failures": 0,
        "disarmed": "",
        "abort": None,
        "totals": {"matched": 1, "injected": 1, "failed": 0},
        "shared": False,
        "elsewhere": "",
        "changes": [],
    }
    assert state["rules"][0] == {
        "name": "slow",
        "given": "slow",
        "text": "cos:SlowDown,path=photos/,times=2,name=slow",
        "rule": {"fault": "cos:SlowDown", "path": "photos/", "times": 2, "name": "slow"},
        "fault": "cos:SlowDown",
        "vendor": "cos",
        "says": "cos:SlowDown (503)",
        "enabled": True,
        "matched": 1,
        "injected": 1,
        "failed": 0,
        "times": 2,
        "spent": False,
    }
    assert [each["name"] for each in state["rules"]] == ["slow", "rule-2"]
    assert client.ask_app() == 503
    assert client.state()["rules"][0]["spent"] is True
    assert client.get("/rules/slow").data == client.state()["rules"][0]
    client.change("PATCH", "/rules/slow", {"per": "key"})
    assert [client.ask_app() for _ in range(2)] == [503, 503]
    assert client.state()["rules"][0]["spent"] is False  # another key has its own two


def test_the_page_and_its_files_need_no_token(client):
    """It asks for the token itself, and nothing in it comes from elsewhere."""
    answer = client.get("/", token=None)
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;"
            " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for "
            "'script'; trusted-types 'none'"
        ),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
    assert (answer.status, answer.headers) == (200, answer.headers | headers)
    assert client.get("/static/../app.py", token=None).status == 401
    assert client.get("/static/nothing.js").status == 404


def test_off_and_on(client):
    """Off: every request passes; on again: faults as before."""
    assert (client.change("POST", "/off")["on"], client.ask_app()) == (False, 200)
    state = client.change("POST", "/on")
    assert (state["on"], state["until"], client.ask_app()) == (True, None, 503)


def test_on_for_a_time():
    """It goes off again by itself; the state says when."""
    now = [1_800_000_000.0]
    api = Api(make_injector(clock=lambda: now[0]))
    for _ in range(2):
        state = api.change("POST", "/on", {"for": "10m"})
        assert (state["now"], state["until"]) == (now[0], now[0] + 600)
        now[0] += 599
        assert api.ask_app("/b/1") == 503
        now[0] += 1
        assert api.ask_app("/b/1") == 200
        assert api.state()["on"] is False
    assert api.change("POST", "/on", {"for": None})["until"] is None


def test_reset_lets_all_counts_begin_at_zero(api):
    """`times` too."""
    assert [api.ask_app() for _ in range(3)] == [503, 503, 200]
    none = {"matched": 0, "injected": 0, "failed": 0}
    assert (api.change("POST", "/reset")["totals"], api.ask_app()) == (none, 503)


def test_the_scenario_is_read_and_put_back(api):
    """PUT takes the rules that GET gives."""
    rules = api.get("/rules")
    assert Scenario.from_json(rules.body.decode()) == Scenario(
        [Rule("cos:SlowDown", name="slow", path="photos/", times=2), Rule("http:503", path="b/")], seed=42
    )
    assert [each["text"] for each in api.change("PUT", "/rules", rules.data)["rules"]] == [
        "cos:SlowDown,path=photos/,times=2,name=slow",
        "http:503,path=b/",
    ]


def test_a_scenario_of_text(api):
    """Counts begin at zero, and the seed is the given one."""
    api.ask_app()
    state = api.change("PUT", "/rules", {"text": "http:504,path=photos/; reset,path=c/", "seed": 7})
    assert [each["text"] for each in state["rules"]] == ["http:504,path=photos/", "reset,path=c/"]
    assert (state["seed"], state["totals"]["matched"], api.ask_app()) == ("7", 0, 504)
    assert (api.change("PUT", "/rules", {"rules": []})["rules"], api.ask_app()) == ([], 200)


def test_the_bound_of_the_apps_own_failures_stays(caplog):
    """Rules that name no `abort` keep it; null removes it, and the log says so."""
    bound = "5xx>5%/1m"
    api = Api(make_injector(Scenario("http:503,path=b/", abort=bound)))
    shown = api.get("/rules").data
    assert api.state()["abort"] == shown["abort"] == bound
    for method, body in (
        ("PUT", {"text": "http:504"}),
        ("PUT", {"rules": []}),
        ("POST", {"text": "http:504"}),
        ("PUT", shown),
    ):
        assert api.change(method, "/rules", body)["abort"] == bound
    assert "abort" not in caplog.text
    for abort, body, told in (
        ("5xx>1%/1m", {"text": "http:504"}, "set abort to 5xx>1%/1m and put 1 rule in force: http:504"),
        (None, {"rules": []}, "removed abort and put 0 rules in force"),
    ):
        assert api.change("PUT", "/rules", {"abort": abort, **body})["abort"] == abort
        assert f"127.0.0.1 {told}" in caplog.text
    answer = api.call("PUT", "/rules", {"text": "http:504", "abort": "often"})
    assert (answer.status, answer.message.partition(":")[0]) == (400, "abort")
    assert "abort" not in api.get("/rules").data


def test_nothing_but_on_arms_again_what_disarmed_itself(api):
    """Neither other rules nor single ones, nor counts from zero."""
    api.injector.disarm("too many failures")
    for method, path, body in (
        ("PUT", "/rules", {"text": "http:503,name=slow"}),
        ("POST", "/rules", {"text": "http:503,name=more"}),
        ("PATCH", "/rules/slow", {"times": 3}),
        ("POST", "/rules/slow/disable", {}),
        ("POST", "/rules/slow/enable", {}),
        ("DELETE", "/rules/more", {}),
        ("POST", "/reset", {}),
    ):
        state = api.change(method, path, body)
        assert (state["on"], state["disarmed"]) == (False, "too many failures"), path
    assert api.ask_app() == 200
    state = api.change("POST", "/on")
    assert (state["on"], state["disarmed"], api.ask_app()) == (True, "", 503)


def test_a_wrong_scenario_changes_nothing_and_says_where(api):
    """With the parser's own positions, of every mistake."""
    before = api.get("/rules").body
    answer = api.call("PUT", "/rules", {"text": "cos:Slowdown,times=2 http:503,probability=2"})
    assert answer.status == 400
    assert answer.data["error"]["problems"] == [
        {
            "message": "cos:Slowdown is not a documented error of cos; did you mean cos:SlowDown?",
            "where": "rule 1",
            "excerpt": "  cos:Slowdown,times=2 http:503,probability=2",
            "caret": "  ^^^^^^^^^^^^",
        },
        {
            "message": "2 is not between 0 and 1",
            "where": "rule 2: probability",
            "excerpt": "  cos:Slowdown,times=2 http:503,probability=2",
            "caret": "                                            ^",
        },
    ]
    assert answer.message.endswith("did you mean cos:SlowDown? (and 1 more)")
    answer = api.call("PUT", "/rules", {"rules": [{"fault": "http:503"}, {"fault": "http:503", "tmes": 1}]})
    assert [each["where"] for each in answer.data["error"]["problems"]] == ["rules[1]"]
    assert "did you mean times?" in answer.message
    assert api.get("/rules").body == before


@pytest.mark.parametrize(
    ("depth", "begin", "end"), [(40, "[", "]"), (985, '{"a":', "}"), (985, "[", "]"), (20_000, '{"a":', "}")]
)
def test_a_body_that_is_nested_too_deeply(api, depth, begin, end):
    """Is refused by every call, wherever in it; nothing fails."""
    deep = begin * depth + "1" + end * depth
    for method, path, body in (
        ("PUT", "/rules", '{"rules": [%s]}'),
        ("PUT", "/rules", '{"text": "", "abort": %s}'),
        ("POST", "/rules", '{"fault": "http:503", "header": %s}'),
        ("PATCH", "/rules/slow", '{"times": %s}'),
        ("PATCH", "/rules/slow", '{"header": %s}'),
        ("POST", "/preview", '{"rule": %s}'),
        ("POST", "/on", '{"for": %s}'),
    ):
        raw = (body % deep).encode()
        answer = api.call(method, path, raw=raw, headers={"Content-Type": "application/json"})
        assert answer.status == 400, body
        assert depth < 20_000 or answer.message == "the body is nested too deeply"
    deepest = api.change("PATCH", "/rules/slow", {"header": {"a": {"b": {"c": "d"}}}})
    assert "header.a.b.c=d" in deepest["rules"][0]["text"]


def test_one_more_rule(api):
    """Behind the others, as text or as keys."""
    assert api.ask_app() == 503
    answer = api.call("POST", "/rules", {"fault": "http:504", "path": "c/", "name": "late"})
    assert answer.status == 201
    assert [each["name"] for each in answer.data["rules"]] == ["slow", "rule-2", "late"]
    assert (
        api.change("POST", "/rules", {"text": "http:505,path=d/"})["rules"][-1]["text"] == "http:505,path=d/"
    )
    assert api.ask_app("/c/1") == 504


def test_a_rule_is_changed_key_by_key(api):
    """Null takes a key away; tables are merged; a text stands for the whole rule."""
    for change, text in (
        (
            {"times": 5, "path": None, "header": {"x-test": "a"}},
            "cos:SlowDown,header.x-test=a,times=5,name=slow",
        ),
        (
            {"header": {"x-other": "b", "x-third": None}},
            "cos:SlowDown,header.x-other=b,header.x-test=a,times=5,name=slow",
        ),
        ({"header": {"x-other": None, "x-test": None}}, "cos:SlowDown,times=5,name=slow"),
        ({"text": "http:504,name=slow,path=photos/"}, "http:504,path=photos/,name=slow"),
    ):
        assert api.change("PATCH", "/rules/slow", change)["rules"][0]["text"] == text
    assert api.ask_app() == 504


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"retry_after": None}, "http:503,header.x-a=1,unless.header.x-b=2,set.x-c=3,name=all"),
        ({"retry_after": "9s"}, "http:503,header.x-a=1,unless.header.x-b=2,retry_after=9s,set.x-c=3,name=all"),
        ({"set": None, "unless": None}, "http:503,header.x-a=1,retry_after=5s,name=all"),
        ({"unless": {"header": None}}, "http:503,header.x-a=1,retry_after=5s,set.x-c=3,name=all"),
        ({"unless": {"header": {"x-b": None}}}, "http:503,header.x-a=1,retry_after=5s,set.x-c=3,name=all"),
        ({"unless": {"header": {"X-B": None}}}, "http:503,header.x-a=1,retry_after=5s,set.x-c=3,name=all"),
        ({"header": {"X_A": "2"}}, "http:503,header.x-a=2,unless.header.x-b=2,retry_after=5s,set.x-c=3,name=all"),
        ({"set": {"x-c": "4"}}, "http:503,header.x-a=1,unless.header.x-b=2,retry_after=5s,set.x-c=4,name=all"),
    ],
)  # fmt: skip
def test_a_key_of_a_table_is_changed(api, change, text):
    """As in the rule that is shown: a table within a table, of which nothing empty is left."""
    api.change("PUT", "/rules", {"text": "http:503,header.x-a=1,unless.header.x-b=2,retry_after=5s,set.x-c=3,name=all"})  # fmt: skip
    assert api.change("PATCH", "/rules/all", change)["rules"][0]["text"] == text


def test_an_error_of_ours_is_an_answer_too(api, caplog):
    """In JSON as every other; the log says where."""
    with patch.object(api.injector, "counts", side_effect=ZeroDivisionError):
        answer = api.get("/state")
    assert (answer.status, answer.message) == (500, "faultinject itself failed: the server's log says where")
    assert [each.exc_info[0] for each in caplog.records if each.exc_info] == [ZeroDivisionError]
    assert api.get("/state").status == 200


def test_a_rule_is_taken_away(api):
    """The others stay."""
    assert [each["text"] for each in api.change("DELETE", "/rules/slow")["rules"]] == ["http:503,path=b/"]
    assert (api.ask_app(), api.ask_app("/b/1")) == (200, 503)


def test_a_rule_is_switched_off_and_on(api):
    """It stays where it is."""
    state = api.change("POST", "/rules/slow/disable")
    assert [(each["name"], each["enabled"]) for each in state["rules"]] == [("slow", False), ("rule-2", True)]
    assert [api.get(f"/rules/{name}").data for name in ("slow", "rule-2")] == state["rules"]
    assert (api.ask_app(), api.ask_app("/b/1")) == (200, 503)
    state = api.change("POST", "/rules/slow/enable")
    assert [each["enabled"] for each in state["rules"]] == [True, True]
    assert api.ask_app() == 503


def test_a_preview_shows_the_exact_bytes(api):
    """Of the answer that a request would get; nothing is carried out."""
    path = "/photos/a".ljust(2048, "a")
    asked = {"text": "cos:SlowDown,path=photos/,times=0", "method": "PUT", "path": path, "host": "h:1"}
    found = api.call("POST", "/preview", asked).data
    raw, body = (base64.b64decode(found[key]) for key in ("raw", "body"))
    assert (found["status"], found["matches"], found["rule"]["times"]) == (503, True, 0)
    assert found["text"] == "cos:SlowDown,path=photos/,times=0"
    assert raw.startswith(b"HTTP/1.1 503 ")
    assert raw.endswith(b"\r\n\r\n" + body)
    assert f"<Resource>{path}</Resource>".encode() in body
    assert ["Content-Length", str(len(body))] in found["headers"]
    assert api.state()["totals"]["matched"] == 0
    assert api.call("POST", "/preview", {"text": "http:503", "path": "a" * 2048}).status == 200
    other = api.call("POST", "/preview", {"rule": {"fault": "http:503", "path": "photos/"}, "path": "x"}).data
    assert (other["status"], other["matches"]) == (503, False)
    broken = api.call("POST", "/preview", {"rule": "reset"}).data
    assert (broken["status"], broken["raw"], broken["notes"]) == (None, None, [broken["says"]])


def test_methods_that_a_path_does_not_have(client):
    """405, with those that it has."""
    for path in {each.path for each in CALLS}:
        has = {each.method for each in CALLS if each.path == path}
        allowed = ", ".join(sorted(has | ({"HEAD"} if "GET" in has else set())))
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - has:
            answer = client.call(method, path.replace("{name}", "slow"))
            assert (answer.status, answer.headers.get("allow")) == (405, allowed), (method, path)
    assert client.call("POST", "/").headers["allow"] == "GET, HEAD"
    for method in ("DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        answer = client.call(method, "/state", raw=b"")
        told = f"{method} does nothing here; there are GET, HEAD"
        assert (answer.status, answer.headers["allow"], answer.message) == (405, "GET, HEAD", told)


def test_head_is_get_without_its_body(client):
    """For all that only looks, with the headers of GET."""
    for path in ("/rules", "/rules/slow", "/", "/health", "/journal"):
        full, answer = client.get(path), client.call("HEAD", path)
        assert (answer.status, answer.body) == (200, b"")
        assert {**answer.headers, "date": ""} == {**full.headers, "date": ""}


def test_what_others_wrote_is_escaped(api):
    """Control and bidirectional characters stay escapes in every answer."""
    state = api.change("PUT", "/rules", {"rules": [{"fault": "http:503", "path": "\u202eb/"}]})
    assert state["rules"][0]["rule"]["path"] == "\u202eb/"
    answers = api.get("/state").body + api.call("PUT", "/rules", {"text": "a\x1b[2J\u202eb"}).body
    assert {"\x1b", "\u202e"}.isdisjoint(answers.decode())


def test_no_answer_may_be_kept_or_read_by_others(client):
    """Whatever its status: no CORS header, no cookie, not stored."""
    for method, path in (
        ("GET", "/state"),
        ("GET", "/"),
        ("GET", "/nothing"),
        ("PUT", "/state"),
        ("OPTIONS", "/rules"),
    ):
        headers = client.call(method, path).headers
        assert headers["cache-control"] == "no-store"
        assert not [name for name in headers if name.startswith("access-control-") or name == "set-cookie"]


def test_two_editors(api):
    """The second one is told that the rules have changed, and nothing of its change is done."""
    [tag] = {api.get(path).headers["etag"] for path in ("/state", "/rules", "/rules/slow")}
    assert api.call("PATCH", "/rules/slow", {"times": 3}, headers={"If-Match": tag}).status == 200
    for method, path, body in (
        ("PATCH", "/rules/slow", {"times": 4}),
        ("DELETE", "/rules/slow", {}),
        ("PUT", "/rules", {"rules": []}),
        ("POST", "/rules", {"text": "http:503"}),
        ("POST", "/reset", {}),
        ("POST", "/off", {}),
        ("POST", "/on", {}),
        ("POST", "/rules/slow/disable", {}),
        ("POST", "/rules/slow/enable", {}),
    ):
        answer = api.call(method, path, body, headers={"If-Match": tag})
        assert (answer.status, "look at the rules again" in answer.message) == (412, True), (method, path)
        assert answer.headers["etag"] == api.get("/state").headers["etag"], "the one to give after that look"
    # What is wrong whatever is in force is told first: https://www.rfc-editor.org/rfc/rfc9110#section-13.2.1
    assert api.call("DELETE", "/rules/none", headers={"If-Match": tag}).status == 404
    assert api.call("PATCH", "/rules/slow", {"times": -1}, headers={"If-Match": tag}).status == 400
    assert [each["text"] for each in api.state()["rules"]] == [
        "cos:SlowDown,path=photos/,times=3,name=slow",
        "http:503,path=b/",
    ]
    for wanted, status in (('"0", {}', 200), ("*", 200), ("W/{}", 412)):
        match = {"If-Match": wanted.format(api.get("/state").headers["etag"])}
        assert api.call("PATCH", "/rules/slow", {"times": 4}, headers=match).status == status


NEAREST = "slwo is not the name of a rule; did you mean slow?"
TOO_LONG = "path: give a text of at most 2048 characters"
REFUSED = [
    *(
        (400, "POST", "/on", given, message)
        for given, message in (
            ({"for": "soon"}, "soon is not a duration"),
            ({"for": 10}, "10 is not a duration such as 10m"),
            ({"for": "0s"}, "0s is no time; POST /off switches faults off"),
            ({"for": "9000h"}, "9000h is longer than 8760h"),
            ({"fro": "1m"}, "fro is not a key of this call; did you mean for?"),
            (b'{"for": "1m", "for": "2h"}', "for is given twice"),
        )
    ),
    *(
        (400, "PUT", "/rules", given, message)
        for given, message in (
            (b"{", "the body is not JSON: Expecting property name enclosed in double quotes"),
            (b"[]", "the body is a JSON object, not []"),
            ({"text": 1}, "text: 1 is not a text"),
            ({"text": "", "seed": 1.5}, "seed: 1.5 is not text or a whole number"),
            ({"text": "", "seed": True}, "seed: True is not text or a whole number"),
            ({"text": "", "sede": 1}, "sede is not a key of this call; did you mean seed?"),
            ({}, 'rules are missing: give {"rules": [...]}'),
            ({"rules": {}}, "rules is one table, not a list of them"),
            ({"rules": [1]}, "rules[0]: 1 is not a table with a fault"),
            (b'{"rules": [], "rules": [{"fault": "reset"}]}', "rules is given twice"),
            ({"rules": [], "more": 1}, "more is not a key of a scenario"),
            ({"text": "\ud800"}, "not a fault"),
            (b'{"rules": [{"fault": "http:503", "set": {"x": NaN}}]}', "NaN is no number of JSON"),
            (b"[" * 100_000, "the body is nested too deeply"),
            (b'{"text": "\xff"}', "the body is not UTF-8: byte 0xff"),
        )
    ),
    # Of two values nobody knows which is meant, as in a file.
    (400, "POST", "/rules", b'{"fault": "http:503", "path": "a/", "path": "b/"}', "path is given twice"),
    (400, "POST", "/rules", {"text": "http:505 http:506"}, "one rule is asked for, and 2 were given"),
    (400, "POST", "/rules", {"text": "http:505", "times": 1}, "give one rule: "),
    *(
        (400, method, path, given, "slow is already the name of another rule; names must be unique")
        for method, path, given in (
            ("POST", "/rules", {"text": "http:505,name=slow"}),
            ("POST", "/rules", {"fault": "http:505", "name": "slow"}),
            ("PATCH", "/rules/rule-2", {"name": "slow"}),
        )
    ),
    *(
        (400, "PATCH", "/rules/slow", given, message)
        for given, message in (
            (b'{"header": {"x-a": "1", "x-a": "2"}}', "x-a is given twice"),
            # Also where null would take it away.
            ({"tmies": None}, "tmies is not a key of this call; did you mean times?"),
            ({"retry-after": None}, "retry-after is not a key of this call; did you mean retry_after?"),
            ({"unless": {"tmies": "1"}}, "rules[0]: tmies is not a condition"),
            ({"fault": None}, "rules[0]: there is no fault"),
            ({"probability": 7}, "rules[0].probability"),
            ({"path": {"a": "b"}}, "rules[0].path: {'a': 'b'} is not a value of path"),
        )
    ),
    *(
        (404, method, f"/rules/slwo{behind}", None, NEAREST)
        for method, behind in (
            ("GET", ""),
            ("PATCH", ""),
            ("DELETE", ""),
            ("POST", "/enable"),
            ("POST", "/disable"),
        )
    ),
    *(
        (400, "POST", "/preview", given, message)
        for given, message in (
            ({}, "give one rule"),
            ({"rule": 1}, "1 is not a rule: give text or an object"),
            ({"text": "http:503", "method": "A B"}, "method: A B cannot be part of a request"),
            ({"text": "http:503", "host": "a\nb"}, "host: a\\nb cannot be part of a request"),
            ({"text": "http:503", "path": "x" * 2049}, TOO_LONG),
            ({"text": "http:503", "path": 1}, TOO_LONG),
            ({"text": "http:503", "verb": "GET"}, "verb is not a key of this call"),
        )
    ),
    # The nearest is told; a misspelled parameter is no other question.
    (404, "GET", "/stat", None, "/stat is no path of the control API; did you mean /state?"),
    (404, "GET", "/x%1b[2J", None, "there are"),
    *((400, "GET", f"/journal?limit={limit}", None, "limit: ") for limit in ("0", "x", "5001", "-1")),
    (400, "GET", "/journal?limt=5", None, "limt is not a parameter of this call; did you mean limit?"),
    (400, "GET", "/state?x%1b=5", None, "x\\x1b is not a parameter of this call; this call takes none"),
]


@pytest.mark.parametrize(("status", "method", "path", "given", "message"), REFUSED)
def test_what_is_refused(api, status, method, path, given, message):
    """Each is told in one sentence, and changes nothing."""
    before = api.state()
    how = {"raw": given, "headers": {"Content-Type": "application/json; charset=utf-8"}}
    answer = api.call(method, path, **(how if isinstance(given, bytes) else {"body": given}))
    assert (answer.status, message in answer.message, answer.message[0] == ":") == (status, True, False)
    assert "\x1b" not in answer.body.decode()
    assert [api.state()[each] for each in ("rules", "on", "generation")] == [
        before[each] for each in ("rules", "on", "generation")
    ]


def test_where_there_is_no_rule(api):
    """No name is near."""
    api.change("PUT", "/rules", {"rules": []})
    assert api.call("DELETE", "/rules/slwo").message == "there is no rule"
    assert api.get("/health").data == {"ok": True}


def test_the_journal(api):
    """From a cursor on, and with the fields of its lines."""
    first = api.get("/journal").data
    assert (first["outcomes"], first["dropped"]) == ([], 0)
    api.ask_app()
    api.ask_app("/b/1")
    found = api.get(f"/journal?after={first['cursor']}").data
    assert [(each["path"], each["rule"], each["injected"]) for each in found["outcomes"]] == [
        ("/photos/cat.jpg", "slow", True),
        ("/b/1", "rule-2", True),
    ]
    one = api.get("/journal?limit=1").data
    rest = api.get(f"/journal?after={one['cursor']}&limit=5").data
    assert [each["path"] for each in (*one["outcomes"], *rest["outcomes"])] == ["/photos/cat.jpg", "/b/1"]
    assert api.get(f"/journal?after={rest['cursor']}").data["outcomes"] == []
    assert api.get("/journal?limit=5000").status == 200
    cursors = "9" * 200, "9" * 201, "%C3%A9"
    assert [api.get(f"/journal?after={cursor}").status for cursor in cursors] == [200, 400, 400]


def test_a_request_of_two_rules_counts_once():
    """Totals count a request of two rules once, and keep removed rules; each rule counts alone."""
    api = Api(make_injector(["http:503,probability=0", "http:502,times=1"]))
    assert [api.ask_app(), api.ask_app()] == [502, 200]
    state = api.state()
    assert [each["matched"] for each in state["rules"]] == [2, 2]
    assert state["totals"] == {"matched": 2, "injected": 1, "failed": 0}
    assert api.change("DELETE", "/rules/rule-2")["totals"] == state["totals"]
    assert api.change("POST", "/reset")["totals"] == {"matched": 0, "injected": 0, "failed": 0}


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_the_control_path_is_never_faulted_nor_recorded(kind):
    """Whatever the rules are.

    Without its slash it leads to the page, whose own links are relative.
    """
    with control(kind, "http:503") as client:
        assert [client.ask_app(), client.ask_app("/_faultinjected")] == [503, 503]
        state = client.state()
        answer = client.get("", token=None)
        assert (answer.status, answer.headers["location"]) == (308, "/_faultinject/")
        paths = [each["path"] for each in client.get("/journal").data["outcomes"]]
        assert paths == ["/photos/cat.jpg", "/_faultinjected"]
        assert state["totals"] == {"matched": 2, "injected": 2, "failed": 0}


def test_an_app_below_a_mount_point():
    """The path is that of the app, wherever it is mounted."""
    inner = make_injector()
    flask, fastapi = (install(make(), injector=inner, enabled=True) for make in (flask_app, fastapi_app))
    for server, mount in (
        (werkzeug_server(DispatcherMiddleware(flask_app(), {"/sub": flask.wsgi_app})), "/sub/_faultinject"),
        (uvicorn_server(fastapi, root_path="/sub"), "/_faultinject"),
    ):
        with server as port:
            client = Client(inner, (port, mount), port)
            assert client.state()["seed"] == "42"
            assert client.get("").headers["location"] == "/sub/_faultinject/"
