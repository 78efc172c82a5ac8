"""Faults of other tools as rules: each field is carried, or named with its place and why."""

from __future__ import annotations

import json

from werkzeug.test import Client

import faultinject
from tests.asking import app
from tests.rows import each_row


def toxic(kind, stream="downstream", toxicity=1.0, **attributes):
    """As toxiproxy writes one."""
    return {"name": f"{kind}_{stream}", "type": kind, "stream": stream, "toxicity": toxicity, "attributes": attributes}  # fmt: skip


@each_row(
    ("given", "rule", "left_out", "changed"),
    [
        (toxic("latency", latency=1000), "latency,when=after,delay=1s", [], []),
        (toxic("latency", "upstream", latency=1000, jitter=100), "latency,delay=0.9s..1.1s", [], [""]),
        (toxic("latency", latency=50, jitter=100), "latency,when=after,delay=0s..0.15s", [], [""]),
        (toxic("latency", latency=0), None, [], []),
        (toxic("latency", latency=10**9), "latency,when=after,delay=1h", [], [""]),
        (toxic("bandwidth", rate=10), "drip,rate=10KB", [], []),
        (toxic("bandwidth", rate=0), None, [""], []),
        (toxic("bandwidth", "upstream", rate=10), None, [""], []),
        (toxic("slow_close", delay=10), None, [""], []),
        (toxic("timeout", timeout=2000), "hang,when=after,duration=2s", [], []),
        (toxic("timeout", "upstream", timeout=0), "hang,duration=1h", [], [""]),
        (toxic("timeout", timeout=3_600_000), "hang,when=after,duration=1h", [], []),
        (toxic("reset_peer", timeout=10), "reset,when=after,delay=10ms", [], []),
        (toxic("reset_peer", "upstream"), "reset", [], []),
        (toxic("reset_peer", timeout=-10), "reset,when=after", [], []),
        (toxic("slicer", average_size=64, size_variation=2, delay=1000), None, [""], []),
        (toxic("of_a_fork", rate=1), None, [""], []),
        (toxic("limit_data", bytes=1000), "truncate,keep_bytes=1000", [], [""]),
        (toxic("limit_data", "upstream", bytes=1000), "close,after_bytes=1000", [], [""]),
        (toxic("limit_data", bytes=0), "close,when=after", [], []),
        (toxic("timeout", toxicity=0.25, timeout=2000), "hang,probability=0.25,when=after,duration=2s", [], [".toxicity"]),
        (toxic("bandwidth", rate=10, burst=3), "drip,rate=10KB", [".attributes.burst"], []),
        ({**toxic("bandwidth", rate=10), "weight": 3}, "drip,rate=10KB", [".weight"], []),
    ],
)  # fmt: skip
def test_toxics(convert, given, rule, left_out, changed):
    """An upstream toxic acts before the app sees the request, a downstream one after it has run."""
    found = convert([{"name": "s3", "listen": ":1", "upstream": "a:2", "enabled": True, "toxics": [given]}])
    assert found.rules == ([] if rule is None else [rule + f",name=s3-{given['name']}"])
    assert found.told("left out") == [f"[0].toxics[0]{each}" for each in left_out]
    assert found.told("changed") == [f"[0].toxics[0]{each}" for each in changed]
    assert (found.told("unused"), found.code) == (["[0].listen", "[0].upstream"], int(bool(left_out)))


NEVER = "it never fires: given.json: [0].toxics[0] answers every request that it matches"


def test_toxics_of_one_proxy(convert):
    """Toxics of chance stand first, so that every rule can fire, and unreachable ones are named."""
    toxics = [
        toxic("timeout", timeout=2000),
        toxic("bandwidth", rate=10),
        toxic("reset_peer", timeout=10, toxicity=0.1),
        toxic("reset_peer", toxicity=0),
    ]
    assert convert([{"toxics": []}], "--from", "toxiproxy").rules == []
    found = convert([{"name": "s3", "toxics": toxics}])
    assert found.rules == [
        "reset,probability=0.1,when=after,delay=10ms,name=s3-reset_peer_downstream",
        "hang,when=after,duration=2s,name=s3-timeout_downstream",
    ]
    assert found.code == 1
    assert found.remarks == [
        (
            "changed",
            "[0].toxics[2].toxicity",
            "the chance applies to each request; in Toxiproxy to each connection",
        ),
        ("unused", "[0].toxics[3].toxicity", "its chance is 0"),
        (
            "changed",
            "[0]",
            "a request gets only the first fault that fires; in Toxiproxy a connection gets all of them",
        ),
        ("left out", "[0].toxics[1]", NEVER),
    ]


