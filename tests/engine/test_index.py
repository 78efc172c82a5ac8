"""The index never hides a rule: what it leaves out could not have matched."""

from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultinject import Injector, Rule, vendors
from tests.decisions import candidates as candidates_of
from tests.decisions import decide as decide_one
from tests.decisions import meets, reads, view
from tests.slowly import slowly

ENDPOINTS = ("storage.example",)

SEGMENTS = [
    "photos",
    "film",
    "a.b",
    "a",
    "é",
    "猫",
    "%2F",
    "a%2Fb",
    "%41",
    ".",
    "..",
    "",
    "\ufffd",
    "%FF",
    "%2f",
    "P",
    "x y",
]
WILD = ["*", "**", "?", "a*", "*a", "ph?tos", "é*", "=a", "%2F*"]
HOSTS = [
    "",
    "example.com",
    "Example.COM:8080",
    "photos.storage.example",
    "Photos.Storage.Example:80",
    "a.b.storage.example",
    "a.b.cos.ap-x.myqcloud.com",
    "photos.cos.ap-x.myqcloud.com:443",
    "film.s3.amazonaws.com",
    "a.pek3a.qingstor.com",
    "storage.example",
    "[::1]:80",
    "[::1]",
    "127.0.0.1:1",
    "é.example",
    ":80",
]
BUCKETS = [
    "photos",
    "film",
    "a.b",
    "a",
    "é",
    "P",
    "=a*",
    "=a",
    "p*",
    "*",
    "a%2Fb",
    "x y",
    "..",
    "=photos",
    "*.b",
]
METHODS = ["PUT", "GET", "put", "Delete", "PROPPATCH", "propPatch", "OPTIONS", "=PUT", "P*", "HEAD"]

patterns = st.builds(
    lambda parts, lead, tail: lead + "/".join(parts) + tail,
    st.lists(st.sampled_from(SEGMENTS) | st.sampled_from(WILD), min_size=1, max_size=4),
    st.sampled_from(["", "/", "="]),
    st.sampled_from(["", "/", "/**"]),
).filter(bool)


VALUES = [
    "",
    "1",
    "abc",
    "=abc",
    "=",
    "=a*",
    "a*",
    "*c",
    "\u00e9",
    "\u00c3\u00a9",
    "a b",
    "a+b",
    "ABC",
    "1,abc",
    "a%62c",
    "\ufffd",
]


def some(values):
    return st.lists(values, min_size=1, max_size=3, unique=True)


def named(names, values):
    return st.dictionaries(st.sampled_from(names), some(st.sampled_from(values)), min_size=1, max_size=2)


conditions = st.fixed_dictionaries(
    {},
    optional={
        "method": some(st.sampled_from(METHODS)),
        "path": some(patterns),
        "bucket": some(st.sampled_from(BUCKETS)),
        "host": some(
            st.sampled_from(
                [
                    "example.com",
                    "EXAMPLE.com",
                    "*.storage.example",
                    "=Example.com",
                    "[::1]",
                    "127.0.0.1",
                    "é.example",
                    "*",
                ]
            )
        ),
        "key": some(patterns),
        "header": named(["x-test", "X_Test", "content-type", "x-ms-blob-type"], [*VALUES, "BlockBlob"]),
        "query": named(["x", "tags[]", "\u00e9", "a b", "uploads", "X", "prefix", "\u00c3\u00a9"], VALUES),
    },
)
# One vendor of each addressing, and operations that its requests here can be.
ADDRESSINGS = {
    None: ["GetObject", "Put*", "ListObjects", "List*", "GetBucketLifecycle", "OptionsObject", "*"],
    "gcs": ["storage.objects.get", "storage.objects.*", "storage.buckets.get", "storage.bucket_acl.list"],
    "azure-blob": ["blob.*", "block_blob.upload", "container.create", "service.*"],
    "b2": ["b2_download_file_by_name", "b2_*", "b2_list_buckets"],
    "swift": ["get_object", "put_*", "get_account"],
    "kodo": ["stat", "list", "get", "*"],
}


