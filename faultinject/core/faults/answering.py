"""Faults that answer instead of the app."""

from __future__ import annotations

from faultinject.core import answers
from faultinject.core.faults.fault import Fault
from faultinject.core.values import Mistake, shown
from faultinject.exceptions import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.core.actions import Act
    from faultinject.core.ready import ReadyRule


class Documented(Fault):
    """The vendor's documented error, in the vendor's envelope; `@group` draws one of several.

    >>> print(Rule("cos:SlowDown", times=2))
    cos:SlowDown,times=2
    """

    kind = "documented"
    title = "vendor:Code"
    takes = (
        "when",
        "delay",
        "retry_after",
        "hint",
        "status",
        "message",
        "resource",
        "set",
        "drain",
        "cors",
        "exact",
    )

    def __init__(self, text: str) -> None:
        super().__init__(text)
        from faultinject import vendors

        id_, _, label = text.partition(":")
        try:
            self.vendor = vendors.get(id_)
            self.rows = self.vendor.group(label) if label[:1] == "@" else (self.vendor.find(label),)
        except ConfigurationError as error:
            raise Mistake.of(error) from None

    def check(self, options: dict[str, str]) -> None:
        """Raise `Mistake` when the row has no status and the rule gives none."""
        if self.rows[0].status is None and "status" not in options:
            raise Mistake(f"{self.text} is documented without a status; give one, such as status=400")

    def prepare(self, rule: ReadyRule) -> Act:
        """Answer with the row, or one of the group's."""
        assert self.vendor is not None
        return answers.documented(rule, self.vendor, self.rows)


class Http(Fault):
    """A plain answer of that status, 400 to 599.

    >>> print(Rule("http:503", message="down for repair"))
    http:503,message="down for repair"
    """

    kind = "http"
    title = "http:NNN"
    takes = ("when", "delay", "retry_after", "hint", "message", "content_type", "set", "drain", "cors")

    def __init__(self, text: str) -> None:
        super().__init__(text)
        number = text.removeprefix("http:")
        if not (number.isascii() and number.isdecimal() and len(number) == 3 and "400" <= number <= "599"):
            raise Mistake(f"{shown(text)} is not http: and a status from 400 to 599")
        self.status = int(number)

    def prepare(self, rule: ReadyRule) -> Act:
        """Answer with the status and a text."""
        return answers.plain(rule, self.status)