def test_rules_that_would_never_fire(convert, export):
    """They are left out, with their place, wherever they come from; the others keep their names."""
    proxies = [{"name": name, "toxics": [toxic("reset_peer", "upstream")]} for name in ("a", "b")]
    found = convert(proxies)
    assert (found.code, found.rules) == (1, ["reset,name=a-reset_peer_upstream"])
    assert ("left out", "[1].toxics[0]", NEVER) in found.remarks
    found = convert([stub({"status": 503}, "x", method="GET"), stub({"status": 500}, "x")])
    assert [each.partition("name=")[2] for each in found.rules] == ["x", ""]
    found = convert([stub({"status": 503}), stub({"status": 500})])
    assert (found.code, found.rules) == (1, ["http:503,path=/a,message=,name=rule-1"])
    assert found.told("left out") == ["[1]"]
    found = export("envoy", "http:503,times=0", "http:502,path=/a", "http:501,path=/a,method=GET", "http:504")
    assert found.told("left out") == ["rule-1", "rule-3"]
    names = ["rule-2", "rule-4"]
    assert [each for each in ("rule-1", *names, "rule-3") if f"faultinject.{each}" in found.text] == names


def stub(response, name=None, **more):
    """A mapping for `/a`."""
    return {"request": {"urlPath": "/a", **more}, "response": response, **({"name": name} if name else {})}


