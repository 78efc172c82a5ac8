"""Every error that faultinject raises, all under `FaultInjectError`."""

from __future__ import annotations

from collections.abc import Iterable


class FaultInjectError(Exception):
    """The root of all errors of this package."""


LONGEST = 2000
"""The most characters of one message."""


def plain(text: str, longest: int = LONGEST) -> str:
    r"""A message of at most `longest` characters, without control characters.

    A terminal would obey control characters.

    >>> plain("a\x1b[2J"), plain("word", 3)
    ('a\\x1b[2J', 'wo…')
    """
    if not text.isprintable():
        text = "".join(
            sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape").decode()
            for sign in text[: longest + 1]
        )
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


class Problem:
    """One mistake in a configuration.

    Attributes:
        where: the place: a variable, `file:line`, `rule 2: probability`; empty when the place is not known.
        message: the mistake and the right form, one line.
        excerpt: the text with a caret line below the mistake, or empty.
    """

    __slots__ = ("excerpt", "message", "where")

    def __init__(self, message: str, *, where: str = "", excerpt: str = "") -> None:
        self.where = plain(where, LONGEST // 4).replace("\n", "\\n")
        self.message = plain(message, LONGEST - len(self.where) - 2)
        self.excerpt = excerpt

    def __str__(self) -> str:
        head = f"{self.where}: {self.message}" if self.where else self.message
        text = f"{head}\n{self.excerpt}" if self.excerpt else head
        return text if len(text) <= LONGEST else head

    def __repr__(self) -> str:
        return f"Problem({str(self)!r})"


class ConfigurationError(FaultInjectError, ValueError):
    """A rule, scenario, variable or option is wrong.

    `problems` holds every mistake, not only the first.
    """

    def __init__(self, problems: Iterable[Problem | str]) -> None:
        listed = [problems] if isinstance(problems, str) else list(problems)
        self.problems = tuple(
            problem if isinstance(problem, Problem) else Problem(problem) for problem in listed
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnknownVendorError(ConfigurationError, LookupError):
    """No vendor of that id is in the catalogue."""


class UnknownDocumentedError(ConfigurationError, LookupError):
    """The vendor documents no error of that code, variant or group."""


class ProductionRefusedError(FaultInjectError):
    """Faults are refused in a production environment, unless allowed."""


class UnsupportedServerError(FaultInjectError, RuntimeError):
    """On this server faults would hurt other requests; the message names an alternative."""


class MissingExtraError(FaultInjectError, ImportError):
    """A feature needs an optional dependency; the message names the command that installs it."""


class RuleNotMatchedError(FaultInjectError, AssertionError):
    """A rule injected nothing; the message says why."""


class RetryAssertionError(FaultInjectError, AssertionError):
    """The audit found that the client handles its errors wrongly."""


class InjectionFailedError(FaultInjectError):
    """An error inside faultinject itself: raised under pytest, and only logged elsewhere."""


class ExplorationFailedError(FaultInjectError, AssertionError):
    """An exploration found a scenario that breaks the code under test, or is incomplete."""


class ProgramFailedError(FaultInjectError):
    """A program under test ended with another exit code than 0, or was ended.

    Args:
        message: the failure; equal failures are reported as one.
        output: the end of the program's output.
        code: the exit code, below 0 for a signal; None: it was ended.
    """

    def __init__(self, message: str, output: str = "", code: int | None = None) -> None:
        super().__init__(message)
        self.output = output
        self.code = code


class StoreUnavailableError(FaultInjectError):
    """The shared counts are unavailable.

    The disk is full, the counts were removed, or another process has locked them (`StoreBusyError`).
    """


class StoreBusyError(StoreUnavailableError):
    """Another process locked the counts for too long.

    The request continued without a decision, and the next one asks again.
    """


class StoreInUseError(ConfigurationError):
    """Other processes use the shared counts with other rules.

    The message names the counts, and says how to replace the rules.
    """


class ConflictError(FaultInjectError):
    """Somebody else has changed the rules since they were read; this change has no effect."""


class UnsupportedClientError(FaultInjectError, ImportError):
    """Faults for this client would test nothing; the message says why, and names an alternative."""


class ReportError(FaultInjectError):
    """A journal cannot be judged: it is missing, empty, or not a journal."""
