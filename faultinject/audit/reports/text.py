"""The judgement for a terminal: the result, what is wrong with the calls that show it, and a line of what passed."""

from __future__ import annotations

from textwrap import wrap
from typing import NamedTuple

from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, SIGNS, WARN
from faultinject.audit.reports import sentences
from faultinject.engine.journal_entry import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from faultinject.audit.findings import Finding
    from faultinject.audit.judge import Judgement

COLUMNS = ("verdict", "check", "measured", "n", "reference")
WIDTH = 120
"""Characters in a line, where nothing says how wide the terminal is."""
NO_BREAK = "\N{NO-BREAK SPACE}"
EXAMPLES = 3
"""Calls that are told of each finding."""
INDENT = "    "
RESULT, TITLE, QUIET = "result", "title", "quiet"
"""What a paragraph is, where it has no verdict."""


class Paragraph(NamedTuple):
    """Words that are wrapped together.

    Attributes:
        words: the text; an empty one is an empty line.
        look: a verdict, or what it is; empty for plain words.
        indent: what each line begins with.
        hanging: what each line but the first has beside.
    """

    words: str
    look: str = ""
    indent: str = ""
    hanging: str = ""


EMPTY = Paragraph("")


def text(judgement: Judgement, *, width: int = WIDTH, verbose: bool = True) -> str:
    """The whole report in plain text.

    Args:
        judgement: what was found.
        width: characters in a line; a longer word stays whole.
        verbose: see `paragraphs`.
    """
    return "".join(f"{line}\n" for _, line in lines(judgement, width=width, verbose=verbose))


def lines(judgement: Judgement, *, width: int, verbose: bool) -> Iterator[tuple[str, str]]:
    """Each line with its look; see `text`."""
    return wrapped(paragraphs(judgement, verbose=verbose), judgement.findings, width=width)


def wrapped(
    paragraphs: Iterable[Paragraph], findings: Sequence[Finding], *, width: int
) -> Iterator[tuple[str, str]]:
    """Each line of the paragraphs with its look; none ends within the name of a check of these findings."""
    names = {each.check for each in findings}
    for each in paragraphs:
        words = each.words
        for name in names:
            words = words.replace(name, name.replace(" ", NO_BREAK))
        first, others = each.indent, each.indent + each.hanging
        folded = wrap(
            words,
            width,
            initial_indent=first,
            subsequent_indent=others,
            break_on_hyphens=False,
            break_long_words=False,
        )
        for line in folded or [""]:
            yield each.look, line.replace(NO_BREAK, " ")


def paragraphs(judgement: Judgement, *, verbose: bool) -> Iterator[Paragraph]:
    """The report in its order: the result, what it rests on, what is wrong, the faults, what passed and what is unknown.

    Args:
        judgement: what was found.
        verbose: whether each check that is not decided says what it needs. It also does where the result is that nothing
            was decided, or not what is required.
    """
    findings = sentences.merged(judgement.findings)
    yield Paragraph(sentences.result(judgement), RESULT)
    yield Paragraph(sentences.title(judgement), TITLE)
    yield Paragraph(counts(findings))
    yield Paragraph(" ".join(sentences.provenance(judgement)), QUIET)
    yield EMPTY
    for each in wrong_of(findings):
        yield from problem(each)
        for call in each.calls[:EXAMPLES]:
            yield Paragraph(f"- {sentences.story(call)}  [{sentences.place(call)}]", "", INDENT, "  ")
        yield EMPTY
    if faults := sentences.faults_by_rule(judgement):
        yield Paragraph("faults by rule:")
        yield from (Paragraph(each, "", INDENT, INDENT) for each in faults)
    if found := sentences.passed(findings):
        yield Paragraph(f"{SIGNS[PASS]} passed: {found}", PASS, "", INDENT)
    unknown = sentences.undecided(findings)
    told = f"{SIGNS[INCONCLUSIVE]} not decided:"
    if unknown and not verbose and judgement.conclusion.result != "undecided":
        told = f"{told} {sentences.names(findings, INCONCLUSIVE)} (--verbose says what each needs)"
        yield Paragraph(told, INCONCLUSIVE, "", INDENT)
    elif unknown:
        yield Paragraph(told, INCONCLUSIVE)
        yield from (Paragraph(f"{what}: {why}", INCONCLUSIVE, INDENT, INDENT) for what, why in unknown)


def problem(finding: Finding) -> Iterator[Paragraph]:
    """What is wrong, and who says so."""
    head = f"{SIGNS[finding.verdict]} {finding.verdict}  {sentences.subject_of(finding)}"
    yield Paragraph(f"{head}: {sentences.measured(finding)} (n = {finding.n:,})", finding.verdict, "", INDENT)
    yield Paragraph(f"reference: {quoted(finding.reference)}", QUIET, INDENT)


def counts(findings: Sequence[Finding]) -> str:
    """`✕ 2 fail  ! 1 warning  ? 1 not decided  ✓ 17 pass`."""
    return "  ".join(f"{SIGNS[verdict]} {n} {word}" for verdict, n, word in sentences.tally(findings))


def wrong_of(findings: Sequence[Finding]) -> list[Finding]:
    """Failures, then warnings."""
    return [each for verdict in (FAIL, WARN) for each in findings if each.verdict == verdict]


def rows(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    """The cells of what is wrong, below `COLUMNS`."""
    return [
        (
            f"{SIGNS[each.verdict]} {each.verdict}",
            sentences.subject_of(each),
            sentences.measured(each),
            str(each.n),
            quoted(each.reference),
        )
        for each in wrong_of(findings)
    ]
