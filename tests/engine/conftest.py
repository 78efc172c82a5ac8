"""An app behind the middleware that gets plain environs, and statistics of its answers."""

import io
from collections import Counter
from itertools import product
from math import erfc, exp, lgamma, log, sqrt
from urllib.parse import unquote_to_bytes, urlsplit

import pytest

from faultinject import Injector, WSGIFaultMiddleware, vendors
from tests.decisions import candidates, decide, reads
from tests.decisions import view as see


def environ_of(target, *, host="", body=b"", headers=(), **more):
    """`PUT /b/k?a=1` as a WSGI server without a raw target hands it out."""
    method, _, url = target.partition(" ")
    path, _, query = url.partition("?")
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": query,
        "REMOTE_ADDR": "127.0.0.1",
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers},
        **more,
    }
    if host:
        environ["HTTP_HOST"] = host
    if body:
        environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    return environ


def view_of(method, url, headers=()):
    """The environ that a server makes of an SDK's request."""
    parts = urlsplit(url)
    path = parts.path or "/"
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "RAW_URI": path,
        "QUERY_STRING": parts.query,
        "HTTP_HOST": parts.netloc.rpartition("@")[2],
        **{
            f"HTTP_{name.upper().replace('-', '_')}": value.decode()
            if isinstance(value, bytes)
            else str(value)
            for name, value in dict(headers).items()
        },
    }


class Reading:
    """A vendor's reading of requests, seen through the journal alone."""

    def __init__(self, vendor=None, endpoints=()):
        self.vendor, self.endpoints = vendor, endpoints
        vendor = f",vendor={vendor}" if vendor else ""
        self.injector = Injector(
            f"http:503,path=/never/asked/for{vendor}",
            environ={"FAULTINJECT_ENDPOINT": " ".join(endpoints)},
            store="memory:",
            record_all=True,
        )
        self.app = WSGIFaultMiddleware(answer, injector=self.injector)

    def outcome(self, environ):
        result = self.app(dict(environ), lambda status, headers, exc_info=None: None)
        b"".join(result)
        getattr(result, "close", lambda: None)()
        [found] = self.injector.journal.outcomes
        self.injector.journal.clear()
        return found

    def operation(self, environ):
        return self.outcome(environ).operation

    def read_address(self, environ):
        outcome = self.outcome(environ)
        return outcome.bucket, outcome.key

    def live(self, environ):
        """The reading of the request itself, whose query the journal may not show."""
        return reads(self.vendor and vendors.get(self.vendor), see(environ), self.endpoints)

    def identify(self, environ):
        """The identity of a request: exact, and with placeholders."""
        return self.live(environ)[-2:]


class Site:
    """An app and the middleware around it.

    `ask` gives the name of the rule that answered, or None when the app did.
    """

    def __init__(self, rules, seed="0", *, app=None, now=None, record_all=False, **settings):
        self.now = 1_700_000_000.0 if now is None else now
        self.injector = Injector(
            rules, seed=seed, environ=settings, clock=lambda: self.now, record_all=record_all
        )
        self.app = WSGIFaultMiddleware(app or answer, injector=self.injector)

    def ask(self, target="PUT /photos/cat.jpg", **more):
        got = []
        self.app(environ_of(target, **more), lambda status, headers, exc_info=None: got.append(dict(headers)))
        return got[0].get("x-faultinject")

    def meet(self, target="PUT /photos/cat.jpg", **more):
        """As a client in the same process meets it: the body, or None where the connection broke."""
        try:
            result = self.app(
                environ_of(target, **more), lambda status, headers, exc_info=None: lambda _: None
            )
            try:
                return b"".join(result)
            finally:
                getattr(result, "close", lambda: None)()
        except OSError:
            return None

    def asks(self, targets):
        return [self.ask(each) for each in targets]

    def decide(self, target="PUT /photos/cat.jpg", **more):
        """The decision, with nothing sent and no waits."""
        return decide(self.injector.own_plan, environ_of(target, **more))

    def candidates(self, place):
        """The numbers of the rules that are asked about a request."""
        return candidates(self.injector.own_plan, place)

    @property
    def counts(self):
        return {name: (each.matched, each.injected) for name, each in self.injector.counts().items()}

    @property
    def outcomes(self):
        return self.injector.journal.outcomes


def answer(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return []


@pytest.fixture(scope="session")
def site():
    """Make a `Site`."""
    return Site


@pytest.fixture(scope="session")
def view():
    """Make an environ of a method, a URL and headers."""
    return view_of


@pytest.fixture(scope="session")
def environ():
    """Make an environ."""
    return environ_of


class Statistics:
    """Chi-square tests, exact for every number of degrees of freedom."""

    @staticmethod
    def tail(statistic, freedom):
        """The chance of a statistic at least as large when nothing is wrong."""
        half = statistic / 2
        if half <= 0:
            return 1.0
        at, found = (0.5, erfc(sqrt(half))) if freedom % 2 else (1.0, exp(-half))
        while at < freedom / 2:
            found += exp(at * log(half) - half - lgamma(at + 1))
            at += 1
        return found

    def fits(self, counts, shares):
        """p of counts against the shares that are expected."""
        total = sum(counts)
        wanted = [total * share for share in shares]
        assert min(wanted) >= 5, "too few for a chi-square test"
        statistic = sum((have - want) ** 2 / want for have, want in zip(counts, wanted, strict=True))
        return self.tail(statistic, len(counts) - 1)

    def even(self, counts):
        """p of counts that should all be the same."""
        return self.fits(counts, [1 / len(counts)] * len(counts))

    def independent(self, pairs):
        """p of pairs whose halves should know nothing of each other."""
        seen = Counter(pairs)
        lefts, rights, total = Counter(), Counter(), seen.total()
        for (left, right), count in seen.items():
            lefts[left] += count
            rights[right] += count
        assert len(lefts) > 1 and len(rights) > 1, "one of them never changes"
        wanted = {each: lefts[each[0]] * rights[each[1]] / total for each in product(lefts, rights)}
        assert min(wanted.values()) >= 5, "too few for a chi-square test"
        statistic = sum((seen[each] - want) ** 2 / want for each, want in wanted.items())
        return self.tail(statistic, (len(lefts) - 1) * (len(rights) - 1))


@pytest.fixture(scope="session")
def p_of():
    """Chi-square tests: each gives the chance of what was seen, when nothing is wrong."""
    return Statistics()
