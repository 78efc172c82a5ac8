"""What is done to an answer's body on its way."""

from __future__ import annotations

from faultinject.rules import values
from faultinject.rules.key import Effect
from faultinject.rules.values import Mistake, shown


class Of(Effect):
    """The documented error that is cut or slowed, instead of the app's own answer.

    >>> print(Rule("truncate", of="cos:InternalError"))
    truncate,of=cos:InternalError
    """

    key = "of"
    default_text = "the app's answer"

    def parse(self, text: str) -> str:
        """A documented error or a group of them."""
        from faultinject.rules.faults.answering import Documented

        if ":" not in text or text.lower().startswith("http:"):
            raise Mistake(f"{shown(text)} is not a documented error, such as cos:InternalError")
        if Documented(text).rows[0].status is None:
            raise Mistake(
                f"{shown(text)} is documented without a status, and only a rule of its own can give it one"
            )
        return text


class Keep(Effect):
    """The share of the body that `truncate` lets through, from 0 to below 1.

    Of a body without a Content-Length it is the share of its first piece.

    >>> print(Rule("truncate", keep=0.9))
    truncate,keep=0.9
    """

    key = "keep"
    number = True
    default = 0.5
    default_text = "0.5"

    def parse(self, text: str) -> float:
        """A share."""
        share = values.decimal(text)
        if share is None or share >= 1:
            all_of_it = "; that would cut nothing" if share == 1 else ""
            raise Mistake(f"{shown(text)} is not a share from 0 to below 1{all_of_it}")
        return share


class KeepBytes(Effect):
    """The bytes of the body that `truncate` lets through; a body that is no longer passes untouched.

    >>> print(Rule("truncate", keep_bytes="4KiB"))
    truncate,keep_bytes=4KiB
    """

    key = "keep_bytes"
    number = True
    default_text = "none"

    def parse(self, text: str) -> int:
        """Bytes."""
        return values.size(text)


class Rate(Effect):
    """How fast `drip` sends the body, bytes a second.

    >>> print(Rule("drip", rate="1KiB"))
    drip,rate=1KiB
    """

    key = "rate"
    number = True
    default_text = "none"

    def parse(self, text: str) -> int:
        """Bytes a second."""
        rate = values.size(text)
        if not rate:
            raise Mistake("a rate of 0 would never end; it is 1 byte a second or more")
        return rate


class Flips(Effect):
    """How many bytes of the body `corrupt` changes, 1 to 1000; all of a body that is shorter.

    They are drawn over the Content-Length; of a body without one, over its first piece.

    >>> print(Rule("corrupt", flips=3))
    corrupt,flips=3
    """

    key = "flips"
    number = True
    default = 1
    default_text = "1"

    def parse(self, text: str) -> int:
        """A number."""
        return values.count(text, 1, 1000)
