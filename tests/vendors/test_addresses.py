"""Bucket and key: path style and virtual-host style, as each vendor reads them."""

from urllib.parse import unquote

import pytest

from tests.rows import each_row

FAULT = {
    "cos": "cos:SlowDown",
    "jss": "jss:InternalError",
    "qingstor": "qingstor:internal_error",
    "qiniu-mix": "qiniu-mix:InternalError",
    "s3": "http:503",
}
HOSTS = [
    # whose way, host, bucket that it names
    ("cos", "photos-1250000000.cos.ap-guangzhou.myqcloud.com", "photos-1250000000"),
    ("cos", "photos-1250000000.cos.accelerate.myqcloud.com", "photos-1250000000"),
    ("cos", "photos-1250000000.cos.ap-guangzhou.tencentcos.cn", "photos-1250000000"),
    ("cos", "photos-1250000000.cos-internal.ap-guangzhou.tencentcos.cn", "photos-1250000000"),
    ("cos", "Photos-1.COS.ap-x.MyQCloud.com:8443", "photos-1"),
    ("cos", "cos.ap-guangzhou.myqcloud.com", None),
    ("cos", "service.cos.myqcloud.com", None),
    ("cos", "photos.s3.amazonaws.com", None),
    ("cos", "photos.myqcloud.com", None),
    ("cos", "photos.cos..myqcloud.com", None),
    ("cos", "evil-cos.ap-guangzhou.myqcloud.com", None),
    ("jss", "photos.storage.jd.com", "photos"),
    ("jss", "my.photos.storage.jd.com", "my.photos"),
    ("jss", "photos.storage.jcloud.com", "photos"),
    ("jss", "photos.s-bj.jcloud.com", "photos"),
    ("jss", "photos.oss.cn-north-1.jcloudcs.com", "photos"),
    ("jss", "storage.jd.com", None),
    ("jss", "oss.cn-north-1.jcloudcs.com", None),
    ("jss", "notstorage.jd.com", None),
    ("qingstor", "photos.pek3a.qingstor.com", "photos"),
    ("qingstor", "photos.s3.pek3a.qingstor.com", "photos"),
    ("qingstor", "pek3a.qingstor.com", None),
    ("qingstor", "s3.pek3a.qingstor.com", None),
    ("qiniu-mix", "photos.mix-api.qiniu.com", "photos"),
    ("qiniu-mix", "photos.cn-south-1-mix.qiniu.com", "photos"),
    ("qiniu-mix", "photos.cn-north-1-mix.qiniu.com", "photos"),
    ("qiniu-mix", "mix-api.qiniu.com", None),
    ("s3", "photos.s3.amazonaws.com.", "photos"),
    ("s3", "photos.s3.amazonaws.com.:443", "photos"),
    ("s3", "user:secret@photos.s3.amazonaws.com:443", "photos"),
    ("s3", "s3.amazonaws.com.", None),
    ("cos", "photos-1.cos.ap-x.myqcloud.com.", "photos-1"),
    ("s3", "photos.cos.ap-x.myqcloud.com", None),
    ("s3", "localhost:8000", None),
    ("s3", "127.0.0.1", None),
    ("s3", "", None),
]


def address_of(site, rule, target, host="", **more):
    made = site(rule, **more.pop("settings", {}))
    made.ask(target, host=host, **more)
    (outcome,) = made.outcomes
    return outcome.bucket, outcome.key


@each_row(("vendor", "host", "bucket"), HOSTS)
def test_a_host_below_an_endpoint_names_the_bucket(site, vendor, host, bucket):
    """Else the first segment of the path does; a host that looks alike is none."""
    place = (bucket, "a/b.jpg") if bucket else ("a", "b.jpg")
    found = [address_of(site, FAULT[vendor], target, host) for target in ("GET /a/b.jpg", "GET /")]
    assert found == [place, (bucket, None)]


IN_PATHS = {
    "GET /": (None, None),
    "GET /photos": ("photos", None),
    "GET /photos/": ("photos", None),
    "GET /photos/a": ("photos", "a"),
    "GET /photos/a/": ("photos", "a/"),
    "GET /photos//a": ("photos", "/a"),
    "GET /photos/../a/.": ("photos", "../a/."),
    "GET //a": (None, None),
    "GET /my.photos/ключ/猫 1": ("my.photos", "ключ/猫 1"),
}


@each_row("vendor", FAULT)
def test_else_the_path_does(site, vendor):
    """Nothing is normalised: keys may hold anything."""
    assert {target: address_of(site, FAULT[vendor], target) for target in IN_PATHS} == IN_PATHS


OWN = {
    "photos.storage.example": ("photos", "a/b"),
    "my.photos.STORAGE.example:8080": ("my.photos", "a/b"),
    "photos.s3.local": ("photos", "a/b"),
    "storage.example": ("a", "b"),
    "xstorage.example": ("a", "b"),
    "other.example": ("a", "b"),
}
NESTED = {
    "photos.s3.example.com": ("photos", "a/b"),
    "s3.example.com": ("a", "b"),
    "photos.example.com": ("photos", "a/b"),
    "example.com": ("a", "b"),
}


@each_row("vendor", FAULT)
@pytest.mark.parametrize(
    ("endpoints", "hosts"),
    [
        ("Storage.Example, s3.local", OWN),
        # Of two the more specific is meant, in whatever order they are given.
        ("example.com s3.example.com", NESTED),
        ("s3.example.com,example.com", NESTED),
        # No host of the public DNS has an underscore, but containers are called so.
        ("object_store.internal", {"photos.object_store.internal:9000": ("photos", "a/b")}),
    ],
)
def test_your_own_domain_is_an_endpoint_of_every_vendor(site, vendor, endpoints, hosts):
    """`FAULTINJECT_ENDPOINT` names one or more host suffixes."""
    settings = {"FAULTINJECT_ENDPOINT": endpoints}
    for host, expected in hosts.items():
        assert address_of(site, FAULT[vendor], "GET /a/b", host, settings=settings) == expected


