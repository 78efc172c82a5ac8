"""What `check` finds out about rules, and how it says it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import click
from msgspec import Struct

from faultinject.cli import chances, layout
from faultinject.cli.descriptions import bound, percent, sentence
from faultinject.cli.environment import Settings
from faultinject.engine.request import environ_key
from faultinject.engine.shown import quoted, shown_path, shown_target, without_userinfo
from faultinject.exceptions import ConfigurationError
from faultinject.injector import trials
from faultinject.rules.scenario import Scenario
from faultinject.rules.values import is_token, visible
from faultinject.vendors.vendor import Addressing


def parse_request(text: str, host: str, mount: str = "/", headers: Sequence[str] = ()) -> dict[str, Any]:
    """The environ of `PUT /a/b?x=1`; a path alone is a GET.

    Raises:
        UsageError: the text is no request, its path does not begin with the mount point, or a header is none.
    """
    method, blank, target = text.strip().partition(" ")
    if not blank:
        method, target = "GET", method
    target = target.strip()
    if not (method.isascii() and method.replace("-", "").isalnum() and target.startswith("/")):
        told = shown_target(" ".join(map(without_userinfo, text.split(" "))))
        raise click.UsageError(
            f"--request: {told!r} is not a method and a path, such as 'PUT /photos/cat.jpg'"
        )
    found = trials.mount_of(mount, target)
    if found is None:
        raise click.UsageError(
            f"--mount: the path {quoted(shown_target(target))} does not begin with the mount point {quoted(mount)};"
            " give the whole path, as the client sends it"
        )
    asked = trials.environ(method, target, host, mount=found)
    for each in headers:
        name, colon, value = each.partition(":")
        if not (colon and is_token(name)):
            raise click.UsageError(f"--header: {each!r} is not a header, such as 'X-User: 42'")
        asked[environ_key(name.lower())] = value.strip().encode("utf-8", "surrogateescape").decode("latin-1")
    return asked


class RuleMeaning(Struct):
    """What a rule means.

    Attributes:
        name: The rule's name.
        rule: Its text.
        words: What it means.
        rate: The share of attempts that it answers, of those that meet all conditions.
        sampled: The share of users, tenants or keys that its sample chooses; 1 without one.
        dead: Why it never fires; null where it does.
        warnings: What is doubtful about it.
    """

    name: str
    rule: str
    words: str
    rate: float
    sampled: float
    dead: str | None
    warnings: list[str]


class AskedRequest(Struct):
    """How a request is taken.

    Attributes:
        method: Its method.
        target: Its path and query.
        host: Its Host.
        read: How it is read: identity, bucket, key and operation.
        matches: The rules whose conditions it meets.
        attempts: What its first attempts get, null for the app's answer; null without a seed.
    """

    method: str
    target: str
    host: str
    read: list[dict[str, str | None]]
    matches: list[str]
    attempts: list[str | None] | None


class Meaning(Struct, kw_only=True, omit_defaults=True):
    """What rules mean and come to.

    Attributes:
        ok: Whether every rule can fire, and one of them for the request.
        rules: Each rule.
        untouched: The share of attempts that no rule answers.
        all_fail: The chance that the first 1, 2, … attempts of a call all fail.
        seed: The seed.
        abort: The bound of the app's own failures, which ends all faults.
        request: With --request: how it is taken.
        environment: Where the rules are the environment's: its settings.
    """

    ok: bool
    rules: list[RuleMeaning]
    untouched: float
    all_fail: list[float]
    seed: str | None
    abort: str | None
    request: AskedRequest | None = None
    environment: Settings | None = None


class ShownProblem(Struct):
    """A mistake in rules.

    Attributes:
        where: The place: a file and line, a variable, an argument.
        message: What is wrong, and what would be right.
        excerpt: The text there, with a caret below; may be empty.
    """

    where: str
    message: str
    excerpt: str


class Mistakes(Struct):
    """What is wrong with rules.

    Attributes:
        ok: Rules that cannot be read are not right.
        problems: Every mistake.
    """

    ok: Literal[False]
    problems: list[ShownProblem]


class Explanation:
    """Rules, what they come to, and how they take one request.

    Args:
        scenario: the rules.
        request: an environ to decide, or None.
        seed: what the attempts of that request are drawn from; None: they are not shown.
    """

    def __init__(
        self, scenario: Scenario, request: dict[str, Any] | None = None, *, seed: str | None = None
    ) -> None:
        self.rules = scenario.rules
        self.names = scenario.display_names
        self.seed = seed
        self.abort = scenario.abort
        self.dead = chances.dead(self.rules, self.names)
        self._environ = request
        self.matching = list(range(len(self.rules)))
        if request is not None:
            view = trials.request_of(request)
            # Without a seed nobody is chosen yet: everybody may be.
            asked = self.rules if seed is not None else tuple(map(trials.of_everybody, self.rules))
            plan = trials.Trial(asked, seed or "0").injector.own_plan
            ready = [plan.ready(number) for number in self.matching]
            preflight, upgrades = view.is_preflight, view.upgrades
            self.matching = [
                each.number
                for each in ready
                if not upgrades and (each.takes_preflights or not preflight) and each.matches(view)
            ]
            readings = [each.reading for each in ready] or [Addressing()]
            self.seen = list(
                {str(each): each for each in (_seen(view, reading) for reading in readings)}.values()
            )
        chosen = [self.rules[number] for number in self.matching]
        self.rates = dict(zip(self.matching, chances.rates(chosen), strict=True))
        self.all_fail = chances.all_fail(chosen)

    @property
    def ok(self) -> bool:
        """Whether every rule can fire, and one of them for the request."""
        return not self.dead and (self._environ is None or bool(self.matching))

    def attempts(self) -> list[str | None]:
        """What the first attempts of the request get one after another, None for the app's own answer."""
        assert self._environ is not None
        trial = trials.Trial(self.rules, self.seed or "0")
        actions = [trial.ask(self._environ) for _ in range(chances.MOST_ATTEMPTS)]
        return [None if each is None else each.entry.fault for each in actions]

    def printed(self, settings: Settings | None) -> Meaning:
        """The same as it is printed in JSON."""
        rules = [
            RuleMeaning(
                name,
                str(rule),
                sentence(rule),
                self.rates.get(number, 0.0),
                chances.sampled(rule),
                self.dead.get(number),
                rule.doubts(),
            )
            for number, (name, rule) in enumerate(zip(self.names, self.rules, strict=True))
        ]
        asked = None
        if self._environ is not None:
            asked = AskedRequest(
                self._environ["REQUEST_METHOD"],
                shown_target(self._environ["RAW_URI"]),
                self._environ["HTTP_HOST"],
                self.seen,
                [self.names[number] for number in self.matching],
                None if self.seed is None else self.attempts(),
            )
        return Meaning(
            ok=self.ok,
            rules=rules,
            untouched=self.untouched,
            all_fail=self.all_fail,
            seed=self.seed,
            abort=self.abort,
            request=asked,
            environment=settings,
        )

    @property
    def untouched(self) -> float:
        """The share of attempts that no rule answers."""
        return chances.untouched([self.rules[number] for number in self.matching])

    def show(self) -> None:
        """Write it for people."""
        for number, (name, rule) in enumerate(zip(self.names, self.rules, strict=True)):
            click.echo(f"{name}  {visible(str(rule))}")
            click.echo(f"    {sentence(rule)}")
            if number in self.dead:
                click.echo(f"    It never fires: {self.dead[number]}.")
            for doubt in rule.doubts():
                click.echo(f"    Warning: {doubt}")
        if self.abort is not None:
            click.echo(f"\n{bound(self.abort)}")
        if self._environ is not None:
            self._show_request()
        if self.matching:
            self._show_rates()

    def _show_request(self) -> None:
        assert self._environ is not None
        click.echo(f"\n{self._environ['REQUEST_METHOD']} {quoted(shown_target(self._environ['RAW_URI']))}")
        lines = [(key, quoted(value or "none")) for each in self.seen for key, value in each.items()]
        lines.append(("matches", ", ".join(self.names[number] for number in self.matching) or "no rule"))
        if self.seed is not None:
            lines.append(
                (f"seed {visible(self.seed)}", ", ".join(each or "the app" for each in self.attempts()))
            )
        for line in layout.aligned([(f"  {key}", value) for key, value in lines]):
            click.echo(line)

    def _show_rates(self) -> None:
        chosen = [self.rules[number] for number in self.matching]
        several = len(chosen) > 1
        of_what = f"a request that {'every' if several else 'the'} rule matches"
        what = of_what if self._environ is None else "this request"
        what += " (the first rule that passes its triggers fires)" if several else ""
        click.echo(f"\nEvery attempt of {what}:")
        rows = [(self.names[number], percent(self.rates[number])) for number in self.matching]
        layout.show(("rule", "fires"), [*rows, ("none of them", percent(self.untouched))])
        for number in self.matching:
            share = chances.sampled(self.rules[number])
            if share < 1:
                of_all = percent(self.rates[number] * share)
                click.echo(f"({self.names[number]}: {of_all} of the requests of all, if all send alike)")
        if any(map(chances.counts, chosen)):
            click.echo(
                "(before times is used up, between begin and end; skip, every and above for a single call)"
            )
        click.echo("\nAll n attempts of one call fail:")
        layout.show(("n", "chance"), [(str(n), percent(each)) for n, each in enumerate(self.all_fail, 1)])


def mistakes(error: ConfigurationError) -> Mistakes:
    """The mistakes of an error as they are printed in JSON."""
    return Mistakes(False, [ShownProblem(each.where, each.message, each.excerpt) for each in error.problems])


def _seen(view: Any, reading: Addressing) -> dict[str, str | None]:
    bucket, key = reading.read_address(view)
    return {
        "identity": shown_target(reading.identify(view)[1]),
        "bucket": bucket,
        "key": None if key is None else shown_path(key),
        "operation": reading.operation(view),
    }