@each_row(
    ("response", "rule", "left_out", "changed"),
    [
        ({"fault": "EMPTY_RESPONSE"}, "close,path=/a", [], []),
        ({"fault": "CONNECTION_RESET_BY_PEER", "fixedDelayMilliseconds": 20}, "reset,path=/a,delay=20ms", [], []),
        ({"fault": "MALFORMED_RESPONSE_CHUNK"}, "truncate,path=/a,keep_bytes=0", [], [".fault"]),
        ({"fault": "RANDOM_DATA_THEN_CLOSE", "body": "x", "chunkedDribbleDelay": {}}, "close,path=/a", [".body", ".chunkedDribbleDelay"], [".fault"]),
        ({"status": 503}, "http:503,path=/a,message=", [], []),
        ({"status": 599}, "http:599,path=/a,message=", [], []),
        ({"status": "503", "fixedDelayMilliseconds": "500"}, "http:503,path=/a,delay=0.5s,message=", [], []),
        ({"status": 503, "jsonBody": {"a": 1}, "headers": {"Content-Type": "application/json", "X-A": "b", "Date": "x", "X-B": ["c", "d"]}},
         'http:503,path=/a,message="{\\"a\\": 1}",content_type=application/json,set.x-a=b', [".headers.Date", ".headers.X-B"], []),
        ({"status": 500, "body": "hi", "statusMessage": "Oh"}, "http:500,path=/a,message=hi", [".statusMessage"], []),
        ({"status": 555, "statusMessage": "Oh"}, "http:555,path=/a,message=", [".statusMessage"], []),
        ({"status": 500, "base64Body": "aGk=", "transformers": []}, "http:500,path=/a,message=", [".base64Body", ".transformers"], []),
        ({"status": 555, "proxyBaseUrl": "http://x"}, "http:555,path=/a,message=", [".proxyBaseUrl"], []),
        ({"fault": "OF_A_FORK"}, None, [".fault"], []),
        ({"status": 200, "fixedDelayMilliseconds": 1500, "body": "x", "headers": {}}, "latency,path=/a,delay=1.5s", [], [""]),
        ({"proxyBaseUrl": "http://x", "delayDistribution": {"type": "uniform", "lower": 100, "upper": 2000}}, "latency,path=/a,delay=0.1s..2s", [], []),
        ({"proxyBaseUrl": "http://x", "fixedDelayMilliseconds": 10, "delayDistribution": {"type": "lognormal", "median": 80, "sigma": 0.4}},
         "latency,path=/a,delay=lognormal:80ms:0.4", [".fixedDelayMilliseconds"], []),
        ({"proxyBaseUrl": "http://x", "delayDistribution": {"type": "lognormal", "median": 1500, "sigma": 0.1, "maxValue": 2000}},
         "latency,path=/a,delay=lognormal:1.5s:0.1", [".delayDistribution.maxValue"], []),
        ({"proxyBaseUrl": "http://x", "delayDistribution": {"type": "normal", "mean": 80}}, None, [".delayDistribution"], []),
        ({"status": 503, "delayDistribution": {"type": "uniform", "lower": 1, "upper": 2, "seed": 3}}, "http:503,path=/a,delay=1ms..2ms,message=", [".delayDistribution.seed"], []),
        ({"proxyBaseUrl": "http://x", "fixedDelayMilliseconds": 3_600_001}, "latency,path=/a,delay=1h", [], [""]),
        ({"status": 200, "chunkedDribbleDelay": {"numberOfChunks": 5, "totalDuration": 1000}}, None, [".chunkedDribbleDelay"], [""]),
        ({"fixedDelayMilliseconds": 1, "chunkedDribbleDelay": {"numberOfChunks": 5, "totalDuration": 1000}}, "latency,path=/a,delay=1ms", [".chunkedDribbleDelay"], [""]),
        ({"proxyBaseUrl": "http://x", "delayDistribution": {"type": "fixed", "milliseconds": 200}}, "latency,path=/a,delay=0.2s", [], []),
        ({"status": 503, "fixedDelayMilliseconds": 100, "delayDistribution": {"type": "fixed", "milliseconds": 200}}, "http:503,path=/a,delay=0.3s,message=", [], []),
        ({"status": 503, "delayDistribution": {"type": ["x"]}}, "http:503,path=/a,message=", [".delayDistribution"], []),
        ({"status": 503, "delayDistribution": {"type": "fixed"}}, "http:503,path=/a,message=", [".delayDistribution"], []),
        ({"proxyBaseUrl": "http://x", "delayDistribution": {"type": "uniform", "lower": 1}}, None, [".delayDistribution"], []),
        ({"proxyBaseUrl": "http://x", "delayDistribution": {"type": "fixed", "milliseconds": 0}}, None, [], []),
        ({"status": 503, "delayDistribution": {"type": "fixed", "milliseconds": 0}}, "http:503,path=/a,message=", [], []),
        ({"status": 503, "headers": {"X A": "b"}}, None, [None], []),
        ({"status": 200, "fixedDelayMilliseconds": 0}, None, [], []),
    ],
)  # fmt: skip
def test_wiremock_responses(convert, response, rule, left_out, changed):
    """Faults, delays, statuses with their bodies."""
    found = convert(stub(response))
    assert found.rules == ([] if rule is None else [rule])
    assert found.told("left out") == [
        "given.json" if each is None else f"response{each}" for each in left_out
    ]
    assert found.told("changed") == [f"response{each}" for each in changed]


@each_row(
    ("request_", "conditions", "changed"),
    [
        ({"method": "ANY"}, "", []),
        ({"method": "PUT", "url": "/a%20b?uploads&x=1%2B"}, 'method=PUT,path="/a b",query.uploads==,query.x=1+,', [".url"]),
        ({"urlPath": "/a*b"}, "path==/a*b,", []),
        ({"urlPath": "/a/"}, "path==/a/,", []),
        ({"urlPath": "/a%3Fb"}, "path==/a?b,", []),
        ({"urlPathPattern": "/.*"}, "", []),
        ({"urlPathPattern": "^/photos/.*$"}, "path=/photos/,", []),
        ({"urlPathPattern": r"/a\*b"}, "path==/a*b,", []),
        ({"headers": {"X-A": {"equalTo": ""}, "X-B": {"matches": "^$"}}}, "header.x-a==,header.x-b==,", []),
        ({"headers": {"X-A": {"equalTo": "=b"}, "X-B": {"matches": ".*c.*"}}}, "header.x-a===b,header.x-b=*c*,", []),
        ({"headers": {"X-A": {"absent": True}, "X-B": {"absent": False}}}, "unless.header.x-a=,unless.header.x-b=,", []),
        ({"url": "/a", "urlPath": "/b", "urlPathPattern": "c"}, "path=/a,", [".url"]),
        ({"queryParameters": {"a": {"matches": ".*"}, "b": {"matches": "x.*y"}}}, "query.a=,query.b=x*y,", []),
        ({"queryParameters": {"a": {"matches": "=b"}}}, "query.a===b,", []),
        ({"headers": {"X-A": {"equalTo": "b", "caseInsensitive": False}}}, "header.x-a=b,", []),
    ],
)  # fmt: skip
def test_wiremock_requests(convert, request_, conditions, changed):
    """Matchers that a condition can say."""
    found = convert({"request": request_, "response": {"fault": "EMPTY_RESPONSE"}})
    assert found.rules == [f"close,{conditions}".removesuffix(",")]
    assert (found.told("changed"), found.code) == ([f"request{each}" for each in changed], 0)


