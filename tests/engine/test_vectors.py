"""The draw, spelt out once more with nothing but hashlib, and pinned for ever.

A change of any of these numbers changes what every published seed does: that is a major version.
"""

import asyncio
import re
from base64 import b64decode
from hashlib import blake2b
from pathlib import Path

import pytest

from faultinject import ASGIFaultMiddleware, Injector, Scenario, vendors

# The five that the documentation publishes: seed, label, identity, n, bytes 0 to 15, the least probability that fires.
VECTORS = [
    ("42", "cos:SlowDown", "PUT /photos/cat.jpg", 0, "61d7986f09238c5bc9ba571c5f7d44b2", 0.38219597540695655),
    ("42", "cos:SlowDown", "PUT /photos/cat.jpg", 1, "1c3ef73632e7c31b72261c9dac8fd0af", 0.1103357798882874),
    ("7", "uploads", "PUT /photos/~.jpg", 0, "9410222fb593906f2ff41fda3a16769e", 0.5783711782911054),
    (
        "0", "cos:@server,method=PUT,path=photos/", "PUT /photos/~/part?partNumber=3", 2,
        "7e8d540343bbc856777a0d4e4d0aedd6", 0.49434399680806884,
    ),
    (
        "0/tests/test_a.py::test_ü", "http:503", "DELETE /ключ/", 0,
        "04356ce5fca084abdd5a91bd806a0f6a", 0.01644020666992858,
    ),
]  # fmt: skip


def digest_of(seed, label, identity, n):
    """Section by section what the contract says, in three lines."""
    key = blake2b(str(seed).encode("utf-8")).digest()
    text = label.encode("utf-8") + b"\x00" + identity.encode("utf-8") + b"\x00" + str(n).encode("ascii")
    return blake2b(text, key=key, digest_size=32).digest()


def number(digest, at):
    return int.from_bytes(digest[at : at + 8], "big")


def fires(site, rule, seed, share, ask):
    """Whether a rule fires just above a share of 1, and not just below it."""
    return [bool(ask(site(f"{rule},probability={max(0, share + by):.12f}", seed))) for by in (1e-9, -1e-9)]


@pytest.mark.parametrize(("seed", "label", "identity", "n", "first", "share"), VECTORS)
def test_the_published_vectors_are_those_of_hashlib(site, seed, label, identity, n, first, share):
    """An implementation in any language can be checked against these, and ours decides by them.

    A request of that identity, asked for the (n + 1)th time, fires just above the share, and not below it.
    """
    digest = digest_of(seed, label, identity, n)
    assert (digest[:16].hex(), number(digest, 0) / 2**64) == (first, share)
    rule = "cos:SlowDown,name=uploads" if label == "uploads" else label
    target = identity.replace("~", "0123456789abcdef")
    assert fires(site, rule, seed, share, lambda made: made.asks([target] * (n + 1))[-1]) == [True, False]


@pytest.mark.parametrize(("chance", "fires"), [(1e-9, True), (-1e-9, False)])
def test_a_text_that_is_no_unicode_has_its_draw(chance, fires):
    """ASGI servers may hand out half a surrogate pair."""
    key = blake2b(b"42").digest()
    text = b"http:503\0PUT /photos/" + "\ud83d".encode("utf-8", "surrogatepass") + b".jpg\x000"
    share = number(blake2b(text, key=key, digest_size=32).digest(), 0) / 2**64
    injector = Injector(f"http:503,probability={share + chance:.12f}", seed="42", environ={})
    scope = {
        "type": "http",
        "method": "PUT",
        "path": "/photos/\ud83d.jpg",
        "query_string": b"",
        "headers": [],
    }

    async def app(*_):
        """An app whose answer does not matter."""

    async def say(message=None):
        return {"type": "http.request"}

    asyncio.run(ASGIFaultMiddleware(app, injector=injector)(scope, say, say))
    assert injector.injected == fires


@pytest.mark.parametrize(("earlier", "label"), [(0, "http:503"), (1, "http:503#2"), (2, "http:503#3")])
def test_rules_of_one_label_are_numbered(site, earlier, label):
    """So that each draws on its own: the second is `#2`."""
    share = number(digest_of("0", label, "PUT /b/k", 0), 0) / 2**64
    rules = "http:503,probability=0 " * earlier + "http:503"
    assert fires(site, rules, "0", share, lambda made: made.ask("PUT /b/k")) == [True, False]


def test_the_documentation_publishes_these_five():
    """The table of the documentation is this list."""
    table = (
        (Path(__file__).parents[2] / "docs" / "explanation" / "replay.md")
        .read_text()
        .partition("| seed | label |")[2]
        .splitlines()[2:7]
    )
    cells = [re.findall(r"`([^`]*)`", line) for line in table]
    assert cells == [[seed, label, identity, first[:16]] for seed, label, identity, _, first, _ in VECTORS]
    numbers = [[each.strip() for each in line.split("|")] for line in table]
    assert [(int(row[4]), row[6], row[7]) for row in numbers] == [
        (n, f"{share:.6f}", "yes" if share < 0.3 else "no") for *_, n, _, share in VECTORS
    ]