def rule_of(fault, vendor, keys, operations, unless):
    """Operations of another vendor would be refused."""
    asked = [each for each in operations if each in ADDRESSINGS[vendor]] if vendor in ADDRESSINGS else []
    return Rule(
        fault,
        **({"vendor": vendor} if vendor else {}),
        **keys,
        **({"operation": asked} if asked else {}),
        **({"unless": unless} if unless else {}),
        times=0,
    )


rules_of = st.builds(
    rule_of,
    st.sampled_from(["http:503", "gateway:BadGateway"]),
    st.sampled_from([*ADDRESSINGS, *ADDRESSINGS, "oss"]),
    conditions,
    st.lists(st.sampled_from([each for names in ADDRESSINGS.values() for each in names]), max_size=12),
    st.none() | conditions,
) | st.builds(
    rule_of,
    st.sampled_from(["cos:SlowDown", "jss:SlowDown", "qingstor:internal_error", "qiniu-mix:SlowDown"]),
    st.none(),
    conditions,
    st.lists(st.sampled_from(ADDRESSINGS[None]), max_size=2),
    st.none() | conditions,
)
targets = st.builds(
    lambda head, parts, tail: head + "/" + "/".join(parts) + tail,
    st.sampled_from(
        ["", "", "", "/storage/v1/b", "/storage/v1/b/photos/o", "/a", "/v1/a", "/file", "/stat", "/b2api/v3"]
    ),
    st.lists(st.sampled_from([*SEGMENTS, "b2_list_buckets", "acl", "cGhvdG9zOmE="]), min_size=0, max_size=4),
    st.sampled_from(["", "/"]),
)
PAIRS = [
    "x=1", "x=abc", "X=abc", "x", "%78=a%62c", "x=%61+b", "x=a%2Bb", "x=%C3%A9", "x=\u00c3\u00a9", "tags[]=abc", "tags%5B%5D=1",
    "%C3%A9=1", "\u00c3\u00a9=1", "\u00e9=%FF", "a+b=ABC", "uploads", "uploads=", "restype=container", "comp=list", "lifecycle",
    "bucket=photos", "prefix=a;x=1", "%%", "=", ";", "",
]  # fmt: skip
HEADERS = [
    ("x-test", "1"),
    ("X-Test", "abc"),
    ("x_test", "\u00c3\u00a9"),
    ("x-test", "ABC"),
    ("x-test", ""),
    ("content-type", "abc"),
    ("Content-Type", ""),
    ("upgrade", "websocket"),
    ("access-control-request-method", "PUT"),
    ("x-ms-blob-type", "BlockBlob"),
    ("x-amz-copy-source", "/a/b"),
    ("x-bz-file-name", "a%2Fb"),
]
requests_of = st.fixed_dictionaries(
    {
        "method": st.sampled_from(
            ["PUT", "GET", "put", "DELETE", "delete", "PROPPATCH", "propPatch", "OPTIONS", "HEAD", "BREW"]
        ),
        "target": targets | st.sampled_from(["*", "", "/", "http://u:p@h.example/photos/a", "u:p@h/film"]),
        "mount": st.sampled_from(
            ["", "", "", "/photos", "/é", "/a/", "/a/b", "/a%2Fb", "/ph", "/photos/a%2Fb"]
        ),
        "host": st.sampled_from(HOSTS),
        "query": st.lists(st.sampled_from(PAIRS), max_size=4).map("&".join),
        "raw": st.booleans(),
        "inside": st.booleans(),
        "text": st.sampled_from([False, False, False, True]),
        "more": st.lists(st.sampled_from(HEADERS), max_size=3),
    }
)


def encoded(target):
    """Encode a target: non-ASCII characters and blanks, but nothing that is encoded already."""
    return quote(target, safe="/%.~*")


