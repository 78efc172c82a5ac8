"""Faults that end the connection instead of answering."""

from __future__ import annotations

from faultinject.engine import answers
from faultinject.engine.actions import Act, Action, Disconnect, Forward, Pass
from faultinject.engine.compiled_rule import CompiledRule
from faultinject.engine.draw import delays
from faultinject.engine.filters import Interrupted
from faultinject.rules import descriptions
from faultinject.rules.faults import middle
from faultinject.rules.faults.fault import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.engine.entry import Entry
    from faultinject.engine.request import Request
    from faultinject.rules.rule import Rule


class Breaking(Fault):
    """A connection that ends without a byte of an answer, or in the middle of one.

    Attributes:
        how: the way it ends, `reset` or `closed`, as in an outcome.
    """

    how = "closed"
    breaks = True
    after = "after the app has run"
    takes: tuple[str, ...] = ("when", "delay", "drain", "after_bytes", "http2")

    def held(self, rule: CompiledRule) -> float | None:
        """The seconds in which nothing happens first; None: the connection ends at once."""
        return None

    def prepare(self, rule: CompiledRule) -> Act:
        """End the connection.

        On a server that does not permit this, the client gets the answer of a gateway that has lost its server.
        """
        from faultinject import vendors

        option = rule.rule.value
        after_bytes: int | None = option("after_bytes")
        if after_bytes is not None and option("when") == "after":
            return self._in_an_answer(rule, after_bytes)
        gateway = vendors.get("gateway")
        answer = answers.documented(rule, gateway, gateway.find("BadGateway"))
        held = self.held(rule)
        whole_connections = option("http2")

        def act(request: Request, entry: Entry, digest: bytes) -> Action:
            instead = answer(request, entry, digest)
            entry.forget()
            entry.fault = self.text
            if request.http2 and not whole_connections:
                return Pass(entry, "refused")
            return Disconnect(entry, instead, self.how, held)

        return middle.in_an_upload(rule, self.text, act)

    def _in_an_answer(self, rule: CompiledRule, after_bytes: int) -> Act:
        """End the connection when so many bytes of the app's answer have gone out."""
        option = rule.rule.value
        delay = delays(option("delay"))
        held = self.held(rule)
        whole_connections = option("http2")

        def act(request: Request, entry: Entry, digest: bytes) -> Action:
            entry.fault, entry.when = self.text, "after"
            if request.http2 and not whole_connections:
                return Pass(entry, "refused")
            quiet = delay(digest) + (held or 0.0)
            cut = Interrupted(after_bytes, quiet, self.how, hangs=held is not None)
            return Forward(entry, after=False, delay=0.0, filter=cut)

        return act


class Hang(Breaking):
    """Nothing for `duration`, then the connection closes.

    >>> print(Rule("hang", duration="30s", path="photos/"))
    hang,path=photos/,duration=30s
    """

    title = "hang"
    takes = ("when", "delay", "duration", "drain", "after_bytes", "http2")

    def held(self, rule: CompiledRule) -> float | None:
        """The rule's duration."""
        seconds: float = rule.rule.value("duration")
        return seconds

    def in_words(self, rule: Rule) -> str:
        """Say how long the client waits."""
        return f"nothing for {descriptions.seconds(rule.value('duration'))} and then a closed connection"


class Reset(Breaking):
    """The connection is reset (a TCP RST) before any byte of an answer.

    >>> print(Rule("reset", when="after", method="POST"))
    reset,method=POST,when=after
    """

    title = "reset"
    how = "reset"

    def in_words(self, rule: Rule) -> str:
        """A reset."""
        return "a connection reset"


class Close(Breaking):
    """The connection is closed without a byte of an answer.

    >>> print(Rule("close", times=1, per="call"))
    close,times=1,per=call
    """

    title = "close"

    def in_words(self, rule: Rule) -> str:
        """A close."""
        return "a connection closed without an answer"
