"""The connection after a fault: the next request on it, or on a new one, is answered right.

A *situation* is how the first request brings its body. The client is one that keeps to the protocol: it uses the
connection again unless the answer, or its end, says otherwise.
"""

import json
from contextlib import closing

from .apps import photo
from .faults import code, empty
from .probe import PATIENCE, request
from .rules import APP, CUT, EMPTY, NONE, THEN

BODY = b"x" * 3000
LONG = b"y" * 300_000
FIRST = 3000
"""Bytes of the long body sent before the answer, more than a server reads at once."""
BUFFERS = ("cheroot", "daphne", "waitress")
"""Servers that answer only after they have read a body of known length, or any body."""
SAYS_NO_100 = ("uWSGI", "wsgiref")
"""Servers that never ask for a body."""
SILENT = 0.1
"""Seconds after which these are believed to be silent."""
KEPT, CLOSED, ENDED, BROKEN = "kept", "closed", "ends", "broken"
"""The connection was kept; closed as announced; closed without a word; broken by the fault."""


def chunked(body):
    """A body in two chunks."""
    half = len(body) // 2
    return b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in (body[:half], body[half:], b""))


class Exchange:
    """Two requests of one client.

    Args:
        server: the running server.
        rule: of the first request.
    """

    def __init__(self, server, rule):
        self.server = server
        self.rule = rule
        self.gives = THEN[rule][1]
        number = next(server.numbers)
        self.path = f"/then-{rule}/t{number}/put"
        self.size = 50 + number % 50
        # A path that no other test asks this server for: how often it was met is counted.
        self.then = f"/else/then{number}/photos/{self.size}"
        self.client = server.connect()

    def close(self):
        """Leave."""
        self.client.close()

    # The situations: each sends the first request and gives its answer.

    def no_body(self, method="GET"):
        """GET."""
        self.path = self.path.removesuffix("put") + "photos/1000"
        return self.client.ask(method, self.path)

    def bodiless(self):
        """HEAD: of an answer without a body nothing is cut."""
        self.gives = EMPTY
        return self.no_body("HEAD")

    def body(self):
        """The whole body at once, with its length."""
        return self.client.ask("PUT", self.path, BODY)

    def chunks(self):
        """The whole body at once, in chunks."""
        self.client.send(request("PUT", self.path, more="Transfer-Encoding: chunked\r\n") + chunked(BODY))
        return self.client.answer(patience=PATIENCE)

    def ignored_expect(self):
        """The client waits for 100, and the app does not read the body."""
        self.path = self.path.removesuffix("put") + "ignored"
        return self.expect()

    def expect(self):
        """The client waits for `100 Continue`; if an answer comes instead, it sends no body."""
        length = f"Content-Length: {len(BODY)}\r\n"
        self.client.send(request("PUT", self.path, more=f"{length}Expect: 100-continue\r\n"))
        patience = SILENT if self.server.name.startswith(SAYS_NO_100) else PATIENCE
        answer = self.client.answer(patience=patience, begun=PATIENCE, interim=True)
        if not answer.line and answer.end in ("", "open"):
            self.client.send(BODY)
            answer = self.client.answer(patience=PATIENCE)
        return answer

    def impatient(self):
        """The client says that it waits for 100, and sends the body all the same."""
        length = f"Content-Length: {len(BODY)}\r\n"
        self.client.send(request("PUT", self.path, more=f"{length}Expect: 100-continue\r\n"))
        self.client.send(BODY)
        return self.client.answer(patience=PATIENCE)

    def part(self):
        """The client is sending a long body; it sends the rest after the answer, or without one."""
        told = request("PUT", self.path, more=f"Content-Length: {len(LONG)}\r\n")
        return self.in_parts(told + LONG[:FIRST], LONG[FIRST:])

    def part_in_chunks(self):
        """The same in chunks."""
        told = request("PUT", self.path, more="Transfer-Encoding: chunked\r\n")
        return self.in_parts(told + b"%x\r\n%b\r\n" % (FIRST, LONG[:FIRST]), chunked(LONG[FIRST:]))

    def in_parts(self, first, rest):
        """Send a request in two parts, with an answer between them if there is one."""
        self.client.send(first)
        patience = SILENT if self.server.name.startswith(BUFFERS) else PATIENCE
        answer = self.client.answer(patience=patience, begun=PATIENCE)
        if answer.end == "open" and not answer.line:
            self.client.send(rest)
            return self.client.answer(patience=PATIENCE)
        if keeps(answer):
            self.client.send(rest)
        return answer

    def ignored(self):
        """The whole body at once, to an app that does not read it."""
        self.path = self.path.removesuffix("put") + "ignored"
        return self.body()

    # What comes of it.

    def check(self, answer):
        """Whether the first answer is the fault's, also if the server shows no connection to break."""
        if self.gives is NONE:
            return empty(answer)
        if self.gives is CUT:
            return bool(answer.line and not answer.whole) or answer.status == 502
        if not answer.whole:
            return False
        if self.gives is EMPTY:
            return answer.status in (200, 503) and not answer.body
        if self.gives is APP:
            return answer.status == 200
        return code(answer.body) in ("SlowDown", "InternalError")

    def next(self, answer):
        """The outcome of the connection if the next request was answered right, else the problem."""
        kept = KEPT
        if not keeps(answer):
            kept = CLOSED if answer.line and answer.whole else BROKEN
        else:
            found = self.client.ask("GET", self.then)
            if found.line or found.end == "open":
                return self.right(found) or KEPT
            kept = ENDED
        self.client.close()
        return self.right(self.server.ask(self.then)) or kept

    def right(self, found):
        """Empty, or what is wrong with the answer to the next request."""
        good = (found.status, found.body) == (200, photo(self.size))
        return "" if good else f"wrong: {found!r} {found.body[:60]!r}"