@each_row(
    ("request_", "where"),
    [
        ({"bodyPatterns": [{"contains": "x"}]}, ".bodyPatterns"),
        ({"urlPathPattern": "/(a|b)"}, ".urlPathPattern"),
        ({"urlPathPattern": "/a.c"}, ".urlPathPattern"),
        ({"urlPathPattern": "a"}, ".urlPathPattern"),
        ({"urlPathPattern": "/a/.*/b"}, ".urlPathPattern"),
        ({"urlPathPattern": "/a/.*b.*"}, ".urlPathPattern"),
        ({"urlPathPattern": "/a.*"}, ".urlPathPattern"),
        ({"urlPathPattern": r"/photos/.*\.jpg"}, ".urlPathPattern"),
        ({"urlPathPattern": r"/a\*/.*"}, ".urlPathPattern"),
        ({"urlPattern": "/photos"}, ".urlPattern"),
        ({"urlPathTemplate": "/a/{id}/b"}, ".urlPathTemplate"),
        ({"headers": {"X": {"matches": "=a.*"}}}, ".headers.X"),
        ({"headers": {"X": {"matches": "a+"}}}, ".headers.X"),
        ({"headers": {"X": {}}}, ".headers.X"),
        ({"headers": {"X": {"equalTo": "a", "absent": False}}}, ".headers.X"),
        ({"headers": {"X": {"contains": "a"}}}, ".headers.X.contains"),
        ({"headers": {"X": {"matches": r"a\*"}}}, ".headers.X"),
        ({"headers": {"X": {"equalToJson": "{}"}}}, ".headers.X.equalToJson"),
        ({"headers": {"X": {"equalTo": "a", "caseInsensitive": True}}}, ".headers.X.caseInsensitive"),
        ({"headers": {"X": {"equalTo": "a", "more": True}}}, ".headers.X.more"),
        ({"headers": {"X-A": {"equalTo": "1"}, "x-a": {"equalTo": "2"}}}, ".headers.x-a"),
        ({"headers": {"x-a": {"equalTo": "1"}, "X-A": {"equalTo": "2"}}}, ".headers.X-A"),
        ({"host": {"equalTo": "a"}}, ".host"),
        ({"clientIp": {"equalTo": "10.0.0.1"}}, ".clientIp"),
        ({"method": {"oneOf": ["GET", "PUT"]}}, ".method"),
        ({"urlPath": "/a%2Fb"}, ".urlPath"),
        ({"urlPathPattern": "/a%20b"}, ".urlPathPattern"),
        ({"url": "/a?b=1&b=2"}, ".url"),
        ({"url": "/a?b=1", "queryParameters": {"b": {"equalTo": "2"}}}, ".url"),
        ({"urlPath": "/a?b=1"}, ".urlPath"),
    ],
)
def test_wiremock_requests_that_no_condition_says(convert, request_, where):
    """The stub is left out: its fault would come to other requests."""
    found = convert({"request": request_, "response": {"fault": "EMPTY_RESPONSE"}, "name": "x"})
    assert (found.code, found.rules) == (1, [])
    assert f"request{where}" in found.told("left out")


def state(required, following, response, **more):
    """A mapping in a state of a scenario, and the state that follows."""
    states = {"requiredScenarioState": required, "newScenarioState": following}
    known = {name: value for name, value in states.items() if value is not None}
    return {"scenarioName": "s", **known, **stub(response, **more)}


