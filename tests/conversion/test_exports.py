"""A rule for a proxy is left out if it would do more than it says, and losses are named."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from tests.console import command
from tests.rows import each_row

TARGETS = ("envoy", "istio")
FAULTS = {"envoy": "http:503", "istio": "latency,delay=1s"}
"""One that the target is told of without a remark."""
HEX = "[0-9A-Fa-f]"
ONE = f"(?:[^/%?]|%[0-7]{HEX}|%[CDcd]{HEX}%{HEX}{HEX}|%[Ee]{HEX}(?:%{HEX}{HEX}){{2}}|%[Ff]{HEX}(?:%{HEX}{HEX}){{3}})"
"""One character as it is sent: itself, or the bytes of its UTF-8."""


@pytest.mark.parametrize("target", TARGETS)
@each_row(
    ("rule", "where"),
    [
        ("http:503,times=2", "times"),
        ("http:503,skip=1", "skip"),
        ("http:503,every=2", "every"),
        ("http:503,above=5/s", "above"),
        ("http:503,begin=1s", "begin"),
        ("http:503,end=1s", "end"),
        ("http:503,when=after", "when"),
        ("http:503,after_bytes=1", "after_bytes"),
        ("s3:InternalError,status=200,share=0.5", "share"),
        ("truncate", "truncate"),
        ("stall", "stall"),
        ("corrupt", "corrupt"),
        ("http:503,sample=client:0.5", "sample"),
        ("http:503,unless.bucket=a", "unless.bucket"),
        ("azure-blob:ServerBusy,bucket=a", "bucket"),
        ("azure-blob:ServerBusy,key=k", "key"),
        ("http:503,path=photos/,bucket=b", "bucket"),
        ("http:503,path=photos/,bucket=b,key=k", "bucket"),
        ("http:503,operation=GetObject", "operation"),
        ("gateway:@server", "gateway:@server"),
        ("oneof,of=cos:SlowDown,of=cos:InternalError", "oneof"),
    ],
)
def test_what_no_proxy_can_do(export, target, rule, where):
    """The whole rule is left out, with the key that is to blame; the next one is written."""
    found = export(target, f"{rule},method=GET,name=one", f"{FAULTS[target]},name=two")
    assert (found.code, found.told("left out")) == (1, [f"one: {where}"])
    assert "the rule is left out" in found.remarks[-1][2]
    assert ["two" in found.text, "one" in found.text.replace("connect", "")] == [True, False]


@each_row(
    ("target", "rule", "where"),
    [
        ("envoy", "http:503,client=10.0.0.1", "client"),
        ("envoy", "reset", "reset"),
        ("envoy", "drip,rate=1KiB,of=cos:SlowDown", "of"),
        ("istio", "http:503,query.a=b", "query.a"),
        ("istio", "http:503,unless.path=a", "unless.path"),
        ("istio", "drip,rate=1KiB", "drip"),
    ],
)
def test_what_one_proxy_cannot_do(export, target, rule, where):
    """The rule is left out."""
    found = export(target, f"{rule},name=one")
    assert (found.code, f"one: {where}" in found.told("left out")) == (1, True)
    assert not re.search("return 503|http_status", found.text)


@each_row(
    ("target", "rule", "kind", "where"),
    [
        ("envoy", "http:503,drain=no", "left out", "one: drain"),
        ("envoy", "http:503,delay=1s..3s", "changed", "one: delay"),
        ("envoy", "drip,rate=1KiB,delay=1s", "left out", "one: delay"),
        ("envoy", "cos:SlowDown", "changed", "one: answer"),
        ("envoy", "oneof,of=cos:SlowDown", "changed", "one: answer"),
        ("envoy", "http:503,bucket=a", "changed", "one: bucket"),
        ("envoy", "drip,rate=100", "changed", "one: rate"),
        ("envoy", "http:503,delay=1s,probability=0.5", "left out", "one: delay"),
        ("istio", "http:503,delay=1s,probability=0.5", "left out", "one: delay"),
        ("istio", "http:503", "left out", "one: answer"),
    ],
)
def test_effects_that_are_said_otherwise(export, target, rule, kind, where):
    """The rule stays, without or with another effect."""
    found = export(target, f"{rule},name=one")
    assert (where in found.told(kind), "one" in found.text) == (True, True)
    assert '"limit_kbps": 0' not in found.text, "Envoy refuses it"
    assert found.code == int(bool(found.told("left out")))


@each_row(
    ("target", "exact", "other", "kind", "said"),
    [
        ("envoy", "0.000003", "0.0000001", "left out", "Envoy rounds it to 0 %; the rule is left out"),
        ("envoy", "0.57", "0.99999999", "changed", "Envoy rounds it to 100 %"),
        ("envoy", "0.29", "0.1234567", "changed", "Envoy rounds it to 12.3457 %"),
        ("istio", "0.000007", "0.0000001", "left out", "Istio rounds it to 0 %; the rule is left out"),
    ],
)
def test_chances_that_are_rounded(export, target, exact, other, kind, said):
    """A rounded chance is reported only if the chance changes, and a rule with none is left out."""
    rule = FAULTS[target]
    found = export(target, f"{rule},method=GET,probability={other},name=one", f"{rule},probability={exact}")
    assert [each for each in found.remarks if "probability" in each[1]] == [(kind, "one: probability", said)]
    assert ("one" in found.text) is (kind == "changed")


def test_scenarios(tmp_path, export):
    """A seed is changed, `abort` is left out, and Istio takes only the first rule of a route."""
    path = tmp_path / "a.toml"
    path.write_text(
        'seed = "1"\nabort = "5xx>5%/1m"\n[[rules]]\nfault = "http:503"\ncors = false\nper = "call"\n'
        '[[rules]]\nfault = "reset"\ntimes = 0\n'
    )
    found = export("envoy", file=path)
    assert (found.told("changed"), found.told("left out")) == (["seed"], ["rule-2", "abort"])
    found = export("istio", "latency,delay=1s,method=GET", "latency,delay=2s,probability=0.5")
    assert (found.code, found.told("changed")) == (0, ["rule-2"])


def test_routes_of_istio_that_no_request_reaches(export):
    """A rule is left out if an earlier route takes its requests.

    So it is if that route takes them by chance, or if other routes stand between.
    """
    some = "latency,delay=1s,probability=0.5"
    found = export(
        "istio",
        f"{some},method=GET",
        f"{some},path=a",
        f"{some},path=a,method=GET,host=h",
        some,
        f"{some},path=b",
        f"{some},path=a",
    )
    assert [(where, why) for kind, where, why in found.remarks if kind == "left out"] == [
        ("rule-3", "the route of rule-1 takes all of its requests; the rule is left out"),
        ("rule-5", "the route of rule-4 takes all of its requests; the rule is left out"),
        ("rule-6", "the route of rule-2 takes all of its requests; the rule is left out"),
    ]
    routes = yaml.safe_load(found.text)["spec"]["http"]
    assert [each["name"] for each in routes] == ["rule-1", "rule-2", "rule-4", "app"]


def test_istio_is_a_virtual_service(export):
    """The shape of its resource, with its matches."""
    found = export(
        "istio",
        'latency,delay=1500ms,probability=0.3,method=GET,path="/a '
        'b/**",host=*.example,header.x-a=,unless.header.x-b=c*',
        "http:503,path=x",
        upstream="app.svc:80",
    )
    data = yaml.safe_load(found.text)
    route = [{"destination": {"host": "app.svc", "port": {"number": 80}}}]
    assert (data["apiVersion"], data["kind"]) == ("networking.istio.io/v1", "VirtualService")
    assert data["spec"] == {
        "hosts": ["app.svc"],
        "http": [
            {
                "name": "rule-1",
                "match": [
                    {
                        "method": {"regex": "GET"},
                        "uri": {"regex": "/a%20b(?:/[^/?]*)*"},
                        "authority": {"regex": r"(?i)(?:.*\.example)(?::[0-9]+)?"},
                        "headers": {"x-a": {}},
                        "withoutHeaders": {"x-b": {"regex": "c.*"}},
                    }
                ],
                "fault": {"delay": {"fixedDelay": "1.500s", "percentage": {"value": 30.0}}},
                "route": route,
            },
            {
                "name": "rule-2",
                "match": [{"uri": {"regex": "/x"}}],
                "fault": {"abort": {"httpStatus": 503, "percentage": {"value": 100.0}}},
                "route": route,
            },
            {"name": "app", "route": route},
        ],
    }


def filters_of_envoy(found):
    """The fault filters of a configuration, by name."""
    [listener] = yaml.safe_load(found.text)["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    *faults, router = manager["http_filters"]
    assert router["name"] == "envoy.filters.http.router"
    return {each["name"]: each["typed_config"] for each in faults}


def test_headers_that_must_not_be_there(export):
    """An absent header has no value for Envoy to look at; a forbidden value allows absence."""
    found = export("envoy", "http:503,header.x-a=,unless.header.x-b=,unless.header.x-c=c*")
    assert filters_of_envoy(found)["faultinject.rule-1"]["headers"] == [
        {"name": "x-a", "present_match": True},
        {"name": "x-b", "present_match": True, "invert_match": True},
        {
            "name": "x-c",
            "string_match": {"safe_regex": {"regex": "c.*"}},
            "invert_match": True,
            "treat_missing_header_as_empty": True,
        },
    ]


def test_buckets_and_keys_as_expressions(export):
    """They are the path of an S3 request; a rule with several has each with each."""
    found = filters_of_envoy(
        export(
            "envoy",
            "http:501,bucket=b,host=h,query.a=b",
            "http:502,key=a/*",
            "http:503,bucket=b*,key==x*,key=y",
        )
    )
    regexes = [
        [each["string_match"]["safe_regex"]["regex"] for each in config["headers"]]
        for config in found.values()
    ]
    assert regexes == [
        ["(?i)(?:h)(?::[0-9]+)?", "(?s)[^?]*\\?(?:.*&)?(?:a=b)(?:&.*)?", "(?s)(?:/b(?:/[^?]*)?)(?:\\?.*)?"],
        ["(?s)(?:/[^/?]+/a/[^/?]*)(?:\\?.*)?"],
        ["(?s)(?:(?:/b[^/?]*/x(?:%2[Aa]|\\*)|/b[^/?]*/y))(?:\\?.*)?"],
    ]


@each_row(
    ("key", "header", "pattern", "expression"),
    [
        # Nothing of a text is an operator; what may be encoded in a path is either.
        ("path", ":path", "photos/", "/photos/[^?]*"),
        ("path", ":path", "/", "/[^?]*"),
        ("path", ":path", "a?/*.jpg", rf"/a{ONE}/[^/?]*\.jpg"),
        ("path", ":path", "**/x", "(?:/[^/?]*)*/x"),
        ("path", ":path", "=a*", r"/a(?:%2[Aa]|\*)"),
        ("path", ":path", "=/a", "/a"),
        ("path", ":path", "a%2Fb?", f"/a(?:%2[Ff]|%252F)b{ONE}"),
        ("path", ":path", "=a%2Fb", "/a(?:%2[Ff]|%252F)b"),
        ("path", ":path", "ü+%", "/%[Cc]3%[Bb][Cc](?:%2[Bb]|\\+)%25"),
        ("path", ":path", "a\nb", "/a%0[Aa]b"),
        *(
            ("header.x-a", "x-a", pattern, expression)
            for pattern, expression in (("a*b", "a.*b"), ("=a*", r"a\*"), ("a\nb", r"a\x0ab"), ("a\x7f", r"a\x7f"))
        ),
    ],
)  # fmt: skip
def test_patterns_as_expressions(export, key, header, pattern, expression):
    """Of a path, whose query may be anything, and of a header's value."""
    [found] = filters_of_envoy(export("envoy", f'http:503,{key}="{pattern}"')).values()
    [matcher] = [each for each in found["headers"] if each["name"] == header]
    whole = rf"(?s)(?:{expression})(?:\?.*)?" if key == "path" else expression
    assert matcher["string_match"]["safe_regex"]["regex"] == whole