@pytest.mark.parametrize(
    ("mount", "path", "address"),
    [
        ("/store", "/photos/a", ("photos", "a")),
        ("/store", "/", (None, None)),
        ("/store", "", (None, None)),
        ("/a/b", "/a/b/c", ("a", "b/c")),
    ],
)
def test_below_the_mount_point(site, mount, path, address):
    """An app that is mounted somewhere is a store of its own."""
    assert address_of(site, "cos:SlowDown", f"GET {path}", SCRIPT_NAME=mount) == address


@each_row(
    ("rule", "seen"),
    [
        ("http:503", "s3"),
        ("latency,delay=0ms", "s3"),
        ("gateway:BadGateway", "s3"),
        ("http:503,vendor=cos", "cos"),
        ("latency,delay=0ms,vendor=cos", "cos"),
        ("gateway:BadGateway,vendor=cos", "cos"),
        ("http:503,vendor=jss", "jss"),
        ("cos:SlowDown", "cos"),
    ],
)
def test_a_fault_of_no_storage_vendor_reads_the_s3_way_or_as_it_is_told(site, rule, seen):
    """Bucket, key, operation and identity alike."""
    hosts = {
        "s3": "photos.s3.amazonaws.com",
        "cos": "photos.cos.ap-x.myqcloud.com",
        "jss": "photos.storage.jd.com",
    }
    for vendor, host in hosts.items():
        made = site(rule)
        made.ask("PUT /a/b", host=host)
        [outcome] = made.outcomes
        place = ("photos", "a/b") if vendor == seen else ("a", "b")
        assert (outcome.operation, outcome.bucket, outcome.key) == ("PutObject", *place)


def test_each_rule_reads_a_request_its_own_way(site):
    """Three rules, three vendors, one request: the bucket is where each of them looks for it."""
    made = site(
        """cos:SlowDown,bucket=photos,name=cos jss:InternalError,bucket=photos,name=jss
        http:503,bucket=photos,vendor=qingstor,name=qingstor http:502,bucket=photos,key=*,name=path"""
    )
    asked = {
        ("PUT /k", "photos.cos.ap-x.myqcloud.com"): "cos",
        ("PUT /k", "photos.storage.jd.com"): "jss",
        ("PUT /k", "photos.pek3a.qingstor.com"): "qingstor",
        ("PUT /k", "localhost"): None,
        ("PUT /photos/k", "localhost"): "cos",
        ("PUT /photos/k", "photos.cos.ap-x.myqcloud.com"): "cos",
    }
    assert {(target, host): made.ask(target, host=host) for target, host in asked} == asked


def test_an_encoded_slash_belongs_to_the_key(site):
    """If the server shows the raw target, an encoded slash belongs to the key.

    It is written `%2F` in a pattern too.
    """
    made = site("cos:SlowDown,key=a%2Fb,name=key cos:SlowDown,bucket=x%2Fy,name=bucket")
    raw = ["/photos/a%2fb", "/photos/a/b", "", "/quite/another"]
    assert [made.ask("PUT /photos/a/b", RAW_URI=each) for each in raw] == ["key", None, None, None]
    assert made.ask("PUT /x/y/k", RAW_URI="/x%2Fy/k") == "bucket"


@pytest.mark.parametrize("rule", ["s3:SlowDown", "http:503", "gcs-xml:SlowDown"])
def test_an_encoded_slash_of_a_pattern_is_read_as_that_of_a_request(site, rule):
    """A key with `%2F`, copied from a URL, matches at vendors that decode keys.

    Among many rules as well.
    """
    crowd = " ".join(f"{rule},key=x/{number}" for number in range(20))
    made = site(f"{rule},key=a%2Fb,name=key {rule},key=other/**,unless.key=other%2Fb,name=unless {crowd}")
    asked = {
        "/photos/a%2Fb": "key",
        "/photos/a%2fb": "key",
        "/photos/a/b": "key",
        "/photos/other%2Fb": None,
        "/photos/other%2Fc": "unless",
    }
    assert {raw: made.ask(f"PUT {unquote(raw)}", RAW_URI=raw) for raw in asked} == asked


def test_a_very_long_host_is_read_each_time(site):
    """A Host that is too long to be remembered is decided like any other, and again the same."""
    long = ".".join(["a" * 60] * 5)
    made = site(f"cos:SlowDown,host={long}.example cos:NoSuchKey,bucket={long}")
    hosts = [f"{long}.example", f"{long}.cos.ap-x.myqcloud.com", "else.example"] * 2
    assert [made.ask("GET /k", HTTP_HOST=each) for each in hosts] == ["rule-1", "rule-2", None] * 2


def test_any_number_of_hosts_is_read_right(site):
    """The memory of hosts is bounded, and a flood of hosts changes no reading."""
    made = site("cos:SlowDown,bucket=photos* http:503,host=else.example")
    flood = [f"photos{number}.cos.ap-x.myqcloud.com" for number in range(1100)]
    hosts = [*flood, flood[0], "videos.cos.ap-x.myqcloud.com", "Else.example:8080"]
    found = [made.ask("GET /k", HTTP_HOST=each) for each in hosts]
    assert found == [*["rule-1"] * 1101, None, "rule-2"]