DOWN = {"name": "s3", "upstream": "a\x1b:2", "enabled": False, "toxics": [toxic("reset_peer")]}
RARE = {"type": "bandwidth", "toxicity": 0.5, "attributes": {"rate": 1}}
TWO = {"upstream": "a:2", "toxics": [toxic("reset_peer", "upstream"), RARE]}
BROKEN, WELL, EVERY = {"status": 503}, {"status": 200}, {"request": {}, "response": {"status": 503}}
FAILS = "http:503,path=/a,message="


@each_row(
    ("given", "code", "rules", "remarks"),
    [
        # Forms of Toxiproxy: one proxy that is down, several, and proxies by name.
        (DOWN, 0, ["close,name=s3-down"], ["changed: given.json", "unused: toxics[0]", "unused: upstream"]),
        (
            [DOWN, {"name": "gcs", "upstream": "b:3", "enabled": True, "toxics": []}], 0, ["close,name=s3-down"],
            ["changed: [0]", "unused: [0].toxics[0]", "changed: [0]", "unused: [1].upstream"],
        ),
        (
            {"a": TWO, "b": {"toxics": [toxic("reset_peer")], "x": 1}}, 1,
            ["drip,probability=0.5,rate=1KB,name=proxy-bandwidth_downstream", "reset,name=proxy-reset_peer_upstream"],
            ["changed: a", "changed: a.toxics[1].toxicity", "changed: a", "left out: b.x", "changed: b", "left out: b.toxics[0]"],
        ),
        # A wait of every connection is the delay of the one other toxic of every connection.
        # A wait and a rate.
        (
            [{"name": "s3", "toxics": [toxic("latency", latency=100, jitter=20), toxic("bandwidth", rate=10)]}], 0,
            ["drip,delay=80ms..0.12s,rate=10KB,name=s3-bandwidth_downstream"],
            ["changed: [0].toxics[0]", "changed: [0].toxics[0]"],
        ),
        # In any order.
        (
            [{"name": "s3", "toxics": [toxic("timeout", "upstream", timeout=2000), toxic("latency", latency=100)]}], 0,
            ["hang,delay=0.1s,duration=2s,name=s3-timeout_upstream"],
            ["changed: [0].toxics[1]"],
        ),
        # Beside one that comes by chance.
        (
            [{"name": "s3", "toxics": [toxic("latency", latency=100), toxic("bandwidth", rate=10), toxic("reset_peer", toxicity=0.1)]}], 0,
            ["reset,probability=0.1,when=after,name=s3-reset_peer_downstream",
             "drip,delay=0.1s,rate=10KB,name=s3-bandwidth_downstream"],
            ["changed: [0].toxics[2].toxicity", "changed: [0].toxics[0]", "changed: [0]"],
        ),
        # A rate that comes by chance.
        (
            [{"name": "s3", "toxics": [toxic("latency", latency=100), toxic("bandwidth", rate=10, toxicity=0.5)]}], 0,
            ["drip,probability=0.5,rate=10KB,name=s3-bandwidth_downstream",
             "latency,when=after,delay=0.1s,name=s3-latency_downstream"],
            ["changed: [0].toxics[1].toxicity", "changed: [0]"],
        ),
        # One that has a wait of its own.
        (
            [{"name": "s3", "toxics": [toxic("latency", latency=100), toxic("reset_peer", timeout=10)]}], 1,
            ["latency,when=after,delay=0.1s,name=s3-latency_downstream"],
            ["changed: [0]", "left out: [0].toxics[1]"],
        ),
        # Two that have a wait of their own.
        (
            [{"name": "s3", "toxics": [toxic("reset_peer", timeout=10), toxic("reset_peer", "upstream", timeout=10)]}], 1,
            ["reset,when=after,delay=10ms,name=s3-reset_peer_downstream"],
            ["changed: [0]", "left out: [0].toxics[1]"],
        ),
        # Three that come always.
        (
            [{"name": "s3", "toxics": [toxic("latency", latency=100), toxic("bandwidth", rate=10), toxic("limit_data", bytes=0)]}], 1,
            ["latency,when=after,delay=0.1s,name=s3-latency_downstream"],
            ["changed: [0]", "left out: [0].toxics[1]", "left out: [0].toxics[2]"],
        ),
        # An export of nothing is one.
        ({"mappings": [], "meta": {"total": 0}}, 0, [], ["unused: meta"]),
        # Without its conditions the fault would come to every request.
        ({"requst": {"url": "/a"}, "response": BROKEN}, 1, [], ["left out: requst", "left out: given.json"]),
        # A row of states is a row of requests, and a stub of higher priority comes first. The second request would get
        # the last rule's fault, which the stub of its state keeps away: an ordinary answer is left to the app.
        (
            {"mappings": [
                {"priority": 9, **stub({"status": 500}, "last one!")},
                state("Started", "two", BROKEN), state("two", "three", WELL), state("three", None, {"status": 404}),
                {"priority": 1, **stub({"status": 502}, "--", method="PUT")},
            ], "meta": {}},
            1, ["http:502,method=PUT,path=/a,message=", f"{FAILS[:-9]},times=1,message=", "http:404,path=/a,skip=2,message="],
            ["unused: meta", "unused: mappings[2].response", "left out: mappings[0]"],
        ),
        ([state("Started", "two", WELL), state("two", None, BROKEN)], 0, ["http:503,path=/a,skip=1,message="], ["unused: [0].response"]),
        ([state("Started", "two", BROKEN), state("two", "Started", BROKEN)], 1, [], ["left out: [0]", "left out: [1]"]),
        ([state("Started", "two", BROKEN), state("two", "three", WELL), state("three", "two", WELL)], 1, [], ["left out: [0]", "unused: [1].response", "unused: [2].response"]),
        ([state(None, None, BROKEN)], 1, [], ["left out: [0]"]),
        ([state("Started", "two", BROKEN), state("two", None, BROKEN, method="PUT")], 1, [], ["left out: [0]", "left out: [1]"]),
        # A state counts only in a stub with a scenario: `StubMapping.isIndependentOfScenarioState`.
        *(({name: "two", **stub(BROKEN)}, 0, [FAILS], [f"unused: {name}"]) for name in ("requiredScenarioState", "newScenarioState")),
        # A fault is left out if a stub before it may answer instead; a fault before it stays.
        *(([stub(ordinary), EVERY], 1, [], ["unused: [0].response", "left out: [1]"]) for ordinary in (WELL, {"status": "200"}, {})),
        ([{**stub(WELL), "priority": 6}, EVERY], 0, ["http:503,message="], ["unused: [0].response"]),
        ([stub(WELL, urlPath="/b"), stub(BROKEN)], 0, [FAILS], ["unused: [0].response"]),
        ([state("Started", "two", WELL), state("two", None, WELL), stub(BROKEN)], 1, [], ["unused: [0].response", "unused: [1].response", "left out: [2]"]),
        # So it is if a stub before it is left out: its requests would get the fault of another stub.
        ([stub(BROKEN, bodyPatterns=[{"contains": "x"}]), stub({"status": 404})], 1, [], ["left out: [0].request.bodyPatterns", "left out: [1]"]),
    ],
)  # fmt: skip
def test_what_becomes_of_documents(convert, given, code, rules, remarks):
    """Rules, and remarks with their places.

    Of WireMock scenarios, priorities, and answers that keep the faults of other stubs away.
    """
    found = convert(given)
    assert (found.code, found.rules, [f"{kind}: {where}" for kind, where, _ in found.remarks]) == (
        code,
        rules,
        remarks,
    )