@each_row(
    ("rule", "targets"),
    [
        ("http:503,key=*", ["/b", "/b/", "/b/?list-type=2", "/b/k", "/b/k/l"]),
        ("http:503,key=**", ["/b", "/b/", "/b/?list-type=2", "/b/k", "/b/k/l"]),
        ("http:503,bucket=b,key=**/*", ["/b", "/b/", "/b/k", "/b/k/l", "/c/k"]),
        ("http:503,method=GET,key=**,unless.query.uploadId=", ["/b", "/b/k", "/b/k?uploadId=1"]),
        ("http:503,query.uploads=*", ["/b/k", "/b/k?uploads", "/b/k?uploads=", "/b/k?a&uploads=1", "/b/k?uploadsx"]),
        ("http:503,query.uploads==", ["/b/k", "/b/k?uploads", "/b/k?uploads=", "/b/k?a&uploads=1", "/b/k?uploadsx"]),
        ("http:503,path=/o/a%2Fb", ["/o/a%2Fb", "/o/a%2fb", "/o/a/b", "/o/a%252Fb"]),
        ("http:503,unless.path=/o/a%2Fb", ["/o/a%2Fb", "/o/a/b"]),
        ("http:503,key=a/*", ["/b/a/k", "/b?prefix=x/a/k", "/b/k?prefix=/a/"]),
        ("http:503,path=/*/photos", ["/b/photos", "/b?prefix=x/photos"]),
        ("http:503,bucket=*", ["/", "/?x-id=ListBuckets", "/b", "/b/", "/b/k"]),
        ("http:503,bucket=**,unless.query.acl=", ["/", "/?prefix=a/", "/b", "/b?acl", "/b/k"]),
        ("http:503,key=***", ["/b", "/b/", "/b/k", "/b/k/l"]),
        ("http:503,key=*/**", ["/b", "/b/", "/b//", "/b/k", "/b/k/l"]),
        ("http:503,key=**/", ["/b", "/b/", "/b//", "/b/k", "/b/k/", "/b/k/l"]),
        ("http:503,key=**/**", ["/b", "/b/", "/b/k", "/b/k/l"]),
        ("http:503,key=*/*", ["/b", "/b/", "/b//", "/b/k", "/b/k/l"]),
        ("http:503,bucket=b,key==a?", ["/b/a", "/b/a?", "/b/a?x", "/b/a%3F", "/b/a%3f"]),
        ("http:503,path==/a?", ["/a", "/a?", "/a?x", "/a%3F"]),
        ("http:503,query.a=?", ["/b?a=?", "/b?a=%3F", "/b?a="]),
        ('http:503,query.a="b c"', ["/b?a=b+c", "/b?a=b%20c", "/b?a=bc"]),
        ("http:503,query.delimiter=/", ["/b", "/b?delimiter=/", "/b?delimiter=%2F", "/b?delimiter=%2f&prefix=a"]),
        ("http:503,unless.query.delimiter=/", ["/b", "/b?delimiter=/", "/b?delimiter=%2F", "/b?delimiter=%2f&prefix=a"]),
        ("http:503,query.prefix=a/*", ["/b?prefix=a", "/b?prefix=a/", "/b?prefix=a%2F", "/b?prefix=a%2Fx", "/b?prefix=a/x"]),
    ],
)  # fmt: skip
def test_envoy_takes_the_same_requests(export, rule, targets):
    """Envoy takes the same requests as `check --request`.

    Stars stand for no missing key, a parameter may have no value, and an encoded slash is a slash.
    """
    [found] = filters_of_envoy(export("envoy", rule)).values()

    def envoy_takes(target):
        sent = {":path": target, ":method": "GET"}
        return all(
            bool(re.fullmatch(each["string_match"]["safe_regex"]["regex"], sent[each["name"]]))
            is not each.get("invert_match", False)
            for each in found["headers"]
        )

    ours = {
        each: bool(
            json.loads(command("check", rule, "--json", "--request", each).stdout)["request"]["matches"]
        )
        for each in targets
    }
    assert ({each: envoy_takes(each) for each in targets}, {*ours.values()}) == (ours, {True, False})


