"""Rules as text: the grammar, and the exact words and places of mistakes."""

from __future__ import annotations

import pytest

from faultinject.exceptions import ConfigurationError, UnknownDocumentedError, UnknownVendor
from faultinject.rules import text as reader
from faultinject.rules.diagnosis import excerpt
from faultinject.rules.faults import FAULTS
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.values import listed


def parse_rules(text, where=""):
    """The rules of a text."""
    return list(Scenario.parse(text, where=where).rules)


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", []),
        (" \n;;\t", []),
        ("http:503", [Rule("http:503")]),
        (
            "http:503;http:504\nhttp:505\r\nhttp:506 http:507;",
            [Rule(f"http:{n}") for n in (503, 504, 505, 506, 507)],
        ),
        (
            "cos:SlowDown,probability=0.3,times=5,method=PUT,method=POST,path=photos/,retry_after=2s",
            [
                Rule(
                    "cos:SlowDown",
                    probability=0.3,
                    times=5,
                    method=["PUT", "POST"],
                    path="photos/",
                    retry_after="2s",
                )
            ],
        ),
        ("http:503, times=2,\t path=a", [Rule("http:503", times=2, path="a")]),
        ("http:503,retry-after=2s", [Rule("http:503", retry_after=2)]),
        ("http:503,header.X_Test=a", [Rule("http:503", header={"x-test": "a"})]),
        ("http:503,unless.header.X_Test=", [Rule("http:503", unless={"header": {"x-test": ""}})]),
        ("http:503,query.my_param=a=b", [Rule("http:503", query={"my_param": "a=b"})]),
        ('http:503,query."tags[]"=x', [Rule("http:503", query={"tags[]": "x"})]),
        ('http:503,query."a=b,c"=x', [Rule("http:503", query={"a=b,c": "x"})]),
        ('http:503,query."a\\"\\\\b"=x', [Rule("http:503", query={'a"\\b': "x"})]),
        ("http:503,path==/photos/", [Rule("http:503", path="=/photos/")]),
        ('http:503,message="a, b; \\"c\\" \\\\d \\e"', [Rule("http:503", message='a, b; "c" \\d \\e')]),
        ('http:503,message=""', [Rule("http:503", message="")]),
        ("http:503,path=c:\\x", [Rule("http:503", path="c:\\x")]),
        ("http:503,path=猫\u3000x", [Rule("http:503", path="猫\u3000x")]),
        ('http:503,message="a\nb" http:504', [Rule("http:503", message="a\nb"), Rule("http:504")]),
        ("http:503,probability=1e-3", [Rule("http:503", probability="0.001")]),
    ],
)
def test_the_grammar(text, rules):
    """Each row: a text and the rules that it means."""
    assert parse_rules(text) == rules


