"""The conditions that a request must meet for a rule to match.

Each condition is one function. The functions stand in the canonical order.
"""

from __future__ import annotations

from faultinject.http import patterns
from faultinject.http.target import utf8
from faultinject.http.wire import COMMON, METHODS
from faultinject.rules.key import (
    Check,
    Condition,
    Reading,
    Test,
    any_of,
    case_insensitive_test,
    condition,
    pattern,
    plain_test,
)
from faultinject.rules.sample import sample
from faultinject.rules.values import Mistake, is_token, listed, most_like, nearest, shown, size_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from ipaddress import IPv4Network, IPv6Network

    from faultinject.engine.request import Request
    from faultinject.vendors.operations import Operations
    from faultinject.vendors.vendor import Vendor

    Network = IPv4Network | IPv6Network

_ALIKE = 0.65  # GTE and GET are alike, PURGE and MERGE are not
# The likeness from which a similar operation is suggested; the second if another vendor has the very name given.
_OPERATIONS_ALIKE, _ALL_BUT_THE_SAME = 0.6, 0.82


def _method(text: str) -> str:
    """A method such as PUT, or a pattern of one."""
    if not is_token(pattern(text).removeprefix("=")):
        raise Mistake(f"{shown(text)} cannot be a method")
    return text


@condition("method", read=_method)
def method(values: tuple[str, ...], _name: str, _reading: Reading) -> Check:
    """The request's method, any case.

    >>> print(Rule("http:503", method=["PUT", "POST"]))
    http:503,method=PUT,method=POST
    """
    if not any("*" in value or value[0] == "=" for value in values):
        methods = frozenset(value.upper() for value in values)
        return lambda request: request.method in methods or request.method.upper() in methods
    test = any_of(case_insensitive_test(value) for value in values)
    return lambda request: test(request.method.lower())


def doubt_of_method(text: str) -> str:
    """The reason why almost no request has this method, with the nearest known one; or empty.

    A pattern is doubtful if it matches no known method.
    """
    method = text if text in METHODS else text.removeprefix("=").upper()
    if method in METHODS:
        return "" if method != "CONNECT" else "no rule matches CONNECT"
    if "*" in method and text[0] != "=":
        fits = case_insensitive_test(method)
        return "" if any(fits(candidate.lower()) for candidate in METHODS) else "no HTTP method has this form"
    several = method.split("|")
    if METHODS.issuperset(several):
        spelled = ",".join(f"method={word}" for word in several)
        return f"| does not separate methods; did you mean {spelled}?"
    near = nearest(method, COMMON, _ALIKE) or nearest(method, METHODS, _ALIKE)
    return f"HTTP knows no such method{near}"


@condition("path")
def path(values: tuple[str, ...], _name: str, _reading: Reading) -> Check:
    """Mount point and path, percent-decoded once, as a pattern.

    `*` stands for characters within a segment, `**` for any segments; `dir/` matches all below it.

    >>> print(Rule("http:503", path="photos/**"))
    http:503,path=photos/**
    """
    test = any_of(patterns.compile_path(pattern) for pattern in values)
    return lambda request: test(request.path)


def _host(text: str) -> str:
    """Check a host or its pattern; raise `Mistake` for a port, or for a dot at its end."""
    host, colon, port = pattern(text).rpartition(":")
    if colon and port.isdecimal() and (":" not in host or host[-1] == "]"):
        hint = f"; did you mean {shown(host)}?" if host else ""
        raise Mistake(f"{shown(text)}: the port is ignored{hint}")
    if text[-1] == ".":
        host = text.removesuffix(".").removeprefix("=")
        hint = f"; did you mean {shown(host)}?" if host.strip(".") else ""
        raise Mistake(f"{shown(text)}: a dot at the end is ignored{hint}")
    return text


@condition("host", read=_host)
def host(values: tuple[str, ...], _name: str, _reading: Reading) -> Check:
    """The Host without its port, any case.

    >>> print(Rule("http:503", host="*.example.com"))
    http:503,host=*.example.com
    """
    test = any_of(case_insensitive_test(value) for value in values)
    return lambda request: test(request.host.lower())


@condition("header", named=True, header=True)
def header(values: tuple[str, ...], name: str, _reading: Reading) -> Check:
    """A header's value; empty means that the header is there.

    >>> print(Rule("http:503", header={"X-Test": "abc", "range": ""}))
    http:503,header.range=,header.x-test=abc
    """
    test = plain_test(values)

    def check(request: Request) -> bool:
        # Servers decode headers as Latin-1; clients encode other letters in UTF-8 or Latin-1.
        return any(
            test(value) or (not value.isascii() and test(utf8(value))) for value in request.header(name)
        )

    return check


@condition("query", named=True)
def query(values: tuple[str, ...], name: str, _reading: Reading) -> Check:
    """A query parameter's value; empty means that the parameter is there, as in `?uploads`.

    >>> print(Rule("http:503", query={"uploads": "", "tags[]": "x"}))
    http:503,query."tags[]"=x,query.uploads=
    """
    test = plain_test(values)
    return lambda request: any(test(value) for value in request.query_values(name))


@condition("operation")
def operation(values: tuple[str, ...], _name: str, reading: Reading) -> Check:
    """The storage operation by the vendor's own name, such as `PutObject` for relatives of S3.

    >>> print(Rule("http:503", operation=["UploadPart", "List*"]))
    http:503,operation=UploadPart,operation=List*
    """
    addressing = reading.addressing
    operations = addressing.operations.recognised_for(values)
    return lambda request: addressing.operation(request) in operations


