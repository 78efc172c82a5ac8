"""A rule in Python: what it keeps, how it prints, what it refuses."""

from __future__ import annotations

import copy
import datetime
import pickle
import re
from enum import Enum
from http import HTTPStatus

import pytest

from faultinject import Rule, Scenario, vendors
from faultinject.exceptions import ConfigurationError
from faultinject.rules.vocabulary import KEYS
from tests.refusals import refusal
from tests.rows import each_row


def test_a_rule_prints_in_canonical_order():
    """Fault, conditions, vendor, unless, triggers, effects, name; NAMEs sorted, values kept."""
    rule = Rule(
        "http:503",
        name="all-of-it",
        cors="off",
        drain=False,
        set={"X_B": "2", "x-a": "1"},
        retry_after=1.5,
        delay=datetime.timedelta(milliseconds=50),
        when="after",
        message="a, b",
        times=2,
        per="call",
        probability=1e-5,
        unless={"header": {"x": ""}, "path": ["health", "ready"]},
        vendor="cos",
        size="1KB..",
        query={"tags[]": 'say "hi"', "a": "c:\\x"},
        method=["PUT", "POST"],
        path="photos/",
        **{"header.x-test": "abc"},
    )
    assert str(rule) == (
        "http:503,method=PUT,method=POST,path=photos/,header.x-test=abc,query.a=c:\\x,"
        'query."tags[]"="say \\"hi\\"",size=1KB..,vendor=cos,'
        "unless.path=health,unless.path=ready,unless.header.x=,"
        "probability=0.00001,times=2,per=call,"
        'when=after,delay=50ms,retry_after=1.5s,message="a, b",set.x-a=1,set.x-b=2,drain=no,cors=off,'
        "name=all-of-it"
    )
    assert repr(rule) == f"<Rule {rule}>"


def test_a_rule_keeps_its_texts():
    """A rule keeps its texts for compiling, under canonical keys in canonical order."""
    rule = Rule(
        "cos:SlowDown",
        retry_after="2s",
        path="photos/",
        method="put",
        header={"X-T": ["a", "b"]},
        unless={"path": "x"},
    )
    conditions = [("method", ("put",)), ("path", ("photos/",)), ("header.x-t", ("a", "b"))]
    assert (rule.fault, rule.name, [*rule.conditions.items()], rule.unless, rule.options) == (
        "cos:SlowDown",
        None,
        conditions,
        {"path": ("x",)},
        {"retry_after": "2s"},
    )


@each_row("key", [key for key, row in KEYS.items() if row.default is not None])
def test_values_have_defaults(key):
    """A key that a rule does not have has the default that the documentation's table says."""
    assert Rule("http:503").value(key) == KEYS[key].parse(KEYS[key].default_text)


def test_many_different_values_are_forgotten_again():
    """The memory of values is bounded."""
    for number in range(5000):
        assert Rule("http:503", skip=number).value("skip") == number


def test_what_was_read_before_says_nothing_of_like_values():
    """Texts of keys are remembered; a yes or no is not the number that it equals."""
    for _ in range(2):
        assert Rule("http:503", times="1", probability="1").value("times") == 1
        assert "times: True" in str(refusal(Rule, "http:503", times=True))


@each_row(
    ("keys", "label", "headers"),
    [
        (
            {"path": "a", "vendor": "cos", "times": 2, "drain": False, "unless": {"path": "b"}},
            "http:503,path=a,vendor=cos,unless.path=b",
            (),
        ),
        ({"path": "a", "name": "x"}, "x", ()),
        ({"set": {"X-B": "2", "A": "1"}}, "http:503", (("a", "1"), ("x-b", "2"))),
    ],
)
def test_what_a_rule_is_called_and_sets(keys, label, headers):
    """A label is the name, or fault and conditions: triggers and effects change no draws.

    The headers that it sets are pairs in order, with names in lower case.
    """
    rule = Rule("http:503", **keys)
    assert (rule.label, rule.set_headers) == (label, headers)