COS_HOST = "photos-1250000000.cos.ap-guangzhou.myqcloud.com"
# The way from a rule and a request to what is hashed: rule, request, more of the environ, label, identity.
WAYS = [
    ("cos:SlowDown", "PUT /photos/cat.jpg", {}, "cos:SlowDown", "PUT /photos/cat.jpg"),
    (
        "cos:SlowDown,times=5,skip=0,per=rule,message=x,retry_after=2s,when=before,begin=0s",
        "PUT /photos/cat.jpg", {}, "cos:SlowDown", "PUT /photos/cat.jpg",
    ),
    (
        "cos:SlowDown,path=photos/,unless.method=GET,method=PUT,method=POST",
        "PUT /photos/a b.jpg", {},
        "cos:SlowDown,method=PUT,method=POST,path=photos/,unless.method=GET", "PUT /photos/a b.jpg",
    ),
    ("http:503,path=photos/,name=up", "put /photos/cat.jpg", {}, "up", "PUT /photos/cat.jpg"),
    ('http:503,header.X-Test="a, b",query."tags[]"=', "GET /?tags[]=1", {"headers": [("x-test", "a, b")]},
     'http:503,header.x-test="a, b",query."tags[]"=', "GET /?tags[]=1"),
    ("http:503,vendor=cos,times=9", "GET /cat.jpg", {"host": COS_HOST},
     "http:503,vendor=cos", "GET /photos-~/cat.jpg"),
    ("http:503", "GET /cat.jpg", {"host": COS_HOST}, "http:503", "GET /cat.jpg/"),
    ("cos:SlowDown", "GET /a/cat.jpg", {"host": f"{COS_HOST.upper()}:8080"},
     "cos:SlowDown", "GET /photos-~/a/cat.jpg"),
    ("cos:SlowDown", "GET /", {"host": COS_HOST}, "cos:SlowDown", "GET /photos-~/"),
    ("cos:SlowDown", "GET /", {}, "cos:SlowDown", "GET /"),
    ("cos:SlowDown", "GET /photos", {}, "cos:SlowDown", "GET /photos/"),
    ("cos:SlowDown", "GET /photos/", {}, "cos:SlowDown", "GET /photos/"),
    ("cos:SlowDown", "GET //a", {}, "cos:SlowDown", "GET //a"),
    ("cos:SlowDown", "GET /photos//a/../b/./", {}, "cos:SlowDown", "GET /photos//a/../b/./"),
    ("cos:SlowDown", "GET /b/k", {"SCRIPT_NAME": "/mount"}, "cos:SlowDown", "GET /b/k"),
    ("cos:SlowDown", "GET /", {"SCRIPT_NAME": "/mount"}, "cos:SlowDown", "GET /mount/"),
    ("cos:SlowDown", "GET /b/кошка/猫", {}, "cos:SlowDown", "GET /b/кошка/猫"),
    ("cos:SlowDown", "GET /b/a/c", {"RAW_URI": "/b/a%2fc?x"}, "cos:SlowDown", "GET /b/a%2Fc"),
    ("cos:SlowDown", "GET /b/猫", {"REQUEST_URI": "http://h:1/b/%E7%8C%AB"}, "cos:SlowDown", "GET /b/猫"),
    ("cos:SlowDown", "GET /b/k", {"RAW_URI": "/quite/another"}, "cos:SlowDown", "GET /b/k"),
    ("cos:SlowDown", "GET /b?prefix=b&list-type=2&a=%41&prefix=a&", {}, "cos:SlowDown",
     "GET /b/?a=%41&list-type=2&prefix=a&prefix=b"),
    ("cos:SlowDown", "GET /b?b&a=&A=1", {}, "cos:SlowDown", "GET /b/?A=1&a=&b"),
    ("cos:SlowDown", "PUT /b/k?uploadId=2~x&partNumber=12", {}, "cos:SlowDown", "PUT /b/k?partNumber=12"),
    ("cos:SlowDown", "PUT /b/k?UploadID=1", {}, "cos:SlowDown", "PUT /b/k"),
    ("cos:SlowDown", "PUT /b/k?Signature=a%3D&Expires=1&AWSAccessKeyId=b&x=1", {}, "cos:SlowDown", "PUT /b/k?x=1"),
    ("cos:SlowDown", "PUT /b/k?X%2DAmz%2DDate=2&x-amz-acl=private", {}, "cos:SlowDown", "PUT /b/k?x-amz-acl=private"),
    ("cos:SlowDown", "PUT /b/2b8c1f9a-7a4e-4f0b-9d0e-0c5b8a1f2e3d.jpg", {}, "cos:SlowDown", "PUT /b/~.jpg"),
    ("cos:SlowDown", "PUT /b/2B8C1F9A-7A4E-4F0B-9D0E-0C5B8A1F2E3D-1", {}, "cos:SlowDown", "PUT /b/~-1"),
    ("cos:SlowDown", "PUT /b/a2b8c1f9a-7a4e-4f0b-9d0e-0c5b8a1f2e3d", {}, "cos:SlowDown", "PUT /b/a~"),
    ("cos:SlowDown", "PUT /b/0123456789abcdef", {}, "cos:SlowDown", "PUT /b/~"),
    ("cos:SlowDown", "PUT /b/0123456789abcde", {}, "cos:SlowDown", "PUT /b/~abcde"),
    ("cos:SlowDown", "PUT /b/123456789abcdef", {}, "cos:SlowDown", "PUT /b/123456789abcdef"),
    ("cos:SlowDown", "PUT /b/x0123456789ABCDEF0123456789abcdefy", {}, "cos:SlowDown", "PUT /b/x~y"),
    ("cos:SlowDown", "PUT /b/1700000000-123456789", {}, "cos:SlowDown", "PUT /b/~-123456789"),
    ("cos:SlowDown", "PUT /1700000000/20261120T101112.123456789012", {}, "cos:SlowDown", "PUT /~/20261120T101112.~"),
    ("cos:SlowDown", "GET /b?prefix=1700000000", {}, "cos:SlowDown", "GET /b/?prefix=~"),
    ("cos:SlowDown", "GET /b/١٢٣٤٥٦٧٨٩٠", {}, "cos:SlowDown", "GET /b/١٢٣٤٥٦٧٨٩٠"),
    ("cos:SlowDown", "DELETE /b/~", {}, "cos:SlowDown", "DELETE /b/~"),
    ("jss:InternalError", "GET /k", {"host": "b.c.storage.jd.com"}, "jss:InternalError", "GET /b.c/k"),
    ("qingstor:internal_error", "GET /k", {"host": "b.pek3a.qingstor.com"}, "qingstor:internal_error", "GET /b/k"),
    ("gateway:BadGateway", "GET /b/k", {}, "gateway:BadGateway", "GET /b/k"),
    ("latency,delay=0s", "GET /b/k", {}, "latency", "GET /b/k"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "target", "more", "label", "identity"), WAYS)