def environ_of(method, target, mount="", host="", raw=False, inside=True, more=(), query="", text=False):
    """`text`: the path is handed out as text, as a server does that knows no better."""
    del inside
    wire = encoded(target)
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": unquote_to_bytes(encoded(mount)).decode("latin-1"),
        "PATH_INFO": unquote_to_bytes(wire).decode(*("utf-8", "replace") if text else ("latin-1",)),
        "QUERY_STRING": query,
    }
    if raw:
        environ["RAW_URI"] = f"{encoded(mount)}{wire}?{query}"
    if host:
        environ["HTTP_HOST"] = host
    for name, value in more:
        key = f"HTTP_{name.upper().replace('-', '_')}".replace("HTTP_CONTENT_TYPE", "CONTENT_TYPE")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def scope_of(method, target, mount="", host="", raw=False, inside=True, more=(), query="", text=False):
    """`inside`: the path includes the mount point, as the specification has it by now."""
    del text
    wire = encoded(mount if inside else "") + encoded(target)
    scope = {
        "type": "http",
        "method": method,
        "path": unquote_to_bytes(wire).decode("utf-8", "replace"),
        "root_path": unquote_to_bytes(encoded(mount)).decode("utf-8", "replace"),
        "query_string": query.encode("latin-1"),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in more],
    }
    if raw:
        scope["raw_path"] = wire.encode()
    if host:
        scope["headers"].append((b"host", host.encode("latin-1")))
    return scope


def matched_by_definition(rules, request):
    """Every rule is asked, with its own vendor's reading: no index, no plan."""
    headers = {name: request.header(name) for name in ("upgrade", "access-control-request-method")}
    if any(each.strip().lower() == "websocket" for each in headers["upgrade"]):
        return []
    preflight = request.method.upper() == "OPTIONS" and headers["access-control-request-method"]
    found = []
    for number, rule in enumerate(rules):
        asked = [*map(str.upper, rule.conditions.get("method", ())), *rule.conditions.get("operation", ())]
        if preflight and not {"OPTIONS", "OptionsObject"} & {*asked}:
            continue
        if meets(rule, request, ENDPOINTS):
            found.append(number)
    return found


def made_for(request):
    """Rules that the request meets if there is justice: chance alone would seldom hit."""
    _, bucket, key, *_ = reads(None, request, ENDPOINTS)
    keys = [{"method": request.method.upper()}, {"path": f"={request.path}"}, {"path": f"{request.path}/**"}]
    keys += [{"path": request.path}] if request.path else []
    keys += [{"host": f"={request.host}"}] if request.host else []
    keys += [{"host": request.host.upper()}] if request.host.isascii() and request.host else []
    # Of several patterns one may have no literal, or another sort of one.
    keys += [
        {"path": ["/elsewhere/", "**/*"]},
        {"path": ["**/elsewhere", "/**"]},
        {"key": ["elsewhere", "**"]},
    ]
    keys += [{"bucket": f"={bucket}", "method": request.method.lower()}] if bucket else []
    keys += [{"key": f"={key}"}, {"key": key}, {"key": f"**/{key.rpartition('/')[2] or '*'}"}] if key else []
    segments = [each for each in request.path.split("/") if each]
    keys += [
        *({"path": f"**/{each}/**"} for each in segments[:1]),
        *({"path": f"**/{each}"} for each in segments[-1:]),
        *({"header": {"x-test": f"={value}"}} for value in request.header("x-test")),
        *({"query": {"x": f"={value}"}} for value in request.query_values("x")),
        {"sample": "header.x-test:1"},
        {"sample": ["query.x:1", "header.x-test:1"]},
        {"sample": ["query.x:1", "client:1"]},
    ]
    made = [Rule("http:503", **each, times=0) for each in keys]
    for vendor in ADDRESSINGS:
        operation, bucket, key, *_ = reads(vendor and vendors.get(vendor), request, ENDPOINTS)
        keys = [{"operation": operation}] if operation else []
        keys += [{"operation": f"{operation[:5]}*", "method": "*"}] if operation else []
        keys += [{"bucket": f"={bucket}"}] if bucket else []
        keys += [{"bucket": bucket}] if bucket and bucket.isalnum() else []
        keys += [{"key": f"={key}"}] if key else []
        keys += [{"key": f"{key.partition('/')[0]}/"}] if key and "/" in key[1:] else []
        made += [Rule("http:503", **each, **({"vendor": vendor} if vendor else {}), times=0) for each in keys]
    return made


