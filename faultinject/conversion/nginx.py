"""nginx, 1.17 and later: a whole configuration with `split_clients`, `map` and `return`.

https://nginx.org/en/docs/http/ngx_http_split_clients_module.html, https://nginx.org/en/docs/http/ngx_http_rewrite_module.html
"""

from __future__ import annotations

import re

from faultinject.conversion.spoken import ANSWER, Can, parts_of, speak
from faultinject.rules.values import number_text, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultinject.conversion.asked import Test
    from faultinject.conversion.formats import Place
    from faultinject.conversion.remarks import Remarks
    from faultinject.conversion.spoken import Spoken
    from faultinject.rules.scenario import Scenario

CAN = Can(
    "nginx",
    faults=frozenset((ANSWER, "reset", "close", "drip")),
    tests=frozenset(("method", "path", "host", "header", "query", "client")),
    negated=frozenset(("method", "path", "host", "header", "query", "client")),
    names="",
    empty=False,
    own=frozenset(("server",)),
)
LONGEST = 4000
"""Bytes of one word: nginx reads a configuration in pieces of 4096, and a comment as one word."""
TOGETHER = 100
"""Variables in one word: longer than `LONGEST` they are never, and no more maps ask one another than nginx lets (100)."""
MANY = 20
"""Variables for which nginx has room unasked."""
CHANCES = 10_000
REDIRECTS = (301, 302, 303, 307, 308)
"""With these `return` has a URL instead of a body."""
_VARIABLES = {"method": "$request_method", "path": "$request_uri", "host": "$host", "query": "$args"}
"""The path is that which was sent: in `$uri` nginx has decoded it, made one slash of two and gone up at `..`."""


def write(scenario: Scenario, place: Place, remarks: Remarks) -> str:
    """The configuration."""
    spoken = [each for each in speak(scenario, CAN, remarks) if _fits(each, remarks)]
    for each in spoken:
        if each.fault == "drip":
            remarks.change(f"{each.name}: rate", "the head counts too")
    maps = [line for at, each in enumerate(spoken, 1) for line in _maps(each, at, remarks)]
    slow = [
        f"        {at} {each.rule.value('rate')};"
        for at, each in enumerate(spoken, 1)
        if each.fault == "drip"
    ]
    rates = ["    map $faultinject $faultinject_rate {", "        default 0;", *slow, "    }", ""]
    lines = [
        "# Rules of faultinject for nginx 1.17 and later.",
        "events {}",
        "",
        "http {",
        *_sizes(spoken, slow),
        '    geo $faultinject_dollar { default "$"; }',
        '    geo $faultinject_nothing { default ""; }',
        *maps,
        "",
        *_choice(len(spoken)),
        *(rates if slow else []),
        "    server {",
        f"        listen {place.listen};",
        "        client_max_body_size 0;",
        *(line for at, each in enumerate(spoken, 1) for line in _asked(each, at)),
        *(line for at, each in enumerate(spoken, 1) for line in _location(each, at)),
        "",
        "        location / {",
        f"            proxy_pass http://{place.upstream};",
        "            proxy_http_version 1.1;",
        "            proxy_set_header Host $http_host;",
        "            proxy_request_buffering off;",
        *(["            limit_rate $faultinject_rate;"] if slow else ["            proxy_buffering off;"]),
        "        }",
        "    }",
        "}",
        "",
    ]
    return "\n".join(lines)


def _sizes(spoken: list[Spoken], slow: list[str]) -> Iterator[str]:
    """Room for more variables, and more rates, than nginx makes room for unasked."""
    variables = sum(len(tests) + 2 for each in spoken for tests in each.alternatives) + 2 * len(spoken)
    if variables > MANY:
        yield f"    variables_hash_max_size {8 * variables};"
        yield "    variables_hash_bucket_size 128;"
    if len(slow) > MANY:
        yield f"    map_hash_max_size {8 * len(slow)};"


def _choice(number: int) -> Iterator[str]:
    """The first of so many rules that is for a request, asked of some at a time; the first map has the last word."""
    for begin in reversed(range(0, number, TOGETHER)):
        end = min(begin + TOGETHER, number)
        name = "$faultinject" if begin == 0 else f"$faultinject_from_{begin + 1}"
        yield f'    map "{"".join(f"$faultinject_{at + 1}" for at in range(begin, end))}" {name} {{'
        yield f"        default {0 if end == number else f'$faultinject_from_{end + 1}'};"
        yield from (f'        "~^{"0" * (at - begin)}1" {at + 1};' for at in range(begin, end))
        yield "    }"
        yield ""


def _joined(flags: list[str], name: str, expression: str) -> Iterator[str]:
    """A variable that is 1 where all flags in a row fit, made of some at a time."""
    while len(flags) > TOGETHER:
        part = f"{name}_with_{len(flags)}"
        yield from _joined(flags[:TOGETHER], part, expression)
        flags = [part, *flags[TOGETHER:]]
    yield f'    map "{"".join(flags)}" {name} {{'
    yield "        default 0;"
    yield f'        "{expression}" 1;'
    yield "    }"


