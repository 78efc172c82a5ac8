"""Rules for proxies: what they cannot be told is named, and a rule is left out where it would do more than it says."""

from __future__ import annotations

import pytest
import yaml

from faultinject.conversion import expressions, haproxy, nginx

TARGETS = ("haproxy", "nginx", "envoy", "istio")
FAULTS = {"haproxy": "http:503", "nginx": "http:503", "envoy": "http:503", "istio": "latency,delay=1s"}
"""One that the target is told of without a remark."""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
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
    ],
)
def test_what_no_proxy_can_do(export, target, rule, where):
    """The whole rule is left out, with the key that is to blame; the next one is written."""
    found = export(target, f"{rule},name=one", f"{FAULTS[target]},name=two")
    assert found.code == 1
    assert found.told("left out") == [f"one: {where}"]
    assert "the rule is left out" in found.remarks[-1][2]
    assert "two" in found.text
    assert "one" not in found.text.replace("connect", "")


@pytest.mark.parametrize(
    ("target", "rule", "where"),
    [
        ("haproxy", "latency,delay=1s", "latency"),
        ("haproxy", "http:503,client=test*", "client"),
        ("haproxy", "http:503,client==10.0.0.1", "client"),
        ("nginx", "hang", "hang"),
        ("nginx", "http:503,size=5", "size"),
        ("nginx", "s3:TemporaryRedirect", None),
        ("nginx", "http:503,message=" + "x" * 4001, None),
        ("haproxy", "http:503,message=" + "x" * 12_001, None),
        ("haproxy", "http:503," + ",".join(f"set.x-{n}=1" for n in range(20)), None),
        ("envoy", "http:503,client=10.0.0.1", "client"),
        ("envoy", "reset", "reset"),
        ("nginx", "drip,rate=1KiB,of=cos:SlowDown", "of"),
        ("haproxy", "http:503," + ",".join(f"client=10.0.0.{n}" for n in range(60)), None),
        ("haproxy", "close," + ",".join(f"unless.client=10.0.0.{n}" for n in range(60)), None),
        ("haproxy", "http:503,header.x'y=1", "header.x'y"),
        ("haproxy", 'http:503,header."x#y"=1', "header.x#y"),
        ("nginx", "http:503,header.x.y=1", "header.x.y"),
        ("nginx", "http:503,unless.header.x|y=1", "header.x|y"),
        ("nginx", "http:503,header.x==", None),
        ("istio", "latency,delay=1s,path=photos/,bucket=b", "bucket"),
        ("envoy", "drip,rate=1KiB,of=cos:SlowDown", "of"),
        ("istio", "http:503,query.a=b", "query.a"),
        ("istio", "http:503,unless.path=a", "unless.path"),
        ("istio", "http:503,operation=GetObject", "operation"),
        ("istio", "drip,rate=1KiB", "drip"),
        ("nginx", "http:503,operation=CreateSession,key=a", "operation"),
        ("nginx", "http:503,operation=ListDirectoryBuckets", "operation"),
    ],
)
def test_what_one_proxy_cannot_do(export, target, rule, where):
    """The rule is left out."""
    found = export(target, f"{rule},name=one")
    assert found.code == 1
    assert f"one: {where}" if where else "one" in found.told("left out")
    assert "return 503" not in found.text
    assert "http_status" not in found.text


@pytest.mark.parametrize(
    ("target", "rule", "kind", "where"),
    [
        ("haproxy", "http:503,drain=no", "left out", "one: drain"),
        ("haproxy", "cos:SlowDown,exact=yes", "left out", "one: exact"),
        ("haproxy", "reset,http2=yes", "left out", "one: http2"),
        ("haproxy", "reset", "changed", "one: reset"),
        ("haproxy", "hang", "changed", "one: hang"),
        ("haproxy", "http:503,delay=1s..3s", "changed", "one: delay"),
        ("haproxy", "close,delay=1s", "left out", "one: delay"),
        ("haproxy", "cos:SlowDown", "changed", "one: answer"),
        ("haproxy", "http:503,set.x-e=", "left out", "one: answer"),
        ("nginx", "http:503,set.x-e=", "left out", "one: answer"),
        ("haproxy", "http:503,bucket=a", "changed", "one: bucket"),
        ("nginx", "http:503,delay=1s", "left out", "one: delay"),
        ("nginx", "http:503,probability=0.00014", "changed", "one: probability"),
        ("nginx", "drip,rate=1KiB", "changed", "one: rate"),
        ("envoy", "drip,rate=1000", "changed", "one: rate"),
        ("envoy", "http:503,delay=1s,probability=0.5", "left out", "one: delay"),
        ("istio", "http:503,delay=1s,probability=0.5", "left out", "one: delay"),
        ("istio", "http:503", "left out", "one: answer"),
    ],
)
def test_effects_that_are_said_otherwise(export, target, rule, kind, where):
    """The rule stays, without or with another effect."""
    found = export(target, f"{rule},name=one")
    assert where in found.told(kind)
    assert "one" in found.text
    assert found.code == int(bool(found.told("left out")))


