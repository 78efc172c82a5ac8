"""A journal's line is one line of printable JSON, and says what the outcome says."""

import io
import json
from contextlib import suppress
from math import nextafter

from hypothesis import example, given
from hypothesis import strategies as st

from faultinject import Injector
from tests.asking import get

HOSTILE = st.one_of(
    st.text(st.characters(max_codepoint=255), max_size=12),
    st.sampled_from(["", "%s", "%", '"', "\\", "{}", "\x00", "\x1f", "\x7f", "\x9b", "\xe9", "\xe2\x80\xa8", "\xed\xa0\x80", "\n"]),
)  # fmt: skip
# As a clock has them, and about where an exponent begins.
MOMENTS = st.one_of(
    st.floats(0, 1e-3),
    st.floats(1e9, 3e9),
    st.sampled_from([0.0, 1e-4, nextafter(1e-4, 0), 1e-5, 1e-7, 5e-324, 1.8e9 + 0.1, 1_800_000_000]),
)
HEADERS = (
    "HTTP_HOST",
    "HTTP_USER_AGENT",
    "HTTP_AMZ_SDK_INVOCATION_ID",
    "HTTP_X_AMZ_DATE",
    "REMOTE_ADDR",
    "HTTP_RANGE",
)
RULES = [
    "cos:SlowDown,method=PUT",
    "http:503,path=nowhere",
    "latency,delay=0s",
    "http:429,probability=0",
    "reset",
]


class Text(str):
    """A server's own kind of text, which msgspec refuses."""


def reference(outcome):
    """The fields that the JSON library writes and reads of the outcome, printable only."""
    fields = {name: value for name, value in outcome.to_dict().items() if name != "final" or value}
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return list(json.loads(text.encode("utf-8", "replace")).items())


requests = st.builds(
    lambda path, query, headers, kind: {
        "PATH_INFO": kind("/" + path),
        "QUERY_STRING": query,
        **{name: kind(each) for name, each in zip(HEADERS, headers, strict=True)},
    },
    HOSTILE,
    HOSTILE,
    st.tuples(*[HOSTILE] * len(HEADERS)),
    st.sampled_from([str, Text]),
)


def odd(text):
    """One request whose path has this text."""
    return [({"PATH_INFO": f"/{text}"}, 1.0, "PUT")]


@example(odd("\x7f"), RULES[0])
@example(odd("\udc80"), RULES[0])
@given(
    st.lists(st.tuples(requests, MOMENTS, st.sampled_from(["PUT", "GET"])), min_size=1, max_size=3),
    st.sampled_from(RULES),
)
def test_the_text_says_what_the_json_library_would(tmp_path_factory, asked, rule):
    """Hostile texts, floats of every kind and None are written as the JSON library would.

    Also if a similar line came before.
    """
    path = tmp_path_factory.getbasetemp() / "texts"
    path.unlink(missing_ok=True)
    now = [0.0]
    injector = Injector(rule, seed=1, environ={"FAULTINJECT_JOURNAL": str(path)}, clock=lambda: now[0])
    heard = []
    injector.journal.follow(heard.append)
    for fields, moment, method in asked:
        now[0] = moment
        environ = {"CONTENT_LENGTH": "1", "wsgi.input": io.BytesIO(b"x"), **fields}
        with suppress(*[ConnectionResetError] * (rule == "reset")):
            get(injector, method=method, path=environ.pop("PATH_INFO"), **environ)
    *lines, end = path.read_text(encoding="utf-8").split("\n")
    assert (end, all(each.isprintable() for each in lines)) == ("", True)
    assert [list(json.loads(each).items()) for each in lines] == [reference(each) for each in heard]