WRONG = [
    # text, the message with its excerpt
    (
        "cos:Slowdown,probability=0.3",
        "cos:Slowdown is not a documented error of cos; did you mean cos:SlowDown?\n"
        "  cos:Slowdown,probability=0.3\n"
        "  ^^^^^^^^^^^^",
    ),
    (
        "cos:SlowDown,probability=1.5",
        "probability: 1.5 is not between 0 and 1\n  cos:SlowDown,probability=1.5\n                           ^^^",
    ),
    (
        "cos:SlowDown,probability=30%",
        "probability: 30% is not between 0 and 1; did you mean 0.3?\n"
        "  cos:SlowDown,probability=30%\n"
        "                           ^^^",
    ),
    (
        "cos:SlowDown,times=-1",
        "times: -1 is not a whole number of 0 or more\n  cos:SlowDown,times=-1\n                     ^^",
    ),
    ("http:503,delay=5", "delay: 5 has no unit; did you mean 5s?\n  http:503,delay=5\n                 ^"),
    ("http:503,dealy=5s", "dealy is not a key; did you mean delay?\n  http:503,dealy=5s\n           ^^^^^"),
    ("http:503,fault=x", "the fault stands first, without a key\n  http:503,fault=x\n           ^^^^^"),
    ("http:503,", "a rule cannot end with a comma\n  http:503,\n          ^"),
    ("http:503, \n http:504", "rule 1: a rule cannot end with a comma\n  http:503, \n          ^"),
    ("http:503,,times=1", "there is nothing between two commas\n  http:503,,times=1\n          ^^"),
    ("http:503,=1", "there is no key before the equals sign\n  http:503,=1\n           ^"),
    ("http:503,times", "times needs a value: times=…\n  http:503,times\n           ^^^^^"),
    (
        "http:503,times=1,times=2",
        "times is given twice\n  http:503,times=1,times=2\n                   ^^^^^",
    ),
    ("http:503,name=a,name=b", "name is given twice\n  http:503,name=a,name=b\n                  ^^^^"),
    (
        ",times=1",
        f"there is no fault; there are {listed((each.title for each in FAULTS), 'and')}\n  ,times=1\n  ^",
    ),
    ('http:"503"', 'a quote can only stand round a whole value or name\n  http:"503"\n       ^'),
    ('http:503,path="a b', 'the quote is not closed\n  http:503,path="a b\n                ^'),
    (
        'http:503,path="a"b',
        'a quote can only stand round a whole value or name\n  http:503,path="a"b\n                  ^',
    ),
    (
        'http:503,path=a"b',
        'a quote can only stand round a whole value or name\n  http:503,path=a"b\n                 ^',
    ),
    ('http:503,query."a b=x', 'the quote is not closed\n  http:503,query."a b=x\n                 ^'),
    (
        'http:503,query.a"b"=x',
        'a quote can only stand round a whole value or name\n  http:503,query.a"b"=x\n                  ^',
    ),
    ("latency", "latency needs a delay, such as delay=2s\n  latency\n  ^^^^^^^"),
    ("http:503\nhttp:504,path=\n", "rule 2: path: needs a value\n  http:504,path=\n                ^"),
    (
        "http:503,name=a\nhttp:504 http:505,times=1,name=a",
        "rule 3: name: a is already the name of rule 1; names must be unique\n"
        "  http:504 http:505,times=1,name=a\n"
        "                                 ^",
    ),
    (
        'http:503,name=a http:504,name=x http:505,name="a"',
        "rule 3: name: a is already the name of rule 1; names must be unique\n"
        '  http:503,name=a http:504,name=x http:505,name="a"\n'
        "                                                ^^^",
    ),
    (
        "http:503,name=\u202ex",
        "name: \\u202ex is not a name: a letter or digit, then up to 63 letters, digits, . _ or -\n  http:503,name=\\u202ex\n                ^^^^^^^",
    ),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_mistake_is_told_with_its_place(text, message):
    """The rule where there are several, what is wrong, and carets under it."""
    with pytest.raises(ConfigurationError) as caught:
        parse_rules(text)
    assert str(caught.value) == message


def test_every_mistake_is_told_in_order():
    """Of all rules, with the name of the variable."""
    with pytest.raises(ConfigurationError) as caught:
        parse_rules(
            "cos:SlowDown,times=x,delay=5 http:503,exact=maybe,status=1 http:", where="FAULTINJECT_RULES"
        )
    assert [f"{each.where}: {each.message}" for each in caught.value.problems] == [
        "FAULTINJECT_RULES: rule 1: times: x is not a whole number of 0 or more",
        "FAULTINJECT_RULES: rule 1: delay: 5 has no unit; did you mean 5s?",
        "FAULTINJECT_RULES: rule 2: exact: maybe is not yes or no",
        "FAULTINJECT_RULES: rule 2: status: 1 is not a status from 200 to 599",
        "FAULTINJECT_RULES: rule 3: http: is not http: and a status from 400 to 599",
    ]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        # a mistake elsewhere hides nothing
        ("azure-blob:BlobNotArchived,share=2", ["documented without a status", "share: 2 is not"]),
        (
            "azure-blob:BlobNotArchived,share=0.5",
            ["documented without a status", "documents no error of a single key"],
        ),
        ("latency,probability=2", ["latency needs a delay", "probability: 2"]),
        ("latency,pth=/a", ["latency needs a delay", "did you mean path?"]),
        ("drip,times=x", ["drip needs a rate", "times: x"]),
        ("http:503,operation=PutObjekt,times=x", ["did you mean PutObject?", "times: x"]),
        (
            "http:503,times=x,of=cos:Nix,operation=PutObjekt",
            ["times: x", "of: cos:Nix", "did you mean PutObject?"],
        ),
        ("s3:SlowDown,share=0.5,drain=no", ["share needs status=200", "share needs the request's body"]),
        # what is missing is there, but wrong
        ("azure-blob:BlobNotArchived,status=2", ["status: 2"]),
        ("s3:SlowDown,share=0.5,status=x", ["status: x"]),
        ("latency,delay=5", ["did you mean 5s?"]),
        ("latency,delya=5s", ["did you mean delay?"]),
        ("latency,zzz=5s", ["zzz is not a key"]),
        ("latency,delay", ["delay needs a value"]),
        ("drip,rate=x", ["rate: x"]),
        ("http:503,vendr=gcs,operation=storage.objects.get", ["did you mean vendor?"]),
        ("http:503,vendor=gsc,operation=storage.objects.get", ["did you mean gcs?"]),
        ("truncate,of=gsc:x,operation=storage.objects.get", ["did you mean gcs?"]),
    ],
)
def test_a_mistake_hides_no_other(text, problems):
    """But one that may only follow from another: a key that is missing because it is wrong."""
    with pytest.raises(ConfigurationError) as caught:
        parse_rules(text)
    found = [f"{each.where}: {each.message}" for each in caught.value.problems]
    assert len(found) == len(problems)
    for message, part in zip(found, problems, strict=True):
        assert part in message
    fault, *items = text.split(",")
    keys = {key: value for key, equals, value in (each.partition("=") for each in items) if equals}
    if len(keys) == len(items):
        with pytest.raises(ConfigurationError) as caught:
            Rule(fault, **keys)
        assert len(caught.value.problems) == len(problems)