@pytest.mark.parametrize(
    ("target", "exact", "other", "said"),
    [
        ("haproxy", "0.000001", "0.0000001", "HAProxy rounds it to 0 %"),
        ("haproxy", "0.29", "0.1234567", "HAProxy rounds it to 12.3457 %"),
        ("nginx", "0.0001", "0.0000001", "nginx rounds it to 0 %"),
        ("envoy", "0.000003", "0.0000001", "Envoy rounds it to 0 %"),
        ("envoy", "0.57", "0.99999999", "Envoy rounds it to 100 %"),
        ("istio", "0.000007", "0.0000001", "Istio rounds it to 0 %"),
    ],
)
def test_chances_that_are_rounded(export, target, exact, other, said):
    """Told by every proxy, and only where another chance comes of it."""
    rule = FAULTS[target]
    found = export(target, f"{rule},probability={exact}", f"{rule},method=GET,probability={other},name=one")
    assert [(where, why) for _, where, why in found.remarks if "probability" in where] == [
        ("one: probability", said)
    ]


def test_scenarios(tmp_path, export):
    """A seed is another one's, `abort` is left out; of rules of one route only the first is for a request in Istio."""
    path = tmp_path / "a.toml"
    path.write_text(
        'seed = "1"\nabort = "5xx>5%/1m"\n[[rules]]\nfault = "http:503"\ncors = false\nper = "call"\n'
    )
    found = export("nginx", file=path)
    assert (found.told("changed"), found.told("left out")) == (["seed"], ["abort"])
    found = export("istio", "latency,delay=1s", "latency,delay=2s,probability=0.5,method=GET")
    assert (found.code, found.told("changed")) == (0, ["rule-2"])
    found = export("haproxy", "http:503,delay=1s", "http:500,delay=2s", "http:502,delay=1s")
    assert (found.told("changed"), found.text.count("timeout tarpit 1000ms")) == (["rule-2: delay"], 1)


def test_a_group_is_each_of_its_errors(export):
    """With a chance for each of what the earlier ones have left, which makes them equal."""
    found = export("haproxy", "jss:@throttle,probability=0.3", "gateway:@server,probability=0.4,name=g")
    lines = [line for line in found.text.splitlines() if "return status" in line]
    chances = [int(line.partition("lt ")[2].split()[0]) / 1e6 for line in lines if 'faultinject "g"' in line]
    left, all_of_them = 1.0, []
    for chance in chances:
        all_of_them.append(left * chance)
        left *= 1 - chance
    assert len(chances) > 2
    assert all_of_them == pytest.approx([0.4 / len(chances)] * len(chances), abs=1e-5)
    assert "# g-BadGateway: " in found.text
    assert export("haproxy", "cos:@throttle").told("changed") == ["rule-1: answer"]


def test_a_group_in_istio(export):
    """One route with the whole chance where its errors have one status; else it is left out: no request comes to a second route."""
    found = export("istio", "cos:@throttle,probability=0.3,name=g", "gateway:@server,name=h")
    routes = yaml.safe_load(found.text)["spec"]["http"]
    assert [route.get("fault", {}).get("abort", {}).get("percentage") for route in routes] == [
        {"value": 30.0},
        None,
    ]
    assert [each for each in found.told("left out") if each.startswith("h")] == ["h-InternalServerError"]