def keeps(answer):
    """Whether the client may use the connection again."""
    said = (answer.one("connection") or "").lower()
    return answer.whole and not answer.end and said != "close" and not answer.line.startswith("HTTP/1.0")


PARTLY = tuple(name for name, (text, _) in THEN.items() if "after_bytes" in text)
ANY = tuple(name for name in THEN if name not in PARTLY)
UNDRAINED = tuple(name for name in THEN if name.endswith(("undrained", "undrained-late")))
AFTER = tuple(name for name, (text, _) in THEN.items() if "when=after" in text)
SITUATIONS = {
    "no_body": ANY,
    "bodiless": ("drip", "corrupt", "truncate", "truncate-error", "drip-error", "error"),
    "body": ANY + PARTLY,
    "chunks": ANY,
    "expect": ANY + PARTLY,
    "impatient": ANY + PARTLY,
    # An app that a stall keeps from reading answers when it has the whole body.
    "part": UNDRAINED + tuple(name for name in PARTLY if THEN[name][1] is not APP),
    "part_in_chunks": UNDRAINED,
    "ignored": AFTER,
    # The app's own answer is its server's affair.
    "ignored_expect": tuple(rule for rule in AFTER if THEN[rule][1] is not APP),
}
"""Situation to the rules that it is tried with."""
CASES = [(rule, situation) for situation, rules in SITUATIONS.items() for rule in rules]


def tried(server, cases=CASES):
    """The outcome of the connection, or the problem, in each case."""
    seen, nexts = {}, {}
    for case in cases:
        rule, situation = case
        with closing(Exchange(server, rule)) as exchange:
            answer = getattr(exchange, situation)()
            if exchange.check(answer):
                seen[case] = exchange.next(answer)
                nexts[case] = exchange.then
            else:
                seen[case] = f"wrong: {answer!r} {answer.body[:60]!r}"
    counts = json.loads(server.ask("/counts").body)
    for case, path in nexts.items():
        if counts[path] != 1:
            seen[case] += f", met {counts[path]} times"
    return seen