def decide(rules, asked, *, wsgi, record_all=False, times=1):
    """The numbers of the rules that counted the request, and of those that the index found."""
    place = environ_of(**asked) if wsgi else scope_of(**asked)
    rules = [*rules, *made_for(view(place))] * times
    injector = Injector(rules, environ={"FAULTINJECT_ENDPOINT": ENDPOINTS[0]}, record_all=record_all)
    candidates = candidates_of(injector.own_plan, place)
    decide_one(injector.own_plan, place)
    counted = [number for number, each in enumerate(injector.counts().values()) if each.matched]
    return counted, candidates, matched_by_definition(rules, view(place))


MANY_METHODS = [Rule("http:503", method=f"M{number}", times=0) for number in range(20)]


def holds(rules, asked, *, wsgi, record_all=False, times=1):
    """Check that the index finds the same rules in the same order as asking each one."""
    counted, found, expected = decide(rules, asked, wsgi=wsgi, record_all=record_all, times=times)
    assert counted == expected
    assert not record_all if found is None else list(found) == sorted(set(found))


@pytest.mark.parametrize(
    ("more", "noted", "wsgi"),
    [
        pytest.param([], False, True, id="few-environ"),
        pytest.param(MANY_METHODS, False, False, id="of many methods-scope"),
        pytest.param([], True, True, id="all is noted-environ"),
        pytest.param([], False, False, id="few-scope", marks=pytest.mark.slow),
        pytest.param(MANY_METHODS, False, True, id="of many methods-environ", marks=pytest.mark.slow),
        pytest.param([], True, False, id="all is noted-scope", marks=pytest.mark.slow),
    ],
)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(rules=st.lists(rules_of, max_size=5), asked=requests_of)
def test_the_index_hides_no_rule(rules, asked, wsgi, more, noted):
    """The index hides no rule.

    Beyond some number of methods it no longer sorts by them. If everything is noted, an empty result is not None.
    """
    holds([*rules, *more], asked, wsgi=wsgi, record_all=noted)


@pytest.mark.parametrize("wsgi", [True, slowly(False)], ids=["environ", "scope"])
@settings(max_examples=8, deadline=None, derandomize=True)
@given(rules=st.lists(rules_of, min_size=1, max_size=4), asked=requests_of)
def test_nor_where_many_rules_have_the_same_literals(rules, asked, wsgi):
    """Rules with the same literals are filed again, under each literal, until none is shared."""
    holds(rules, asked, wsgi=wsgi, times=10)


@pytest.mark.parametrize("wsgi", [True, False], ids=["environ", "scope"])
def test_a_request_of_no_rule_s_method_is_recorded(wsgi):
    """If everything is noted, it has no candidates, but is decided."""
    plan = Injector([Rule("http:503", method="PUT")], environ={}, record_all=True).own_plan
    candidates = candidates_of(plan, (environ_of if wsgi else scope_of)("GET", "/k"))
    assert (candidates is None, [*candidates]) == (False, [])


