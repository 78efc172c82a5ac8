"""Faults that end the connection instead of answering."""

from __future__ import annotations

from faultinject.engine import answers
from faultinject.engine.actions import Disconnect, Pass
from faultinject.rules import descriptions
from faultinject.rules.faults.fault import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.engine.actions import Act, Action
    from faultinject.engine.compiled_rule import CompiledRule
    from faultinject.engine.journal_entry import Entry
    from faultinject.engine.request import Request
    from faultinject.rules.types import WrittenRule


class Breaking(Fault):
    """A connection that ends without a byte of an answer.

    Attributes:
        how: how it ends: `reset` or `closed`, as an outcome says it.
    """

    how = "closed"
    after = "after the app has run"
    takes: tuple[str, ...] = ("when", "delay", "drain", "http2")

    def held(self, rule: CompiledRule) -> float | None:
        """For how many seconds nothing happens first; None: it ends at once."""
        return None

    def prepare(self, rule: CompiledRule) -> Act:
        """End the connection; where a server does not let us, answer as a gateway does that lost its server."""
        from faultinject import vendors

        gateway = vendors.get("gateway")
        answer = answers.documented(rule, gateway, (gateway.find("BadGateway"),))
        held = self.held(rule)
        whole_connections = rule.rule.value("http2")

        def act(request: Request, entry: Entry, digest: bytes) -> Action:
            instead = answer(request, entry, digest)
            entry.forget()
            entry.fault = self.text
            if request.http2 and not whole_connections:
                return Pass(entry, "refused")
            return Disconnect(entry, instead, self.how, held)

        return act


class Hang(Breaking):
    """Nothing for `duration`, then the connection closes.

    >>> print(Rule("hang", duration="30s", path="photos/"))
    hang,path=photos/,duration=30s
    """

    kind = "hang"
    title = "hang"
    takes = ("when", "delay", "duration", "drain", "http2")

    def held(self, rule: CompiledRule) -> float | None:
        """The rule's duration."""
        seconds: float = rule.rule.value("duration")
        return seconds

    def in_words(self, rule: WrittenRule) -> str:
        """How long."""
        return f"nothing for {descriptions.seconds(rule.value('duration'))} and then a closed connection"


class Reset(Breaking):
    """The connection is reset (a TCP RST) before any byte of an answer.

    >>> print(Rule("reset", when="after", method="POST"))
    reset,method=POST,when=after
    """

    kind = "reset"
    title = "reset"
    how = "reset"

    def in_words(self, rule: WrittenRule) -> str:
        """A reset."""
        return "a connection reset"


class Close(Breaking):
    """The connection is closed without a byte of an answer.

    >>> print(Rule("close", times=1, per="call"))
    close,times=1,per=call
    """

    kind = "close"
    title = "close"

    def in_words(self, rule: WrittenRule) -> str:
        """A close."""
        return "a connection closed without an answer"
