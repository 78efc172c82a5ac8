"""The SDKs that have a driver, and whether they are installed."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from dataclasses import dataclass
from typing import Any

from faultinject.conformance import plan
from faultinject.conformance.homes import DRIVERS, HOMES, python
from faultinject.exceptions import ConfigurationError, MissingExtraError
from faultinject.rules.values import duration, nearest


@dataclass(frozen=True, slots=True)
class Sdk:
    """An SDK and how it is driven.

    Attributes:
        name: its name for `--client`.
        title: its name for people.
        vendor: the vendor of the store that it gets.
        words: the command of a client of the user's own; empty: the driver makes it.
        home: the place of its installation: a key of `HOMES`; empty for a client of the user's own.
        package: its name in that place.
        folder: the folder of its driver.
        driver: the driver, by its name in `clients.toml`.
        language: the language of its source, or empty.
        note: the settings that are not its default, or empty.
        aws: whether its documentation has the header by which AWS asks its own SDKs to wait.
        packages: the packages to install; empty: the package itself.
        profile: the profile by which it is judged; empty: its user agent chooses it.
        deadline: its time limit in seconds.
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
        """The command that drives it."""
        return self.words or HOMES[self.home].command(self.folder, self.driver)

    @property
    def install(self) -> str:
        """The command or the instruction that installs it."""
        return HOMES[self.home].install(self.packages or self.package)


def _read() -> dict[str, Sdk]:
    """Read the SDKs of the tables `clients.toml`, one for each language of drivers."""
    sdks = {}
    for path in sorted(DRIVERS.glob("*/clients.toml")):
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        home, language = table.pop("home"), table.pop("language", "")
        for name, row in table.items():
            about = {"title": row["package"], "language": language, **row}
            if "deadline" in about:
                about["deadline"] = duration(about["deadline"])
            sdks[name] = Sdk(name, folder=path.parent.name, **{"home": home, **about})
    return sdks


SDKS = _read()
"""The SDKs by name."""


AWS = "s3"
"""The service for which clients of the user's own mostly use an SDK of AWS."""
FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def find(client: str, vendor: str) -> Sdk:
    """The SDK of that name, or a client of the user's own: `MODULE:FACTORY`, or a command.

    Args:
        client: the text of `--client`.
        vendor: the vendor of the store for a client of the user's own.

    Raises:
        MissingExtraError: the SDK is not installed.
        ConfigurationError: there is no such SDK and no such command.
    """
    if client in SDKS:
        sdk = SDKS[client]
        if sdk.version is None:
            raise MissingExtraError(f"{sdk.title} is not installed: {sdk.install}")
        return sdk
    if FACTORY.fullmatch(client):
        return Sdk(client, client, vendor, python(client), aws=vendor == AWS)
    try:
        words = shlex.split(client)
    except ValueError as error:  # a quote that is not closed
        raise ConfigurationError(f"--client: {client!r} is not a command: {error}") from None
    if not words or shutil.which(words[0]) is None:
        own = ":".join(client.rsplit(".", 1))
        hint = nearest(client, [*SDKS, *([own] if FACTORY.fullmatch(own) else [])])
        hint = hint or f"; SDKs are {', '.join(SDKS)}"
        raise ConfigurationError(f"--client: {client!r} is not an SDK, a MODULE:FACTORY or a command{hint}")
    return Sdk(client, client, vendor, tuple(words), aws=vendor == AWS)