FILED = {
    "path": {"path": "/photos/2024/cat-{}.jpg"},
    "bucket": {"bucket": "bucket-{}"},
    "host": {"host": "cats-{}.example"},
    "key": {"key": "2024/cat-{}.jpg"},
    "key, literally": {"key": "=2024/cat-{}.jpg"},
    "key of Azure": {"key": "2024/cat-{}.jpg", "vendor": "azure-blob"},
    "bucket of Azure": {"bucket": "bucket-{}", "vendor": "azure-blob"},
    "header": {"header": {"x-cat": "{}"}},
    "query": {"query": {"cat[]": "cat {}"}},
    "one of two keys": {"key": ["dog-{}.jpg", "2024/cat-{}.jpg"]},
    "one bucket, other keys": {"bucket": "photos", "key": "2024/cat-{}.jpg"},
    "one host, other headers": {"host": "cats.example", "header": {"x-cat": "{}"}},
    "one path, other parameters": {"path": "/photos/", "query": {"cat[]": "cat {}"}},
    "one bucket and operation, other keys": {
        "bucket": "photos",
        "operation": "PutObject",
        "key": "2024/cat-{}.jpg",
    },
}


@pytest.mark.parametrize(("kind", "wsgi"), [(each, at % 2 == 0) for at, each in enumerate(FILED)])
def test_rules_are_told_apart_by_their_values(kind, wsgi):
    """Of many rules the one that may match is handed out, and none where none fits.

    Other methods are not looked up, and a host is found in capitals too.
    """

    def number(value, count):
        if isinstance(value, dict):
            return {number(key, count): number(each, count) for key, each in value.items()}
        return [number(each, count) for each in value] if isinstance(value, list) else value.format(count)

    rules = [Rule("http:503", method="PUT", **number(FILED[kind], count)) for count in range(300)]
    plan = Injector(rules, environ={}).own_plan

    def candidates(cat, method="PUT"):
        bucket = f"bucket-{cat}" if kind in ("bucket", "bucket of Azure") else "photos"
        host = f"CATS-{cat}.example:80" if kind == "host" else "cats.example"
        place = (environ_of if wsgi else scope_of)(
            method,
            f"/{bucket}/2024/cat-{cat}.jpg",
            host="account.blob.core.windows.net" if "vendor" in FILED[kind] else host,
            query=f"x=1&cat%5B%5D=cat+{cat}",
            more=[("X-Cat", f"{cat}")],
        )
        return candidates_of(plan, place)

    assert [candidates(cat) for cat in (17, 299, 300)] == [[17], [299], None]
    assert candidates(17, "GET") is None


@pytest.mark.parametrize("wsgi", [True, False], ids=["environ", "scope"])
@pytest.mark.parametrize(
    "keys",
    [
        {"path": "**/x.jpg"},
        {"key": "a/*"},
        {"header": {"x-cat": ""}},
        {"header": {"x-cat": "\u00e9"}},
        {"size": "1.."},
    ],
    ids=str,
)
def test_a_rule_without_a_value_of_its_own_is_asked(keys, wsgi):
    """It is handed out for every request of its method; the rule itself looks."""
    plan = Injector([Rule("http:503", method="PUT", **keys)], environ={}).own_plan
    for method, expected in (("PUT", [0]), ("GET", None)):
        assert candidates_of(plan, (environ_of if wsgi else scope_of)(method, "/b")) == expected


@pytest.mark.parametrize(
    ("method", "wsgi"),
    [("PUT", True), ("options", False), ("PROPPATCH", True), ("PROPPATCH", False), ("UNSUBSCRIBE", False)],
)
def test_a_method_is_found_in_any_case(wsgi, method):
    """A method is found in any case, and no other one is looked at.

    Also one too long for every mixture of cases to be known beforehand.
    """
    plain = {"target": "/a", "mount": "", "host": "", "raw": False, "inside": True}
    for asked in (
        method,
        method.lower(),
        method.upper(),
        method.title(),
        method.swapcase(),
        method[:3].lower() + method[3:].upper(),
    ):
        rules = [Rule("http:503", method=method, path="/a")]
        plan = Injector(rules, environ={}).own_plan
        place = environ_of(method=asked, **plain) if wsgi else scope_of(method=asked, **plain)
        assert candidates_of(plan, place) == [0]