@pytest.mark.parametrize(
    ("text", "sort"),
    [
        ("cos:Slow cos:Down", UnknownDocumentedError),
        ("aws:SlowDown qiniu:SlowDown", UnknownVendor),
        ("aws:SlowDown cos:Slow", ConfigurationError),
        ("truncate,of=cos:Slow cos:Slow", UnknownDocumentedError),
        ("truncate,of=aws:SlowDown", UnknownVendor),
    ],
)
def test_the_error_is_of_the_sort_that_all_mistakes_have(text, sort):
    """So that a caller can tell what is missing from what is wrong."""
    with pytest.raises(ConfigurationError) as caught:
        parse_rules(text)
    assert type(caught.value) is sort


def test_a_place_stands_before_the_message():
    """`FAULTINJECT_RULES: rule 2: probability: …`."""
    with pytest.raises(ConfigurationError) as caught:
        parse_rules("http:503 http:504,probability=1.5", where="FAULTINJECT_RULES")
    assert (
        str(caught.value).splitlines()[0]
        == "FAULTINJECT_RULES: rule 2: probability: 1.5 is not between 0 and 1"
    )


def test_what_is_remembered_of_texts_is_bounded():
    """Many rules do not fill the memory."""
    rules = parse_rules(" ".join(f"http:503,path=/{number}" for number in range(3000)))
    assert [each.conditions["path"] for each in rules] == [(f"/{number}",) for number in range(3000)]
    assert len(reader._remembered) <= 1024


@pytest.mark.parametrize(
    ("text", "start", "end", "expected"),
    [
        ("abc", 1, 2, "  abc\n   ^"),
        ("abc", 3, 3, "  abc\n     ^"),
        ("a\nbcd\re", 3, 5, "  bcd\n   ^^"),
        ("a\tb", 2, 3, "  a\\tb\n     ^"),
        ("x" * 100 + "!" + "y" * 100, 100, 101, "  …" + "x" * 60 + "!" + "y" * 40 + "…\n" + " " * 63 + "^"),
        ("!" * 200, 0, 200, "  " + "!" * 100 + "…\n  " + "^" * 100),
    ],
)
def test_an_excerpt_is_one_short_visible_line(text, start, end, expected):
    """With carets under what is wrong."""
    assert excerpt(text, start, end) == expected