class Named(str, Enum):  # noqa: UP042 - what most programs have; the `str` of a StrEnum is its value
    """Texts of a program, as members of an Enum: their `str` is `Named.BUCKET`."""

    FAULT = "cos:SlowDown"
    BUCKET = "photos"
    HEADER = "X-Test"
    WAIT = "2s"


class Share(float):
    """A number that shows its type, as numpy's do."""

    def __repr__(self) -> str:
        return f"Share({float(self)})"


def test_a_value_of_a_subclass_is_what_it_holds():
    """A member of an Enum is its text or number: under its name the rule would match nothing."""
    rule = Rule(
        Named.FAULT,
        bucket=[Named.BUCKET, "films"],
        header={Named.HEADER: Named.BUCKET},
        unless={"query": {Named.BUCKET: ""}},
        probability=Share(0.25),
        retry_after=Named.WAIT,
        delay=Share(0.5),
        status=HTTPStatus.TOO_MANY_REQUESTS,
        name=Named.BUCKET,
    )
    text = (
        "cos:SlowDown,header.x-test=photos,bucket=photos,bucket=films,unless.query.photos=,"
        "probability=0.25,delay=0.5s,retry_after=2s,status=429,name=photos"
    )
    assert (str(rule), f"{rule.resolved.text}") == (text, "cos:SlowDown")
    scenario = Scenario([rule], seed=Named.BUCKET)
    assert scenario == Scenario.from_toml(scenario.to_toml()) == Scenario.parse(text, seed="photos")


class Masked(str):
    """A text that shows as another one."""

    __slots__ = ()

    def __str__(self):
        return "***"


@each_row(
    ("keys", "text"),
    [
        # A text counts by what it holds, whatever its class makes of `str`.
        ({"bucket": Masked("photos")}, "http:503,bucket=photos"),
        # A name may be a number: its digits.
        ({"query": {1: "a", HTTPStatus.OK: "b"}}, "http:503,query.1=a,query.200=b"),
        # TOML's `query.a.b = "c"` is the parameter `a.b`; in quotes a name is as in text.
        ({"query": {"a": {"b": "c"}}}, "http:503,query.a.b=c"),
        ({"header": {}}, "http:503"),
        ({'query."a\\"b"': "1"}, 'http:503,query."a\\"b"=1'),
        ({'unless.query."a b"': "1"}, 'http:503,unless.query."a b"=1'),
        # Backslashes before a quote and at the end are doubled: they would mean something else.
        ({"message": 'a, \\"b\\'}, r'http:503,message="a, \\\"b\\"'),
    ],
)
def test_the_text_of_keywords(keys, text):
    """It is the rule, also read back."""
    rule = Rule("http:503", **keys)
    assert str(rule) == text
    assert Scenario.parse(text).rules == (rule,)


class Plain(Enum):
    """Members that are no text, whatever they hold."""

    HEADER = "X-Test"


@each_row(
    "keys",
    [
        {"header": {Plain.HEADER: "1"}},
        {"query": {Plain.HEADER: "1"}},
        {"unless": {Plain.HEADER: "1"}},
        {"unless": {"query": {Plain.HEADER: "1"}}},
        {"query": {None: "1"}},
        {"query": {True: "1"}},
    ],
)
def test_a_name_that_is_no_text_is_refused(keys):
    """As such a value is; under what `str` makes of it the rule would match nothing."""
    [key] = keys
    with pytest.raises(ConfigurationError, match=rf"^http:503: {key}: .* is not a name: give it as text$"):
        Rule("http:503", **keys)


def test_equal_rules_are_one():
    """However they were spelled."""
    one = Rule("http:503", path="a", header={"X-T": "1"}, retry_after=2)
    other = Rule("http:503", **{"header.x_t": "1", "retry-after": "2s"}, path=["a"])
    assert {one, other} == {one}
    assert one not in (Rule("http:503", path="a"), "http:503")


