"""What a stub of WireMock asks of a request, as the conditions of a rule.

https://wiremock.org/docs/request-matching/
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote

from faultinject.conversion.made import literal, literal_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from faultinject.conversion.document import Node, Table

    Conditions = dict[str, Any]

CANNOT = "no condition says this, and without it the fault would come to other requests"
REGEX = "no pattern is such a regular expression, and without it the fault would come to other requests"
QUERY = "requests with further parameters get it too"
_SAFE = re.compile(r"[\w~!@%&=:;,'\"<>/ -]")
_ESCAPED = re.compile(r"\\([^\w\s])")


def _cannot(node: Node, why: str = CANNOT) -> NoReturn:
    node.leave_out(why)
    raise Unsayable


class Unsayable(Exception):
    """A condition cannot be said; it has been told of."""


def conditions(node: Node) -> Conditions:
    """The conditions of a `request`.

    Raises:
        Unsayable: one of them cannot be said, and the stub is left out.
        ConfigurationError: a value is of another type.
    """
    table = node.table()
    found: Conditions = {}
    unless: Conditions = {}
    method = table.take("method")
    if method is not None and not isinstance(method.value, str):
        _cannot(method)
    if method is not None and method.text().upper() != "ANY":
        found["method"] = literal(method.text())
    _url(table, found)
    for key, word in (("headers", "header"), ("queryParameters", "query")):
        for name, matcher in table.items(key):
            pattern, negated = _matched(matcher)
            (unless if negated else found).setdefault(word, {})[name] = pattern
    for key, word in (("host", "host"), ("clientIp", "client")):
        given = table.take(key)
        if given is not None:
            pattern, negated = _matched(given, in_any_case=True)
            if negated or not pattern:
                _cannot(given)
            found[word] = pattern
    if table.rest(CANNOT):
        raise Unsayable
    return found | ({"unless": unless} if unless else {})


def _url(table: Table, found: Conditions) -> None:
    for key in ("url", "urlPath", "urlPathTemplate", "urlPathPattern", "urlPattern"):
        given = table.take(key)
        if given is None:
            continue
        text = given.text()
        if key in ("url", "urlPath"):
            path, mark, query = text.partition("?")
            if "%2f" in path.lower():
                _cannot(
                    given,
                    "no path of a rule has an encoded slash, and the fault would come to other requests",
                )
            found["path"] = literal_path(unquote(path))
            if key == "url":
                given.change(QUERY)
            if mark:
                pairs = parse_qsl(query, keep_blank_values=True)
                found["query"] = {name: _exactly(value) for name, value in pairs}
                if len(found["query"]) < len(pairs):
                    _cannot(
                        given,
                        "a rule asks for one value of a parameter, and the fault would come to other requests",
                    )
        elif key == "urlPathTemplate":
            if {*"*?"} & {*text} or text.endswith("/"):
                _cannot(given, REGEX)
            found["path"] = re.sub(r"\{[^{}/]*\}", "*", text)
            given.change("a * stands for an empty segment too")
        else:
            pattern = path_pattern(text)
            if pattern is None:
                _cannot(given, REGEX)
            if pattern:
                found["path"] = pattern
            if key == "urlPattern" and not text.endswith(".*"):
                given.change(QUERY)


def path_pattern(regex: str) -> str | None:
    """The pattern of paths that means the same; empty: every path; None: there is none."""
    whole = regex.removeprefix("^").removesuffix("$")
    if whole in (".*", "/.*"):
        return ""
    texts = [_plain(each) for each in whole.split(".*")]
    head, tail = texts[0] or "", texts[-1] or ""
    if None in texts or whole[:1] != "/" or len(texts) > 2 or "%" in whole:  # rules have paths decoded
        return None
    if len(texts) == 1:
        return None if "?" in head else literal_path(head)
    if not head.endswith("/") or "/" in tail or {*"*?"} & {*head, *tail}:
        return None
    return f"{head}**/*{tail}" if tail else head


def _plain(regex: str) -> str | None:
    """The text of an expression without operators; None where it has some."""
    text = _ESCAPED.sub("", regex)
    if not all(_SAFE.match(each) or each == "." for each in text) or "." in text:
        return None
    return _ESCAPED.sub(r"\1", regex)


def _matched(node: Node, *, in_any_case: bool = False) -> tuple[str, bool]:
    """The pattern of a matcher, empty for any value; and whether the value must have another form.

    Args:
        node: the matcher.
        in_any_case: whether rules compare such values in any case.
    """
    table = node.table()
    any_case = table.take("caseInsensitive")
    if any_case is not None and any_case.flag() and not in_any_case:
        _cannot(
            any_case, "values are compared as they are written, and the fault would come to other requests"
        )
    [(key, value)] = _matchers(table)
    if table.rest(CANNOT):
        raise Unsayable
    if key == "absent":
        return "", value.flag()
    pattern: str | None
    if key == "equalTo":
        pattern = _exactly(value.text())
    elif key in ("contains", "doesNotContain"):
        pattern = None if "*" in value.text() else f"*{value.text()}*"
    else:
        pattern = value_pattern(value.text())
    if pattern is None:
        _cannot(node, REGEX)
    return pattern, key.startswith("doesNot")


def _matchers(table: Table) -> list[tuple[str, Node]]:
    words = ("absent", "equalTo", "contains", "doesNotContain", "matches", "doesNotMatch")
    found = [(key, value) for key in words if key in table and (value := table.take(key)) is not None]
    if len(found) != 1:
        _cannot(table.node)
    return found


def value_pattern(regex: str) -> str | None:
    """The pattern of values that means the same; empty: any value; None: there is none."""
    pieces = [_plain(each) for each in regex.removeprefix("^").removesuffix("$").split(".*")]
    if None in pieces or any("*" in (each or "") for each in pieces):
        return None
    text = "*".join(each or "" for each in pieces)
    if text[:1] == "=":
        return None if "*" in text else literal(text)
    return "" if text == "*" else text or _exactly("")


def _exactly(text: str) -> str:
    """A pattern of values that means this text: an empty one would mean any."""
    return literal(text) if text else "="