def check_operation(text: str, vendor: Vendor | None) -> None:
    """Raise `Mistake` if no operation of the rule's vendor has this name or fits this pattern."""
    from faultinject.vendors.operations import operations_of

    operations = operations_of(vendor)
    if not operations.recognised_for((text,)):
        vendor_id = "S3" if vendor is None else vendor.id
        hint = (
            _suggestion(text, operations)
            or f"; 'faultinject vendors {vendor_id.lower()} --operations' lists them"
        )
        raise Mistake(f"{shown(text)} is no operation of {vendor_id}{hint}")


@condition("bucket")
def bucket(values: tuple[str, ...], _name: str, reading: Reading) -> Check:
    """The bucket as the vendor reads it; a request without one does not match.

    >>> print(Rule("http:503", bucket="photos-*"))
    http:503,bucket=photos-*
    """
    test = plain_test(values)

    def check(request: Request) -> bool:
        name = reading.addressing.read_address(request)[0]
        return name is not None and test(name)

    return check


@condition("key")
def object_key(values: tuple[str, ...], _name: str, reading: Reading) -> Check:
    """The object's key as the vendor reads it, a pattern like `path`.

    S3 reads `x%2Fy` as `x/y`. A request without a key does not match.

    >>> print(Rule("http:503", key="2024/**/*.jpg"))
    http:503,key=2024/**/*.jpg
    """
    test = any_of(
        patterns.compile_path(pattern, leading=False) for pattern in reading.addressing.keys(values)
    )

    def check(request: Request) -> bool:
        key = reading.addressing.read_address(request)[1]
        return key is not None and test(key)

    return check


def _client(text: str) -> str:
    """An address, a network, or a name or pattern (test clients report names)."""
    if pattern(text)[0] == "=" or "*" in text:
        return text
    if "/" in text or ":" in text or not text.strip("0123456789."):
        _network(text)
    return text


@condition("client", read=_client)
def client(values: tuple[str, ...], _name: str, _reading: Reading) -> Check:
    """The client's address, or a network that holds it, as the server reports it.

    >>> print(Rule("http:503", client="10.0.0.0/8"))
    http:503,client=10.0.0.0/8
    """
    literal = frozenset(values)
    networks = [_network(value) for value in values if "/" in value or ":" in value]
    test = any_of(case_insensitive_test(value) for value in values)

    def check(request: Request) -> bool:
        address = request.client
        if address is None:
            return False
        # A rule may name thousands of addresses, which a set finds at once.
        if address in literal or test(address.lower()):
            return True
        # An address with a colon may be an IPv4 address in IPv6 form, which the rule may name in IPv4 form.
        return (bool(networks) or ":" in address) and _within(
            address, networks, lambda text: text in literal or test(text)
        )

    return check


def _size(text: str) -> str:
    """A size or a range of sizes."""
    size_range(pattern(text))
    return text


@condition("size", read=_size)
def size(values: tuple[str, ...], _name: str, _reading: Reading) -> Check:
    """Content-Length: `5MiB..` at least, `..1KiB` at most, `1KB..2KB` between, `4096` exactly.

    >>> print(Rule("http:503", size="5MiB.."))
    http:503,size=5MiB..
    """
    ranges = [size_range(value) for value in values]

    def check(request: Request) -> bool:
        length = request.content_length
        return length is not None and any(
            low <= length and (high is None or length <= high) for low, high in ranges
        )

    return check


def _network(text: str) -> Network:
    from ipaddress import ip_network

    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise Mistake(
            f"{shown(text)} is not an address such as 10.1.2.3 or a network such as 10.0.0.0/8"
        ) from None


def _within(client: str, networks: Iterable[Network], test: Test) -> bool:
    """Whether an address is in one of the networks.

    An IPv4 address that a server reports in IPv6 form is compared as IPv4.
    """
    from ipaddress import ip_address

    try:
        address = ip_address(client)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        if test(str(mapped)):
            return True
        address = mapped
    return any(address in network for network in networks)


def all_of(conditions: Sequence[Check], unless: Sequence[Check]) -> Check:
    """Combine all conditions of a rule into one test.

    Args:
        conditions: the tests that must all hold.
        unless: the tests of which none may hold.
    """
    if len(conditions) == 1 and not unless:
        return conditions[0]  # most rules have one condition; this saves a call for each request

    def check(request: Request) -> bool:
        for holds in conditions:
            if not holds(request):
                return False
        return not unless or not any(holds(request) for holds in unless)

    return check


CONDITIONS: dict[str, Condition] = {
    condition_.key: condition_
    for condition_ in (method, path, host, header, query, operation, bucket, object_key, client, size, sample)
}


def _suggestion(text: str, operations: Operations) -> str:
    """The hint for an unknown operation: the nearest one, and the vendors that have it."""
    vendor_ids = _vendors_with(text)
    near = most_like(
        text.removeprefix("="), operations.names, _ALL_BUT_THE_SAME if vendor_ids else _OPERATIONS_ALIKE
    )
    elsewhere = f"it is one of {listed(vendor_ids, 'and')}" if vendor_ids else ""
    if near is None:
        return f"; {elsewhere}" if elsewhere else ""
    return f"; did you mean {near}?{f' ({elsewhere})' if elsewhere else ''}"


def _vendors_with(text: str) -> list[str]:
    """The vendors with operations of that name or pattern; `S3` stands for all its relatives."""
    from faultinject import vendors
    from faultinject.vendors.operations import operations_of

    of_s3 = bool(operations_of(None).recognised_for((text,)))
    vendor_ids = ["S3"] if of_s3 else []
    for name in vendors.names():
        vendor = vendors.get(name)
        related = vendor.addressing in (None, "s3")
        if not (related and of_s3) and operations_of(vendor).recognised_for((text,)):
            vendor_ids.append(name)
    return vendor_ids