def test_a_rule_cannot_be_changed():
    """It is shared between threads and scenarios."""
    rule = Rule("http:503")
    for change, given in (setattr, ("fault", "x")), (delattr, ("fault",)):
        with pytest.raises(AttributeError, match="a Rule cannot be changed: fault"):
            change(rule, *given)
    for held in rule.conditions, rule.unless, rule.options:
        with pytest.raises(TypeError):
            held["bucket"] = ("b",)


def test_a_rule_survives_pickle_and_copy():
    """It goes to worker processes."""
    rule = Rule("cos:SlowDown", path="a", unless={"path": "b"}, times=2, name="x")
    assert pickle.loads(pickle.dumps(rule)) == copy.deepcopy(rule) == rule


def test_a_variable_names_a_rule_that_has_no_name():
    """`name` stands first."""
    assert Rule("http:503", times=1).named("a") == Rule("http:503", times=1, name="a")
    assert Rule("http:503", name="b").named("a") == Rule("http:503", name="b")


def test_plain_data_has_numbers_where_they_say_the_same():
    """TOML's and JSON's shape, in canonical order."""
    rule = Rule(
        "http:503",
        header={"x": ["a", "b"]},
        query={"a.b": "c"},
        vendor="cos",
        unless={"header": {"y": ""}, "path": "z"},
        probability="0.50",
        times=3,
        every="03",
        skip="2",
        drain="no",
        cors="off",
        set={"a": "b"},
        name="n",
    )
    expected = {
        "fault": "http:503",
        "header": {"x": ["a", "b"]},
        "query": {"a.b": "c"},
        "vendor": "cos",
        "unless": {"path": "z", "header": {"y": ""}},
        "probability": "0.50",
        "skip": 2,
        "every": "03",
        "times": 3,
        "set": {"a": "b"},
        "drain": False,
        "cors": "off",
        "name": "n",
    }
    assert [*rule.to_dict().items()] == [*expected.items()]


def test_a_word_of_pythons_own():
    """`from` is written `from_` in Python, and in no text."""
    rule = Rule("s3:ExpiredToken", from_=3)
    assert rule == Rule("s3:ExpiredToken", **{"from": 3}) == Scenario.parse("s3:ExpiredToken,from=3").rules[0]
    assert (str(rule), rule.value("from"), rule.to_dict()) == (
        "s3:ExpiredToken,from=3",
        3,
        {"fault": "s3:ExpiredToken", "from": 3},
    )
    assert "from_ is not a key; did you mean from" in str(refusal(Scenario.parse, "s3:ExpiredToken,from_=3"))


@each_row(
    ("rule", "vendor"),
    [
        (Rule("cos:SlowDown"), "cos"),
        (Rule("http:503", vendor="jss"), "jss"),
        (Rule("gateway:BadGateway", vendor="jss"), "jss"),
        (Rule("gateway:BadGateway"), None),
        (Rule("latency", delay=1), None),
    ],
)
def test_the_vendor_says_how_requests_are_read(rule, vendor):
    """The fault's own storage vendor, else the rule's, else none."""
    assert rule.vendor is (vendor and vendors.get(vendor))


def test_a_group_has_the_rows_of_its_vendor():
    """Evenly drawn from."""
    group, one, plain = (Rule(each).resolved for each in ("cos:@server", "cos:SlowDown", "http:503"))
    assert group.rows == vendors.get("cos").group("@server")
    assert (one.rows, plain.status, repr(plain)) == ((vendors.find("cos:SlowDown"),), 503, "<Http http:503>")


