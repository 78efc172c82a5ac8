"""Limits for rules that came over HTTP: by the control API, or in a request's header.

Their sender need not be the person who runs the server. So such rules may change only the answer to one request: they
use no file of the server and no other host, and send no header that browsers or caches keep after the fault.
"""

from __future__ import annotations

from faultinject.exceptions import ConfigurationError, Problem
from faultinject.rules.values import listed, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from faultinject.rules.rule import Rule
    from faultinject.rules.scenario import Scenario

ELSEWHERE = frozenset(("content-location", "location", "x-amz-website-redirect-location"))
"""Headers with the address of another resource, which must be on the same host."""
OBEYED = frozenset(
    "link refresh sourcemap speculation-rules x-content-type-options x-lighttpd-send-file"
    " x-lighttpd-send-tempfile x-litespeed-location x-sendfile x-sendfile2 x-sourcemap".split()
)
"""Headers that redirect a browser, or let the proxy in front send other content.

The proxy sends a file, or the answer of another server.
https://nginx.org/en/docs/http/ngx_http_proxy_module.html, https://tn123.org/mod_xsendfile/,
https://litespeedtech.com/support/wiki/doku.php/litespeed_wiki:config:internal-redirect
"""
LASTING = frozenset(
    "accept-ch age alt-svc cache-control cdn-cache-control clear-site-data content-security-policy"
    " content-security-policy-report-only cross-origin-embedder-policy cross-origin-opener-policy expires"
    " nel pragma public-key-pins report-to reporting-endpoints service-worker-allowed set-cookie"
    " strict-transport-security surrogate-control vary".split()
)
"""Headers that browsers or caches obey after the fault, or that make them report elsewhere."""
CACHING = frozenset("cache-control cdn-cache-control expires pragma surrogate-control vary".split())
"""Headers of the app's answer that keep it out of caches, or away from other users."""
KINDS = ("text/plain", "application/json", "application/xml")
"""Content types that an answer may have; `nosniff` keeps browsers from guessing another one."""
KINDS_OF_APP = KINDS[:2]
"""Content types that the app's own answer may get.

The answer may contain somebody's upload, and XML may contain scripts.
"""
INERT = frozenset(
    "content-disposition content-type origin-agent-cluster x-content-type-options x-download-options"
    " x-frame-options x-permitted-cross-domain-policies x-webkit-csp x-xss-protection".split()
)
"""Headers that keep a browser from running content that an app only stores.

All headers with a `policy` in their names do so, too.
https://owasp.org/www-project-secure-headers/
"""
FAMILIES = ("x-accel-", "x-archive-", "x-reproxy-", "access-control-")
"""Beginnings of more headers that a proxy obeys, or that let scripts of other sites read.

https://www.nginx.com/resources/wiki/modules/zip/, http://search.cpan.org/src/DORMANDO/Perlbal-1.80/doc/reproxying.txt
"""
HANDED_OVER = ("redirect", "reproxy", "rewrite", "send-file", "sendfile", "sendtemp")
KEPT = ("-control", "cookie", "policy", "report")
"""Parts of the names of more such headers, of proxies and browsers that we do not know.

`HANDED_OVER` is for headers that a proxy obeys, `KEPT` for headers whose effect lasts.
"""


def check_sent_rules(
    scenario: Scenario, *, more: frozenset[str] = frozenset(), known: Collection[Rule] = ()
) -> None:
    """Refuse effects that a rule must not have if it came over HTTP.

    Args:
        scenario: the rules, which are valid in themselves.
        more: more effects to refuse.
        known: the rules in force, which are not checked, as they may come from somebody else.

    Raises:
        ConfigurationError: has every problem, with its rule.
    """
    known_rules = {*known}
    problems = [
        Problem(message, where=f"{name}: {key}")
        for name, rule in zip(scenario.display_names, scenario.rules, strict=True)
        if rule not in known_rules
        for key, message in _problems(rule, more)
    ]
    if problems:
        raise ConfigurationError(problems)


def _problems(rule: Rule, more: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield each mistake in a rule: the key, and a message."""
    for key in rule.options:
        if key in more:
            yield key, f"a rule that comes over HTTP has no {key}; leave it out"
        name = key.removeprefix("drop.")
        if name != key and (name in INERT or "policy" in name):
            yield key, f"a rule that comes over HTTP drops no {name}{_KEEPS_INERT}"
        if name != key and name in CACHING:
            yield (
                key,
                f"a rule that comes over HTTP drops no {name}, by which a cache may keep what is not for it",
            )
    if "content_type" in rule.options and (problem := _wrong_kind(rule.options["content_type"], KINDS)):
        yield "content_type", problem
    kinds = KINDS_OF_APP if "drop" in rule.resolved.takes else KINDS
    for name, text in rule.set_headers:
        problem = _wrong_kind(text, kinds) if name == "content-type" else _wrong_header(name, text)
        if problem:
            yield f"set.{name}", problem


_KEEPS_INERT = ", which keeps a browser from running what the app only stores"


def _wrong_header(name: str, text: str) -> str:
    if name in ELSEWHERE:
        if stays(text):
            return ""
        path = f"/{text.partition('://')[2].partition('/')[2]}"
        return f"{shown(text)} may lead to another host; did you mean {shown(path)}?"
    if name in OBEYED or name.startswith(FAMILIES) or any(part in name for part in HANDED_OVER):
        return f"a rule that comes over HTTP sets no {name}, which a proxy or a browser obeys"
    if name in LASTING or any(part in name for part in KEPT):
        return f"a rule that comes over HTTP sets no {name}, which lasts longer than the fault"
    if name in INERT:
        return f"a rule that comes over HTTP sets no {name}{_KEEPS_INERT}"
    return ""


def _wrong_kind(text: str, kinds: tuple[str, ...]) -> str:
    kind, semicolon, parameter = (part.strip(" \t").lower() for part in text.partition(";"))
    if kind in kinds and (not semicolon or parameter == "charset=utf-8"):
        return ""
    return (
        f"a rule that comes over HTTP sends {listed(kinds)}, alone or with charset=utf-8,"
        f" and not {shown(text)}"
    )


def stays(text: str) -> bool:
    r"""Whether an address is a path on the same host for every browser.

    >>> [each for each in ("/a", "/a:b", "a", "//b", "/\\b", "https://b", "<//b>") if stays(each)]
    ['/a', '/a:b']
    """
    return text[:1] == "/" and text[1:2] not in ("/", "\\")