def test_what_is_hashed(site, rule, target, more, label, identity):
    """A rule's label and a request's identity, seen by where exactly its chance turns."""
    assert Scenario.parse(rule).rules[0].label == label
    for n, seed in enumerate(("0", "ключ")):
        share = number(digest_of(seed, label, identity, n), 0) / 2**64

        def ask(made, n=n):
            return [made.decide(target, **more).kind != "passed" for _ in range(n + 1)][-1]

        assert fires(site, rule, seed, share, ask) == [True, False]


@pytest.mark.parametrize("seed", ["0", "42", "ключ"])
def test_each_choice_is_made_by_its_own_eight_bytes(site, seed):
    """Bytes 8 to 15 choose the row, 16 to 23 the delay, 24 to 31 with the number the ids.

    The number of the outcome.
    """
    made = site("jss:@client,delay=1s..3s", seed)
    rows = [row for row in vendors.get("jss").group("@client") if not row.where]  # the others are of no PUT
    for key in range(50):
        action = made.decide(f"PUT /b/k{key}")
        digest = digest_of(seed, "jss:@client", f"PUT /b/k{key}", 0)
        expected = (
            rows[number(digest, 8) * len(rows) >> 64].address,
            1 + 2 * (number(digest, 16) / 2**64),
            blake2b(digest[24:] + str(action.seq).encode()).digest()[:8].hex().upper(),
        )
        assert (action.fault, action.delay, action.told[2]) == expected


def test_an_id_that_holds_the_time_holds_the_injectors(site):
    """The only part of a replayed id that may differ is the injector's clock."""
    made = site("cos:SlowDown", "0", now=1_763_625_600)
    assert b64decode(made.decide().told[2]).decode().startswith("691eca80_")


@pytest.mark.parametrize("seed", [42, "42"])
def test_a_seed_is_text(site, seed):
    """A number is its decimal digits; in code, rules or environment it is the same seed."""
    hits = site("cos:SlowDown,probability=0.5", seed).asks([f"PUT /b/k{each}" for each in range(64)])
    again = [number(digest_of("42", "cos:SlowDown", f"PUT /b/k{each}", 0), 0) < 2**63 for each in range(64)]
    assert [each is not None for each in hits] == again
    variable = site("cos:SlowDown,probability=0.5", None, FAULTINJECT_SEED=str(seed))
    assert variable.asks([f"PUT /b/k{each}" for each in range(64)]) == hits