def test_many_different_faults_are_forgotten_again():
    """The memory of faults is bounded, and forgotten faults are found again."""
    for number in range(5000):
        refusal(Rule, f"http:{number}x")
    codes = [each.code for each in vendors.get("cos").errors if each.status]
    for number in range(5000):
        code = codes[number % len(codes)]
        rule = Rule(f"cos:{code}/{'0' * (number // len(codes))}1")
        assert rule.resolved.rows[0].code == code


@each_row(
    ("fault", "message"),
    [
        (
            "SlowDown",
            r"SlowDown is not a fault; did you mean s3:SlowDown, [\w-]+:SlowDown, [\w-]+:SlowDown or \d+ more\?",
        ),
        ("cos", r"cos is not a fault; name one of its errors, such as cos:\w+"),
    ],
)
def test_a_code_without_its_vendor_is_told_who_has_it(fault, message):
    """And a vendor without a code what it might be."""
    assert re.fullmatch(message, str(refusal(Rule, fault)))


@each_row(
    ("fault", "message"),
    [
        ("azure", "azure is not a fault; did you mean an error of azure-blob, such as azure-blob:"),
        ("aws", "aws is not a fault; did you mean an error of s3, such as s3:AccessDenied?"),
        (
            "qiniu",
            (
                "qiniu is not a fault; did you mean an error of qiniu-mix, kodo or kodo-s3, such as "
                "qiniu-mix:AccessDenied?"
            ),
        ),
        ("BlobNotFound", "BlobNotFound is not a fault; did you mean azure-blob:BlobNotFound?"),
        ("slowdown", "slowdown is not a fault; did you mean s3:SlowDown, bos:SlowDown, cos:SlowDown or "),
        ("s3:Slow", "s3:Slow is not a documented error of s3; did you mean s3:SlowDown?"),
        (
            "s4:SlowDown",
            "s4:SlowDown: 's4' is not a vendor; did you mean s3:SlowDown, bos:SlowDown, cos:SlowDown or ",
        ),
        ("s4:Nothing", "s4:Nothing: 's4' is not a vendor; there are azure-blob, "),
        ("http", "http is not a fault; name a status, such as http:503"),
        ("503", "503 is not a fault; did you mean http:503, kodo:503 or swift:503?"),
        ("https:503", "https:503 is not a fault; did you mean http:503?"),
        ("htp:503", "htp:503 is not a fault; did you mean http:503?"),
        ("HTTP:abc", "HTTP:abc is not http: and a status from 400 to 599"),
        ("https:200", "https:200 is not http: and a status from 400 to 599"),
        ("gcs:503", "gcs:503 is not a documented error of gcs; 'faultinject vendors gcs' lists them"),
        (
            "gateway:503",
            "gateway:503 is not a documented error of gateway; did you mean gateway:ServiceUnavailable?",
        ),
        (
            "jss:403/2",
            "jss:403/2 is not a documented error of jss; did you mean jss:AccessDenied, jss:AccountProblem, ",
        ),
    ],
)
def test_what_names_no_fault_is_told_what_might_be_meant(fault, message):
    """An incomplete fault gets suggestions.

    A company without its service, a code without its vendor, a status without `http:` or instead of a vendor's code.
    """
    assert str(refusal(Rule, fault)).startswith(message)


def test_every_mistake_is_told():
    """Not only the first; the common sort is kept only when it is common."""
    error = refusal(Rule, "cos:Slowdown", probability=2, cors=2, set={"a": "\n"})
    assert type(error) is ConfigurationError
    assert str(error).splitlines() == [
        "cos:Slowdown: probability: 2 is not between 0 and 1",
        "cos:Slowdown: cors: 2 is not yes or no",
        "cos:Slowdown: set.a: \\n cannot be in a header: only visible ASCII and blanks can",
        "cos:Slowdown is not a documented error of cos; did you mean cos:SlowDown?",
    ]


def test_a_row_without_a_status_takes_the_given_one():
    """`status=` is what makes it injectable."""
    assert Rule("cos:InvalidAddressingHeader", status=400).value("status") == 400
