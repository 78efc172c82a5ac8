"""The SDKs that there is a driver for, and which of them are installed."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import metadata

from faultinject.exceptions import ConfigurationError, MissingExtra


@dataclass(frozen=True, slots=True)
class Sdk:
    """An SDK and how it is driven.

    Attributes:
        name: as `--client` takes it.
        title: for people.
        note: what is not its default, or empty.
        package: what it is called on PyPI; None for a client of the user's own.
    X
        vendor: which service is played for it.
        aws: whether it is AWS's own.
    """

    name: str
    title: str
    package: str | None
    command: tuple[str, ...]
    vendor: str = "cos"
    aws: bool = False
    note: str = ""

    @property
    def version(self) -> str | None:
        """The version that is installed, or None."""
        try:
            return None if self.package is None else metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return None


def _sdk(
    name: str, package: str, driver: str, vendor: str = "cos", *, aws: bool = False, note: str = ""
) -> Sdk:
    command = _python(f"faultinject.conformance.drivers.{driver}")
    return Sdk(name, package, package, command, vendor, aws, note)


def _python(factory: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "faultinject.conformance", factory)


SDKS = {
    each.name: each
    for each in (
        _sdk("boto3", "boto3", "boto3:Client", aws=True, note="retry mode standard"),
        _sdk("boto3-legacy", "boto3", "boto3:legacy", aws=True, note="retry mode legacy"),
        _sdk("cos", "cos-python-sdk-v5", "cos:Client"),
        _sdk("qingstor", "qingstor-sdk", "qingstor:Client", "qingstor"),
        _sdk("qiniu", "qiniu", "qiniu:Client", "kodo"),
        _sdk("minio", "minio", "minio:Client"),
        _sdk("gcs", "google-cloud-storage", "gcs:Client", "gcs", note="giving up after 12 s"),
        _sdk("requests", "requests", "requests:Client", note="urllib3's Retry(3, backoff_factor=0.5)"),
    )
}
"""By name."""


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
            from faultinject.installation import install_package

            raise MissingExtra(
                f"{found.title} is not installed: {install_package(found.package or found.name)}"
            )
        return found
    if FACTORY.fullmatch(client):
        return Sdk(client, client, None, _python(client), vendor)
    words = shlex.split(client)
    if not words or shutil.which(words[0]) is None:
        near = get_close_matches(client, SDKS, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; SDKs are {', '.join(SDKS)}"
        raise ConfigurationError(f"--client: {client!r} is no SDK, no MODULE:FACTORY and no command{hint}")
    return Sdk(client, client, None, tuple(words), vendor)


def installed() -> list[Sdk]:
    """Those that are installed here."""
    return [each for each in SDKS.values() if each.version is not None]