@each_row(
    ("given", "remarks"),
    [
        # The stub that keeps its fault away is named.
        ([stub(WELL), EVERY], [
            ("left out", "[1]", "its fault could come to requests of the stub given.json: [0], which comes first and has no rule"),
        ]),
        ([DOWN, {"name": "gcs", "upstream": "b:3", "enabled": True, "toxics": []}], [
            ("changed", "[0]", "connections are accepted and closed; Toxiproxy refuses them"),
            ("unused", "[0].toxics[0]", "its proxy is not enabled"),
            ("changed", "[0]", "a rule knows no upstream: use these rules in front of a\\x1b:2 alone"),
            ("unused", "[1].upstream", "it has nothing to do with faults"),
        ]),
    ],
)  # fmt: skip
def test_why(convert, given, remarks):
    """The reason of each remark that is not of the answer of the stub itself."""
    assert [each for each in convert(given).remarks if each[1] != "[0].response"] == remarks


def test_wiremock_files_are_one_list(convert, tmp_path):
    """A folder of mappings is one list: priorities hold over its files."""
    first = {"priority": 1, **stub({"status": 200})}
    (tmp_path / "first.json").write_text(json.dumps(first), encoding="utf-8")
    found = convert({"request": {}, "response": {"status": 503}}, "first.json")
    assert (found.code, found.rules) == (1, [])


