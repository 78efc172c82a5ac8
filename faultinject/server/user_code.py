"""Imports an object of the user's code by its address, such as `shop.web:app`."""

from __future__ import annotations

import pkgutil
import sys
import traceback
from typing import Any

from faultinject.exceptions import ConfigurationError
from faultinject.rules.values import nearest


def load(address: str) -> Any:
    """Import an object; the current folder comes first.

    Args:
        address: `MODULE:NAME` or `MODULE:NAME.NAME`.

    Raises:
        ConfigurationError: there is no such module or name, or the module fails.
    """
    sys.path.insert(0, "")
    try:
        return pkgutil.resolve_name(address)
    except Exception as error:
        raise ConfigurationError(_failure(address, error)) from None


def _failure(address: str, error: Exception) -> str:
    """The reason why it could not be imported, with file and line of the user's code."""
    if isinstance(error, SyntaxError):
        return f"{address} cannot be imported: {error.filename}:{error.lineno}: {error.msg}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not ("importlib" in frame.filename or frame.filename == pkgutil.__file__)
    ]
    place = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames[1:] else ""
    text = " ".join(str(error).split())
    if not place and isinstance(error, AttributeError) and error.name:
        text += nearest(error.name, dir(error.obj))
    elif not place and isinstance(error, ModuleNotFoundError) and error.name:
        text += nearest(error.name, _modules_beside(error.name))
    return f"{address} cannot be imported: {place}{type(error).__name__}{f': {text}' if text else ''}"


def _modules_beside(name: str) -> list[str]:
    """The modules in the place of one that is missing: in its package, or in the current folder."""
    if name.endswith(".py"):
        return [name.removesuffix(".py")]
    package = name.rpartition(".")[0]
    folders = getattr(sys.modules.get(package), "__path__", []) if package else [""]
    return [module.name for module in pkgutil.iter_modules(folders, f"{package}." if package else "")]
