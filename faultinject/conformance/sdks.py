"""The SDKs that have a driver, and the installed ones among them."""

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
        name: as `--client` takes it.
        title: for people.
        vendor: the service that is played for it.
        words: the command, where no driver here makes one.
        home: the place of its installation: a key of `HOMES`; empty for a client of the user's own.
        package: its name there.
        folder: of its driver.
        driver: as `clients.toml` has it.
        language: the language of its source, or empty.
        note: the settings that are not its default, or empty.
        aws: whether its documentation has the header by which AWS asks its own SDKs to wait.
        packages: the packages to install, where that is not the package.
        profile: the profile by which it is judged, where its user agent says too little; empty: found out by it.
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
        """The command or the instruction that installs it."""
        return HOMES[self.home].install(self.packages or self.package)


def _read() -> dict[str, Sdk]:
    """Read the SDKs of the tables `clients.toml`, one for each language of drivers."""
    sdks = {}
    for path in sorted(DRIVERS.glob("*/clients.toml")):
        said: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        home, language = said.pop("home"), said.pop("language", "")
        for name, row in said.items():
            about = {"title": row["package"], "language": language, **row}
            if "deadline" in about:
                about["deadline"] = duration(about["deadline"])
            sdks[name] = Sdk(name, folder=path.parent.name, **{"home": home, **about})
    return sdks


SDKS = _read()
"""The SDKs by name."""


AWS = "s3"
"""The service whose clients, if they are the user's own, mostly contain an SDK of AWS's."""
FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def of(client: str, vendor: str) -> Sdk:
    """The SDK of that name, or a client of the user's own: `MODULE:FACTORY`, or a command.

    Args:
        client: as `--client` took it.
        vendor: the service that is played for a client of the user's own.

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
        hint = nearest(client, SDKS) or f"; SDKs are {', '.join(SDKS)}"
        raise ConfigurationError(f"--client: {client!r} is not an SDK, a MODULE:FACTORY or a command{hint}")
    return Sdk(client, client, vendor, tuple(words), aws=vendor == AWS)
