"""HAProxy, 2.6 and later: a whole configuration with `http-request return`, `tarpit`, `reject` and `silent-drop`.

https://docs.haproxy.org/2.6/configuration.html, quoting: section 2.2, `return`: section 4.2
"""

from __future__ import annotations

from faultinject.conversion.spoken import ANSWER, Can, parts_of, speak
from faultinject.rules.values import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultinject.conversion.asked import Test
    from faultinject.conversion.formats import Place
    from faultinject.conversion.remarks import Remarks
    from faultinject.conversion.spoken import Answer, Spoken
    from faultinject.rules.scenario import Scenario

CAN = Can(
    "HAProxy",
    faults=frozenset((ANSWER, "hang", "reset", "close")),
    tests=frozenset(("method", "path", "host", "header", "query", "client", "size")),
    negated=frozenset(("method", "path", "host", "header", "query", "client", "size")),
    delayed=frozenset((ANSWER,)),
    names="_.",
    empty=False,
)
LARGEST = 12_000
"""Bytes of an answer: all of it has to fit into a buffer of 16 KiB, beside what HAProxy adds."""
MOST_WORDS = 60
"""Of a line: HAProxy takes 64."""
CHANCES = 1_000_000
_FETCHES = {"method": "method", "path": "path", "query": "query", "client": "src"}


def write(scenario: Scenario, place: Place, remarks: Remarks) -> str:
    """The configuration."""
    spoken = [each for each in speak(scenario, CAN, remarks) if _fits(each, remarks)]
    wait = next((each.delay for each in spoken if each.delay), 0.0)
    for each in spoken:
        if each.delay not in (0.0, wait):
            remarks.change(
                f"{each.name}: delay", f"HAProxy has one wait for all: that of the first rule, {wait:g} s"
            )
    lines = [
        "# Rules of faultinject for HAProxy 2.6 and later.",
        "defaults",
        "    mode http",
        "    timeout connect 10s",
        "    timeout client 1h",
        "    timeout server 1h",
        *([f"    timeout tarpit {round(wait * 1000)}ms"] if wait else []),
        "",
        "frontend faultinject",
        f"    bind {place.listen}",
    ]
    for each in spoken:
        lines += ["", f"    # {each.name}: {visible(str(each.rule))}", *_lines(each, remarks)]
    lines += [
        "",
        "    default_backend app",
        "",
        "backend app",
        f"    server app {place.upstream}",
        "",
    ]
    return "\n".join(lines)


def _fits(spoken: Spoken, remarks: Remarks) -> bool:
    answer = spoken.answer
    size = words = 0
    if answer is not None:
        size = len(answer.body) + sum(len(name) + len(value) + 4 for name, value in answer.headers)
        words = 3 * len(answer.headers)
    words += max(sum(len(test.values) + 6 for test in tests) for tests in spoken.alternatives)
    if size > LARGEST or words > MOST_WORDS - 14:
        remarks.leave_out(spoken.name, "longer than HAProxy takes; the rule is left out")
        return False
    return True


def _lines(spoken: Spoken, remarks: Remarks) -> Iterator[str]:
    done = _done(spoken, remarks)
    for tests in spoken.alternatives:
        conditions = [_condition(each) for each in tests]
        if spoken.probability < 1:
            parts = parts_of(spoken, CAN.title, CHANCES, remarks)
            conditions.append(f"{{ rand({CHANCES}) lt {parts} }}")
        behind = f" if {' '.join(conditions)}" if conditions else ""
        yield f"    http-request {done}{behind}"


def _done(spoken: Spoken, remarks: Remarks) -> str:
    answer = spoken.answer
    if answer is not None:
        action = "tarpit" if spoken.delay else "return"
        return f"{action} status {answer.status}{_said(answer)}"
    if spoken.fault == "hang":
        remarks.change(
            f"{spoken.name}: hang", "the client is never told that the connection ends, however long it waits"
        )
        return "silent-drop"
    if spoken.fault == "reset":
        remarks.change(f"{spoken.name}: reset", "HAProxy closes the connection, which need not be a reset")
    return "reject"


def _said(answer: Answer) -> str:
    body = ""
    # An empty text is none to HAProxy, and a type without a text an error.
    if answer.content_type and answer.body:
        body = f" content-type {quoted(answer.content_type.encode())} string {quoted(answer.body)}"
    headers = "".join(f" hdr {_name(name)} {_format(value)}" for name, value in answer.headers)
    return body + headers


def _name(name: str) -> str:
    return name if name.replace("-", "").isalnum() else quoted(name.encode())


def _format(value: str) -> str:
    """A header's value, in which HAProxy looks for variables."""
    return quoted(value.replace("%", "%%").encode("latin-1", "replace"))


def quoted(data: bytes) -> str:
    """One word of a configuration, in double quotes: there `$` is a variable, and a line's end ends all."""
    return f'"{"".join(map(_escaped, data))}"'


def _escaped(byte: int) -> str:
    character = chr(byte)
    if character in '"\\$':
        return f"\\{character}"
    return character if " " <= character <= "~" else f"\\x{byte:02x}"


def _condition(test: Test) -> str:
    """An anonymous ACL."""
    if test.what == "client":
        said = f"src {' '.join(address for address, _ in test.values)}"
    elif test.what == "size":
        said = f"req.hdr_val(content-length) {' '.join(_range(*each) for each in test.values)}"
    elif test.what == "header":
        said = f"req.fhdr({test.name}) -m reg {_whole(test.decoded)}"
    elif test.what == "host":
        said = f"req.fhdr(host) -m reg -i {_whole(f'(?:{test.decoded})(?::[0-9]+)?')}"
    elif test.what == "query":
        said = f"query -m reg {quoted(f'(?:^|&)(?:{test.decoded})(?:&|$)'.encode())}"
    else:
        # A path as it is sent: decoded, /a%2Fb would be /a/b.
        said = f"{_FETCHES[test.what]} -m reg {_whole(test.raw or test.decoded)}"
    return f"{'!' if test.negated else ''}{{ {said} }}"


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low}:{high}"


def _whole(expression: str) -> str:
    return quoted(f"^(?:{expression})$".encode())
