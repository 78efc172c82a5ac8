"""The environment as a server would see it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import click
from msgspec import Struct

from faultinject.cli.layout import aligned
from faultinject.rules.control import TOKEN
from faultinject.rules.environment import is_switched_on, read_environment
from faultinject.rules.names import PREFIX
from faultinject.rules.production import production_reason
from faultinject.rules.scenario import Scenario
from faultinject.rules.store import shown_store
from faultinject.rules.values import visible
from faultinject.rules.variables import value_of


class Settings(Struct):
    """The settings of a server with the environment.

    Attributes:
        enabled: Whether a server would put faults around its app.
        switch: The same as the environment says it; null for nothing.
        variables: The variables that are set.
        seed: The seed; null: one is chosen.
        production: The variable that says that this is production.
        production_allowed: Whether faults are allowed there.
        expires: When faults end, unix seconds.
        abort: The bound of the app's own failures, which ends all faults.
        header: Whether injected answers are marked.
        endpoints: Further hosts of the storage.
        store: Where counts are kept.
        journal: The journal's file.
        max_active: How many faults at the same time.
        on_request: Whether requests may ask for faults of their own.
    """

    enabled: bool
    switch: bool | None
    variables: dict[str, str]
    seed: str | None
    production: str | None
    production_allowed: bool
    expires: float | None
    abort: str | None
    header: bool
    endpoints: list[str]
    store: str | None
    journal: str | None
    max_active: int | None
    on_request: bool


class ServerOutlook:
    """What a server that is started now would make of its environment.

    Args:
        environ: the environment.
        now: unix seconds.

    Raises:
        ConfigurationError: a server would refuse to start, or would when faults were switched on.

    Attributes:
        enabled: whether `install()` would put faults around an app.
        switch: the same as the environment says it: True, False, or None for nothing.
        scenario: the rules that are, or would be, in force.
        environment: all settings.
        variables: those of faultinject that are set, without the token and the store's password.
        production: the variable that says that this is production, or None.
    """

    def __init__(self, environ: Mapping[str, str], now: float) -> None:
        self.switch = is_switched_on(environ)
        self.enabled = bool(self.switch)
        self.variables = {
            name: _without_secrets(name, environ[name], text)
            for name in sorted(environ)
            if name.startswith(PREFIX) and (text := value_of(environ, name)) is not None
        }
        self.production = production_reason(environ)
        self._now = now
        # Rules that wait for the switch are looked at as well: that is when mistakes are wanted.
        waiting = self.switch is None and any(not each.endswith("_ENABLED") for each in self.variables)
        self.environment = read_environment(environ, now=now, forced=True if waiting else None)
        self.scenario = self.environment.scenario or Scenario()

    def printed(self) -> Settings:
        """The same as it is printed in JSON."""
        settings = self.environment
        return Settings(
            enabled=self.enabled,
            switch=self.switch,
            variables=self.variables,
            seed=settings.seed,
            production=self.production,
            production_allowed=settings.production_allowed,
            expires=settings.expires,
            abort=settings.abort or self.scenario.abort,
            header=settings.header,
            endpoints=list(settings.endpoints),
            store=None if settings.store is None else shown_store(settings.store),
            journal=settings.journal,
            max_active=settings.max_active,
            on_request=settings.on_request,
        )

    def show(self) -> None:
        """Write it for people."""
        for line in aligned(self._lines()):
            click.echo(line)

    def _lines(self) -> list[tuple[str, str]]:
        settings = self.environment
        lines = [("faults", self._switch_in_words())]
        lines += [(name, visible(text)) for name, text in self.variables.items()]
        if self.production is not None:
            verdict = "and allowed" if settings.production_allowed else "where nothing is injected"
            lines.append(("production", f"{self.production} looks like it, {verdict}"))
        if self.enabled:
            lines.append(("seed", settings.seed or "chosen and logged at start"))
            if settings.expires is not None:
                moment = datetime.fromtimestamp(settings.expires, UTC).isoformat(" ", "seconds")
                what = (
                    " has passed: nothing will be injected" if self._is_over() else ", if it is started now"
                )
                lines.append(("expires", f"{moment}{what}"))
            if not settings.header:
                lines.append(("marks", "none: no x-faultinject and no Cache-Control in injected answers"))
        return lines

    def _refusal(self) -> str | None:
        """What keeps faults away although they are switched on, or None."""
        if self.production is not None and not self.environment.production_allowed:
            return f"off: {self.production} looks like production"
        if self._is_over():
            return "off: FAULTINJECT_EXPIRES has passed"
        return None

    def _is_over(self) -> bool:
        return self.environment.expires is not None and self.environment.expires <= self._now

    def _switch_in_words(self) -> str:
        if self.enabled:
            return self._refusal() or "on"
        if self.switch is False:
            return "off: FAULTINJECT_ENABLED switches all faults off, and overrides everything else"
        if len(self.variables):
            return "off: FAULTINJECT_ENABLED is not set, so install() does nothing; with 1 the following would apply"
        return "off: FAULTINJECT_ENABLED is not set, so install() does nothing"


def _without_secrets(name: str, text: str, value: str) -> str:
    """A variable as others may see it: this is copied into reports of bugs and kept by CI."""
    if name == TOKEN:
        return "…"
    return shown_store(value) if name == "FAULTINJECT_STORE" else text
