"""Rules as text: the grammar, and the exact words and places of mistakes."""

from faultinject import Rule, Scenario
from faultinject.exceptions import ConfigurationError, UnknownDocumentedError, UnknownVendorError
from faultinject.rules.diagnosis import excerpt
from tests.house import rooms
from tests.refusals import refusal
from tests.rows import each_row


def parse_rules(text, where=""):
    """The rules of a text."""
    return list(Scenario.parse(text, where=where).rules)


@each_row(
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
        ('http:503,unless.path="a b"', [Rule("http:503", unless={"path": "a b"})]),
        ('http:503,query."a.b c"=x', [Rule("http:503", query={"a.b c": "x"})]),
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
    assert parse_rules(" ".join(map(str, rules))) == rules


@each_row(
    ("text", "sort"),
    [
        ("cos:Slow cos:Down", UnknownDocumentedError),
        ("aws:SlowDown qiniu:SlowDown", UnknownVendorError),
        ("aws:SlowDown cos:Slow", ConfigurationError),
        ("truncate,of=cos:Slow cos:Slow", UnknownDocumentedError),
        ("truncate,of=aws:SlowDown", UnknownVendorError),
    ],
)
def test_the_error_is_of_the_sort_that_all_mistakes_have(text, sort):
    """So that a caller can tell what is missing from what is wrong."""
    assert type(refusal(parse_rules, text)) is sort


def test_a_place_stands_before_the_message():
    """`FAULTINJECT_RULES: rule 2: probability: …`."""
    error = refusal(parse_rules, "http:503 http:504,probability=1.5", where="FAULTINJECT_RULES")
    told = "FAULTINJECT_RULES: rule 2: probability: 1.5 is not between 0 and 1"
    assert str(error).splitlines()[0] == told


def test_what_is_remembered_of_texts_is_bounded():
    """Many rules do not fill the memory."""
    rules = parse_rules(" ".join(f"http:503,path=/{number}" for number in range(3000)))
    assert [each.conditions["path"] for each in rules] == [(f"/{number}",) for number in range(3000)]


@each_row("key", ["name=rule-{}", "query.filename=f", "unless.header.x-name=f"])
def test_rules_with_names_are_read_as_quickly_as_others(key):
    """One key more costs each rule four calls at most."""

    def calls(text):
        return len(rooms(lambda: parse_rules(text)))

    texts = [f"http:503,path=/{number}" for number in range(50)]
    plain = calls(" ".join(texts))
    more = " ".join(f"{each},{key.format(number)}" for number, each in enumerate(texts))
    assert calls(more) <= plain + 4 * len(texts)


@each_row(
    ("text", "start", "end", "expected"),
    [
        ("abc", 1, 2, "  abc\n   ^"),
        ("abc", 3, 3, "  abc\n     ^"),
        ("a\nbcd\re", 3, 5, "  bcd\n   ^^"),
        ("a\tb", 2, 3, "  a\\tb\n     ^"),
        ("\rab", 1, 2, "  ab\n  ^"),
        ("\nab", 1, 2, "  ab\n  ^"),
        ("\nab", 0, 0, "  \n  ^"),
        ("x" * 100 + "!" + "y" * 100, 100, 101, "  …" + "x" * 60 + "!" + "y" * 40 + "…\n" + " " * 63 + "^"),
        ("!" * 200, 0, 200, "  " + "!" * 100 + "…\n  " + "^" * 100),
    ],
)
def test_an_excerpt_is_one_short_visible_line(text, start, end, expected):
    """With carets under what is wrong."""
    assert excerpt(text, start, end) == expected