def test_an_answer_without_a_body(export):
    """Has no Content-Type either."""
    text = export("envoy", "azure-blob:ConditionNotMet/1").text
    said = ['"http_status": 304', '"key": "x-ms-request-id"', "content_type"]
    assert [each in text for each in said] == [True, True, False]


def test_texts_of_envoy(export):
    """A header without a value is kept, `%` is no operator, and a delay that always comes stays."""
    found = export("envoy", "http:503,set.x-e=,set.x-f=1%,message=2%,delay=1s", listen="[::1]:65535")
    assert filters_of_envoy(found)["faultinject.rule-1"]["delay"]["fixed_delay"] == "1.000s"
    [listener] = yaml.safe_load(found.text)["static_resources"]["listeners"]
    assert listener["address"]["socket_address"] == {"address": "::1", "port_value": 65535}
    [mapper] = listener["filter_chains"][0]["filters"][0]["typed_config"]["local_reply_config"]["mappers"]
    assert mapper["body_format_override"]["text_format_source"]["inline_string"] == "2%%"
    kept = {
        each["header"]["key"]: (each["header"]["value"], each.get("keep_empty_value"))
        for each in mapper["headers_to_add"]
    }
    assert (kept["x-e"], kept["x-f"]) == (("", True), ("1%%", None))
