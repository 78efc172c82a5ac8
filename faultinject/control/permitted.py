"""What a rule that comes by the control API may not do: whoever has its token has no files, and sends nobody elsewhere."""

from __future__ import annotations

from urllib.parse import urlsplit

from faultinject.exceptions import ConfigurationError, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from faultinject.rules.rule import Rule

ELSEWHERE = "write it into a file of rules, or into a variable of the environment"
MOST_RULES = 10_000
# A server in front reads the file, or asks the address, that one of these names.
_FILES = frozenset(
    ("x-accel-redirect", "x-lighttpd-send-file", "x-lighttpd-send-file2", "x-lighttpd-send-tempfile", "x-reproxy-url",
     "x-sendfile", "x-sendfile2")
)  # fmt: skip
# Each of these sends a client, or all that it asks for later, to the address that it names.
_SENDS_ON = frozenset(("content-location", "location", "refresh"))
_LASTING = frozenset(
    ("alt-svc", "clear-site-data", "content-security-policy", "link", "nel", "public-key-pins", "report-to",
     "reporting-endpoints", "service-worker-allowed", "set-cookie", "set-cookie2", "sourcemap",
     "strict-transport-security", "x-sourcemap")
)  # fmt: skip
# In what is of one of these kinds a browser runs scripts, and follows addresses.
_RUN = ("html", "script", "svg", "xml")


def check_rules(rules: Sequence[Rule], known: Collection[Rule] = ()) -> None:
    """Refuse rules that the API may not put in force.

    Args:
        rules: those that are asked for.
        known: those in force, which somebody else has written.

    Raises:
        ConfigurationError: with every rule that is refused, and why.
    """
    known = {*known}
    problems = [
        Problem(f"{why}; {ELSEWHERE}", where=f"rules[{index}].{key}")
        for index, rule in enumerate(rules)
        if rule not in known
        for key, why in _refused(rule)
    ]
    if problems:
        raise ConfigurationError(problems[:20])


def _refused(rule: Rule) -> Iterator[tuple[str, str]]:
    for key, text in rule.options.items():
        name = key.removeprefix("set.")
        if key == "exact" and rule.value("exact"):
            yield key, "a rule of the control API sends no exact bytes"
        elif key == "content_type" and _is_run(text):
            yield key, f"a rule of the control API sends nothing that a browser runs, such as {text}"
        elif name == key:
            continue
        elif name in _FILES:
            yield key, f"a rule of the control API names no file, as {name} does"
        elif name in _SENDS_ON and not _stays(text, whole=name != "refresh"):
            yield (
                key,
                "a rule of the control API redirects to no other host: give a path that begins with one /",
            )
        elif name in _LASTING or name.startswith("access-control-"):
            yield key, f"a rule of the control API does not send {name}"
        elif name == "content-type" and _is_run(text):
            yield key, f"a rule of the control API sends nothing that a browser runs, such as {text}"


def _stays(text: str, *, whole: bool) -> bool:
    """Whether an address is a path on the same host, as every browser reads it."""
    address = text.strip()
    if not whole:
        return address.isascii() and address.isdecimal()
    if address[:1] != "/" or address[1:2] in ("/", "\\") or "\\" in address:
        return False
    try:
        return not urlsplit(address).netloc
    except ValueError:
        return False


def _is_run(text: str) -> bool:
    return any(each in text.lower() for each in _RUN)
