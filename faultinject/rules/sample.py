"""The condition `sample` chooses a share of users, tenants or keys, the same ones each time."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from faultinject.engine.draw import threshold
from faultinject.engine.request import Request
from faultinject.rules import values
from faultinject.rules.key import Check, Reading, condition
from faultinject.rules.values import Mistake, is_token, listed, most_like, number_text, shown
from faultinject.vendors.addressing import Addressing
from faultinject.vendors.credentials import access_key_id

Read = Callable[[Request, str, Addressing], str | None]
"""Reads a request's user, tenant or key, from the NAME and the reading; None: it has none."""

SEPARATION = b"faultinj-sample"
"""Added to the seed, so that the choice is independent of every other draw of the same seed."""
NAMED = ("header", "query")
READS: dict[str, Read] = {
    # Joined, as a WSGI server joins repeated headers.
    "header": lambda request, name, _reading: ",".join(request.header(name)),
    "query": lambda request, name, _reading: next(iter(request.query_values(name)), None),
    "client": lambda request, _name, _reading: request.client,
    "bucket": lambda request, _name, reading: reading.read_address(request)[0],
    "key": lambda request, _name, reading: _object(*reading.read_address(request)),
    "principal": lambda request, _name, _reading: access_key_id(request),
}
THINGS = tuple(attribute for attribute in READS if attribute not in NAMED)
KNOWN = (*(f"{attribute}.NAME" for attribute in NAMED), *THINGS)


def _sample(text: str) -> str:
    """Check the attribute and the share."""
    if not text:
        raise Mistake("needs a value, such as header.x-user:0.05")
    read_sample(text)
    return text


def _spell(text: str) -> str:
    """The header in lower case, the number without an exponent."""
    attribute, _, share = text.rpartition(":")
    word, dot, name = attribute.partition(".")
    if word == "header":
        name = name.lower().replace("_", "-")
    share = number_text(float(share)) if "e" in share.lower() else share
    return f"{word}{dot}{name}:{share}"


def _share_removed(text: str) -> str:
    """The value without its share, for the rule's label.

    So a larger share does not change the draws for the users of a smaller one.
    """
    return text.rpartition(":")[0]


@condition("sample", read=_sample, spell=_spell, in_label=_share_removed)
def sample(values: tuple[str, ...], _name: str, reading: Reading) -> Check:
    """A share of users, tenants or keys, always the same ones: `ATTRIBUTE:SHARE`.

    The attribute is `header.NAME`, `query.NAME`, `client`, `bucket`, `key` (with its bucket) or `principal` (the
    access-key id of a signed request). The seed chooses the values; a larger share includes all
    values of a smaller one. A request without that attribute does not match.

    >>> print(Rule("http:503", sample="header.X-User:0.05"))
    http:503,sample=header.x-user:0.05
    """
    tests = [_sample_test(*read_sample(value), reading) for value in values]
    return lambda request: any(test(request) for test in tests)


def _sample_test(word: str, name: str, share: float, reading: Reading) -> Check:
    """The test whether the user, tenant or key of a request belongs to the share."""
    read = READS[word]
    addressing = reading.addressing
    limit = threshold(share)
    attribute = f"{word}.{name}" if name else word
    head = f"{attribute}\0".encode("utf-8", "surrogatepass")
    state = blake2b(head, key=reading.seed, digest_size=8, person=SEPARATION)

    def check(request: Request) -> bool:
        sampled = read(request, name, addressing)
        if not sampled:
            return False
        drawn = state.copy()
        drawn.update(sampled.encode("utf-8", "surrogatepass"))
        return int.from_bytes(drawn.digest(), "big") < limit

    return check


def read_sample(text: str) -> tuple[str, str, float]:
    """Split `header.x-user:0.05` into word, NAME (or empty) and share.

    Raises:
        Mistake: the text is something else.
    """
    attribute, colon, share = text.rpartition(":") if ":" in text else (text, "", "")
    if _is_share(attribute) and not _is_share(share):
        hint = f"{shown(share) if colon else 'header.x-user'}:{shown(attribute)}"
        raise Mistake(f"{shown(text)} does not begin with an attribute to sample; did you mean {hint}?")
    word, dot, name = attribute.partition(".")
    if word not in READS:
        raise Mistake(
            f"{shown(attribute)} does not distinguish users, tenants or keys{_instead(attribute, share)}"
        )
    if word in NAMED and not name:
        raise Mistake(f"{word} needs a name behind a dot, such as {word}.x-user")
    if word in THINGS and dot:
        raise Mistake(f"{word} takes no name; did you mean {word}:{shown(share or '0.05')}?")
    if word == "header":
        if not is_token(name):
            raise Mistake(f"{shown(name)} cannot be the name of a header")
        name = name.lower().replace("_", "-")
    if not colon:
        raise Mistake(f"{shown(text)} has no share; did you mean {shown(text)}:0.05?")
    return word, name, values.probability(share)


def _instead(attribute: str, share: str) -> str:
    """The hint for a wrong attribute: the nearest known word, or a header of that name."""
    word, dot, name = attribute.partition(".")
    near = most_like(word, READS) if word else None
    if near is not None:
        suggestion = f"{near}{dot}{name}"
    elif is_token(attribute):
        suggestion = f"header.{attribute}"
    else:
        return f"; there are {listed(KNOWN, 'and')}"
    return f"; did you mean {shown(suggestion)}:{shown(share or '0.05')}?"


def _is_share(text: str) -> bool:
    try:
        values.probability(text)
    except Mistake:
        return False
    return True


def _object(bucket: str | None, key: str | None) -> str | None:
    return f"{bucket or ''}/{key}" if key else None
