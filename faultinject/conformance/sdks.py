"""The SDKs that there is a driver for, and which of them are installed."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from dataclasses import dataclass
from typing import Any

from faultinject.conformance import plan
from faultinject.conformance.homes import DRIVERS, HOMES, python
from faultinject.exceptions import ConfigurationError, MissingExtra
from faultinject.rules.values import duration, nearest


@dataclass(frozen=True, slots=True)
class Sdk:
    """An SDK and how it is driven.

    Attributes:
        name: as `--client` takes it.
        title: for people.
        vendor: which service is played for it.
        words: the command, where no driver here makes one.
        home: where it is installed: a key of `HOMES`; empty for a client of the user's own.
        package: what it is called there.
        folder: of its driver.
        driver: as `clients.toml` has it.
        language: what it is written in, or empty.
        note: what is not its default, or empty.
        aws: whether its documentation has the header by which AWS asks its own SDKs to wait.
        packages: what is installed to have it, where that is not the package.
        profile: what it is judged by, where its user agent says too little; empty: found out by it.
        deadline: seconds that all its calls need.
    """

    name: str
    title: str
    vendor: str
    words: tuple[str, ...] = ()
    home: str = ""
    package: str = ""
    folder: str = ""
    driver: str = ""
    language: str = ""
    note: str = ""
    aws: bool = False
    packages: str = ""
    profile: str = ""
    deadline: float = plan.DEADLINE

    @property
    def version(self) -> str | None:
        """The version that is installed, or None."""
        return HOMES[self.home].version(self.package) if self.home else None

    @property
    def command(self) -> tuple[str, ...]:
        """The words of the command that drives it."""
        return self.words or HOMES[self.home].command(self.folder, self.driver)

    @property
    def install(self) -> str:
        """What installs it, for people."""
        return HOMES[self.home].install(self.packages or self.package)


def _read() -> dict[str, Sdk]:
    """The SDKs that the tables `clients.toml` of the drivers have: one for each language."""
    found = {}
    for path in sorted(DRIVERS.glob("*/clients.toml")):
        said: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        home, language = said.pop("home"), said.pop("language", "")
        for name, each in said.items():
            about = {"title": each["package"], "language": language, **each}
            if "deadline" in about:
                about["deadline"] = duration(about["deadline"])
            found[name] = Sdk(name, folder=path.parent.name, **{"home": home, **about})
    return found


SDKS = _read()
"""By name."""


AWS = "s3"
"""The service whose clients, if they are of the user's own, are mostly made with an SDK of AWS's."""
FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def of(client: str, vendor: str) -> Sdk:
    """The SDK of that name, or a client of the user's own: `MODULE:FACTORY`, or a command.

    Args:
        client: as `--client` took it.
        vendor: which service is played for a client of the user's own.

    Raises:
        MissingExtra: the SDK is not installed.
        ConfigurationError: there is no such SDK and no such command.
    """
    if client in SDKS:
        found = SDKS[client]
        if found.version is None:
            raise MissingExtra(f"{found.title} is not installed: {found.install}")
        return found
    if FACTORY.fullmatch(client):
        return Sdk(client, client, vendor, python(client), aws=vendor == AWS)
    try:
        words = shlex.split(client)
    except ValueError as error:  # a quote that is not closed
        raise ConfigurationError(f"--client: {client!r} is not a command: {error}") from None
    if not words or shutil.which(words[0]) is None:
        hint = nearest(client, SDKS) or f"; SDKs are {', '.join(SDKS)}"
        raise ConfigurationError(f"--client: {client!r} is not an SDK, a MODULE:FACTORY or a command{hint}")
    return Sdk(client, client, vendor, tuple(words), aws=vendor == AWS)