def _fits(spoken: Spoken, remarks: Remarks) -> bool:
    answer = spoken.answer
    words = [(test.raw or test.decoded).encode() for tests in spoken.alternatives for test in tests]
    if answer is not None:
        words += [answer.body, *(value.encode() for _, value in answer.headers)]
        if answer.status in REDIRECTS:
            remarks.leave_out(spoken.name, f"nginx has no body for a {answer.status}; the rule is left out")
            return False
    for each in (test for tests in spoken.alternatives for test in tests if test.what == "header"):
        if each.decoded != ".*" and re.fullmatch(each.decoded, ""):
            remarks.leave_out(
                spoken.name, f"to nginx a header without a value is none ({each.name}); the rule is left out"
            )
            return False
    if max(map(len, map(_written, words)), default=0) > LONGEST:
        remarks.leave_out(spoken.name, "longer than nginx takes; the rule is left out")
        return False
    return True


def _written(data: bytes) -> bytes:
    return quoted(data.decode("utf-8", "replace")).encode()


def _maps(spoken: Spoken, number: int, remarks: Remarks) -> Iterator[str]:
    """Variables that are 1 for a request that meets a test, and for the rule."""
    yield ""
    yield f"    # {spoken.name}: {shown(str(spoken.rule), LONGEST // 4)}"
    drawn = ""
    if spoken.probability < 1:
        percent = parts_of(spoken, CAN.title, CHANCES, remarks) * 100 / CHANCES
        drawn = f"$faultinject_{number}_drawn"
        yield f'    split_clients "{number} $request_id" {drawn} {{'
        if percent:
            yield f"        {number_text(percent)}% 1;"
        yield "        * 0;"
        yield "    }"
    rows = []
    for row, tests in enumerate(spoken.alternatives, 1):
        flags = [drawn] if drawn else []
        for at, test in enumerate(tests, 1):
            flags.append(f"$faultinject_{number}_{row}_{at}")
            yield from _test(test, flags[-1])
        name = f"$faultinject_{number}_{row}"
        rows.append(name)
        yield from _joined(flags, name, "~^1+$" if flags else "")
    yield from _joined(rows, f"$faultinject_{number}", "~1")


def _test(test: Test, variable: str) -> Iterator[str]:
    yes, no = ("0", "1") if test.negated else ("1", "0")
    if test.what == "client":
        yield f"    geo {variable} {{"
        yield f"        default {no};"
        yield from (f"        {address} {yes};" for address, _ in test.values)
        yield "    }"
        return
    source = f"$http_{test.name.replace('-', '_')}" if test.what == "header" else _VARIABLES[test.what]
    expression = f"~^(?:{test.decoded})$"
    if test.what == "path":
        expression = f"~^(?:https?://[^/?]*)?(?:{test.raw})(?:\\?.*)?$"
    if test.what == "query":
        expression = f"~(?:^|&)(?:{test.decoded})(?:&|$)"
    if test.what == "header" and test.decoded == ".*":
        expression = "~."
    yield f"    map {source} {variable} {{"
    yield f"        default {no};"
    yield f"        {quoted(expression, variables=False)} {yes};"
    yield "    }"


def _asked(spoken: Spoken, number: int) -> Iterator[str]:
    """How a request gets to its answer: by a path without a slash, which no client can ask for."""
    if spoken.fault != "drip":
        yield f"        if ($faultinject = {number}) {{ rewrite ^ faultinject/{number} last; }}"


def _location(spoken: Spoken, number: int) -> Iterator[str]:
    if spoken.fault == "drip":
        return
    yield ""
    yield f"        location = faultinject/{number} {{"
    yield "            internal;"
    answer = spoken.answer
    if answer is None:
        yield f"            reset_timedout_connection {'on' if spoken.fault == 'reset' else 'off'};"
        yield "            return 444;"
    else:
        yield f"            default_type {quoted(answer.content_type)};"
        for name, value in answer.headers:
            yield f"            add_header {quoted(name, variables=False)} {quoted(value)} always;"
        # Without a text nginx answers with a page of its own.
        body = quoted(answer.body.decode("utf-8", "replace")) if answer.body else "$faultinject_nothing"
        yield f"            return {answer.status} {body};"
    yield "        }"


def quoted(text: str, *, variables: bool = True) -> str:
    r"""One word of a configuration, in double quotes.

    nginx undoes `\"`, `\\`, `\n`, `\r` and `\t` in it, and has no escape for the `$` of a variable.

    Args:
        text: the word.
        variables: nginx looks for variables in this one.
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t").replace("\0", "")
    return f'"{escaped.replace("$", "${faultinject_dollar}") if variables else escaped}"'