def test_istio_is_a_virtual_service(export):
    """The shape of its resource, with its matches."""
    found = export(
        "istio",
        'latency,delay=1500ms,probability=0.3,method=GET,path="/a b/**",host=*.example,header.x-a=,unless.header.x-b=c*',
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
                        "uri": {"regex": "/a%20b(?:/[^/]*)*"},
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
    """Of a header that must not be there Envoy has no value to look at; one with another value may be missing."""
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


def test_a_rule_for_two_operations(export):
    """It is two filters, each with the tests of its operation; what is told of both is told once."""
    found = export("envoy", "drip,rate=1000,operation=PutObject,operation=GetObject")
    assert found.told("changed") == ["rule-1: operation", "rule-1: rate"]
    written = filters_of_envoy(found)
    assert {name: config["response_rate_limit"]["fixed_limit"] for name, config in written.items()} == {
        "faultinject.rule-1-1": {"limit_kbps": 1},
        "faultinject.rule-1-2": {"limit_kbps": 1},
    }
    methods = [config["headers"][0]["string_match"]["safe_regex"]["regex"] for config in written.values()]
    assert sorted(methods) == ["GET", "PUT"]


def test_operations_of_a_vendor(export):
    """A header that tells one operation from another is the vendor's own; of no vendor, that of S3."""
    for rule, prefix in (("cos:SlowDown", "x-cos-"), ("oss:InternalError", "x-oss-"), ("http:503", "x-amz-")):
        copied = export("haproxy", f"{rule},operation=CopyObject").text
        stored = export("haproxy", f"{rule},operation=PutObject").text
        assert f"}} {{ req.fhdr({prefix}copy-source) -m reg" in copied
        assert f" !{{ req.fhdr({prefix}copy-source) -m reg" in stored


@pytest.mark.parametrize(
    ("pattern", "raw", "expression"),
    [
        ("photos/", False, "/photos/.*"),
        ("/", False, "/.*"),
        ("a?/*.jpg", False, r"/a[^/]/[^/]*\.jpg"),
        ("**/x", False, "(?:/[^/]*)*/x"),
        ("=a*", False, r"/a\*"),
        ("=/a", False, "/a"),
        ("ü+%", True, "/%[Cc]3%[Bb][Cc](?:%2[Bb]|\\+)%25"),
        ("a\nb", False, r"/a\x0ab"),
        ("a\nb", True, "/a%0[Aa]b"),
    ],
)
def test_paths_as_expressions(pattern, raw, expression):
    """Nothing of a text is an operator; in raw text what may be encoded is either."""
    assert expressions.of_path(pattern, raw=raw) == expression.replace(
        "%[Cc]3%[Bb][Cc](?", "%[Cc]3%[Bb][Cc](?"
    )


@pytest.mark.parametrize(("pattern", "expression"), [("", ".*"), ("a*b", "a.*b"), ("=a*", r"a\*")])
def test_values_as_expressions(pattern, expression):
    """An empty one is any."""
    assert expressions.of_value(pattern) == expression


def test_an_answer_without_a_body(export):
    """Has no Content-Type either."""
    found = export("haproxy", "azure-blob:ConditionNotMet")
    assert "http-request return status 304 hdr x-ms-request-id" in found.text
    assert "content-type" not in found.text


def test_a_header_without_a_value(export):
    """Envoy drops it unless it is told not to."""
    manager = yaml.safe_load(export("envoy", "http:503,set.x-e=,set.x-f=1").text)
    [listener] = manager["static_resources"]["listeners"]
    [mapper] = listener["filter_chains"][0]["filters"][0]["typed_config"]["local_reply_config"]["mappers"]
    kept = {each["header"]["key"]: each.get("keep_empty_value") for each in mapper["headers_to_add"]}
    assert (kept["x-e"], kept["x-f"]) == (True, None)


def test_words_of_configurations():
    """What ends a word, a line or a text is escaped."""
    odd = "a\"b\\c$d;e\nf%g{h}#'\t\r\0é"
    assert haproxy.quoted(odd.encode()) == '"a\\"b\\\\c\\$d;e\\x0af%g{h}#\'\\x09\\x0d\\x00\\xc3\\xa9"'
    assert nginx.quoted(odd) == '"a\\"b\\\\c${faultinject_dollar}d;e\\nf%g{h}#\'\\t\\ré"'
    assert nginx.quoted("a$", variables=False) == '"a$"'