@each_row(
    ("ordinary", "fault", "in_the_way"),
    [
        ({"url": "/a?x=1"}, {"url": "/a"}, True),  # its rule is for requests with further parameters too
        ({"url": "/a?x=1"}, {"url": "/a?x=1"}, True),
        ({"url": "/a?x=1"}, {"url": "/a?x=2"}, False),
        ({"url": "/a?x=1&y=2"}, {"url": "/a?y=2"}, True),
        ({"url": "/a?x=1"}, {"url": "/a?y=2"}, False),
        ({"url": "/a"}, {"url": "/a?y=2"}, False),
        ({"url": "/a?x=1"}, {"urlPath": "/a"}, True),
        ({"url": "/a?x=1"}, {"urlPath": "/b"}, False),
        ({"urlPath": "/a"}, {"url": "/a?y=2"}, True),
        ({"urlPath": "/a"}, {"url": "/b"}, False),
        ({"urlPath": "/a%20b"}, {"url": "/a b"}, True),
        ({"urlPath": "/b"}, {"urlPathPattern": "/b/.*"}, False),
        ({"urlPath": "/b/c"}, {"urlPathPattern": "/b/.*"}, True),
        ({"urlPath": "/b/c"}, {"urlPathPattern": ".*"}, True),
        ({"urlPathPattern": "/b/.*"}, {"urlPath": "/a"}, False),
        ({"urlPathPattern": "/b/.*"}, {"urlPath": "/b/"}, True),
        ({"urlPathPattern": "/b/.*"}, {"urlPathPattern": "/b/c/.*"}, True),
        ({"urlPathPattern": "/b/c/.*"}, {"urlPathPattern": "/b/.*"}, True),
        ({"urlPathPattern": "/b/c/.*"}, {"urlPathPattern": "/b/d/.*"}, False),
        ({"urlPathPattern": "/b/c"}, {"urlPath": "/b/c"}, True),
        ({"urlPathPattern": "/b/c/"}, {"urlPath": "/b/c/"}, True),
        # What no pattern of a rule says is compared as the expression that it is.
        ({"urlPathPattern": "/b/[0-9]+"}, {"urlPath": "/a"}, False),
        ({"urlPathPattern": "/b/[0-9]+"}, {"urlPath": "/b/c"}, False),
        ({"urlPathPattern": "/b/[0-9]+"}, {"urlPath": "/b/1"}, True),
        ({"urlPathPattern": "/b/[0-9]+"}, {"urlPathPattern": "/c/.*"}, False),
        ({"urlPathPattern": "/b/[0-9]+"}, {"urlPathPattern": "/b/.*"}, True),
        ({"urlPathPattern": "/b/[0-9]+"}, {}, True),
        ({"urlPathPattern": "/(b|c)/[0-9]+"}, {"urlPath": "/a"}, False),
        ({"urlPathPattern": "/b/1|/a/.*"}, {"urlPathPattern": "/a/.*"}, True),
        ({"urlPathPattern": "/b/(x)|/a/(y)"}, {"urlPathPattern": "/a/.*"}, True),
        ({"urlPathPattern": "/b?[0-9]*"}, {"urlPathPattern": "/a/.*"}, True),
        ({"urlPathPattern": "/b%20[0-9]+"}, {"urlPath": "/b 1"}, True),
        ({"urlPathPattern": "/b/[\\w&&[^a]]+"}, {"urlPath": "/b/a"}, True),  # Python has no such expression
        ({"urlPathPattern": "/b/\\p{Alpha}+"}, {"urlPath": "/b/1"}, True),
        ({"urlPathPattern": "/b/\\p{Alpha}+"}, {"urlPath": "/a/1"}, False),
        ({"urlPathTemplate": "/b/{id}"}, {"urlPath": "/a"}, False),
        ({"urlPathTemplate": "/b/{id}"}, {"urlPath": "/b/1"}, True),
        ({"urlPathTemplate": "/b/{id}"}, {"urlPath": "/b/1/c"}, False),
        ({"urlPathTemplate": "/b/{id}/**"}, {"urlPath": "/b/1/c"}, True),
        ({"urlPathTemplate": "/b.c/{id}"}, {"urlPath": "/bxc/1"}, False),
        ({"urlPattern": "/b/.*"}, {"urlPath": "/a"}, False),
        ({"urlPattern": "/b/.*"}, {"urlPath": "/b/c"}, True),
        ({"urlPattern": "/b\\?x=[0-9]"}, {"urlPath": "/b"}, True),
        ({"urlPattern": "/b\\?x=[0-9]"}, {"urlPath": "/b/c"}, False),
        ({"method": "GET"}, {"method": "PUT"}, False),
        ({"method": "GET"}, {"method": "GET"}, True),
        ({"method": "GET"}, {"method": "ANY"}, True),
        ({"method": "ANY"}, {"method": "GET"}, True),
        ({"method": {"oneOf": ["GET"]}}, {"method": "PUT"}, True),
        ({"method": "GET", "urlPath": "/a"}, {"method": "GET", "urlPath": "/b"}, False),
        ({"queryParameters": {"a": {"equalTo": "1"}}}, {"queryParameters": {"a": {"equalTo": "2"}}}, False),
        ({"queryParameters": {"a": {"equalTo": "1"}}}, {"queryParameters": {"A": {"equalTo": "2"}}}, True),
        ({"queryParameters": {"a": {"equalTo": "1"}}}, {"queryParameters": {"b": {"equalTo": "2"}}}, True),
        ({"headers": {"X": {"equalTo": "1"}}}, {"headers": {"x": {"equalTo": "2"}}}, False),
        ({"headers": {"X": {"equalTo": "1"}}}, {"headers": {"x": {"equalTo": "1"}}}, True),
        ({"headers": {"X": {"equalTo": "1"}}}, {"headers": {"X": {"absent": True}}}, False),
        ({"headers": {"X": {"absent": True}}}, {"headers": {"X": {"equalTo": "1"}}}, False),
        ({"headers": {"X": {"absent": True}}}, {"headers": {"X": {"absent": True}}}, True),
        ({"headers": {"X": {"matches": "a.*"}}}, {"headers": {"X": {"equalTo": "b"}}}, False),
        ({"headers": {"X": {"matches": "a.*"}}}, {"headers": {"X": {"equalTo": "ab"}}}, True),
        ({"headers": {"X": {"equalTo": "b"}}}, {"headers": {"X": {"matches": "a.*"}}}, False),
        ({"headers": {"X": {"matches": "a.*"}}}, {"headers": {"X": {"matches": "b.*"}}}, True),
        ({"headers": {"X": {"matches": "a.*"}}}, {"headers": {"X": {"absent": True}}}, False),
        ({"headers": {"X": {"matches": "("}}}, {"headers": {"X": {"equalTo": "b"}}}, True),
        (
            {"headers": {"X": {"equalTo": "A", "caseInsensitive": True}}},
            {"headers": {"X": {"equalTo": "a"}}},
            True,
        ),
        ({"headers": ["X"]}, {"headers": {"X": {"equalTo": "1"}}}, True),
    ],
)
def test_wiremock_which_answers_are_in_the_way(convert, ordinary, fault, in_the_way):
    """Those to requests that the rule of a later stub is for."""
    given = [
        {"request": ordinary, "response": {"status": 200}},
        {"request": fault, "response": {"status": 503}},
    ]
    assert convert(given).told("left out") == (["[1]"] if in_the_way else [])


def test_imported_rules_do_what_they_say(convert):
    """Status, code and order, through the middleware."""

    def asks(document, *targets):
        client = Client(faultinject.install(app, " ".join(convert(document).rules), enabled=True))
        return [client.get(target) for target in targets]

    states = [state("Started", "two", BROKEN), state("two", "three", {"status": 429})]
    assert [each.status_code for each in asks(states, *["/a"] * 3)] == [503, 429, 200]
    mapping = stub({"status": 418, "body": "short and stout", "headers": {"X-Pot": "tea"}}, method="GET")
    there, elsewhere = asks(mapping, "/a", "/b")
    assert (there.status_code, there.text, there.headers["x-pot"]) == (418, "short and stout", "tea")
    assert elsewhere.status_code == 200
