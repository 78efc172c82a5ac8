"""A fault of a package of its own."""

from __future__ import annotations

from faultinject.plugins import Act, Answer, CompiledRule, Fault, Rule


class Empty(Fault):
    """A 200 without a body, where the client waits for one.

    >>> print(Rule("empty", method="GET", times=1))
    empty,method=GET,times=1
    """

    title = "empty"
    takes = ("when", "set", "drain", "cors")

    def prepare(self, rule: CompiledRule) -> Act:
        """Answer with a head alone."""
        answer = Answer(rule, self.text, 200, "text/plain")
        return lambda request, entry, digest: answer.give(request, entry, digest, b"", {})

    def in_words(self, rule: Rule) -> str:
        """The words of `check` and `preview` for this fault."""
        return "a 200 without a body"

    def fails(self, rule: Rule) -> bool:
        """No: only a client that looks at the length can tell."""
        return False
