"""`faultinject serve`: an app, or the embedded object store, with faults in front."""

from __future__ import annotations

import pkgutil
import sys
import traceback
from functools import partial
from typing import Any

import click

from faultinject import vendors
from faultinject.adapters.install import interface_of
from faultinject.cli import listening
from faultinject.cli.layout import CONTEXT, refuse
from faultinject.cli.serving import Served, announced_below, serve_with_faults, serving_options
from faultinject.exceptions import ConfigurationError
from faultinject.rules.environment import Environment
from faultinject.rules.values import nearest
from faultinject.store import ObjectStore


def load_app(address: str) -> tuple[Any, str]:
    """The app, and whether it is `wsgi` or `asgi`; the current directory is looked in first.

    Args:
        address: `shop.web:app` or `shop.web:site.app`.

    Raises:
        ConfigurationError: there is no such module or attribute, the module fails, or it is no app.
    """
    module, _, path = address.partition(":")
    if not all(each.isidentifier() for each in (*module.split("."), *path.split("."))):
        raise ConfigurationError(f"{address!r} is not MODULE:APP, such as shop.web:app")
    sys.path.insert(0, "")
    try:
        app = pkgutil.resolve_name(address)
    except Exception as error:
        raise ConfigurationError(_failure(address, error)) from None
    if not callable(app):
        raise ConfigurationError(f"{address} is no app: it is of type {type(app).__name__}")
    try:
        return app, interface_of(app)
    except TypeError:
        raise ConfigurationError(
            f"{address} takes neither two arguments (WSGI) nor three (ASGI): it looks like an app factory;"
            " name the app that it makes"
        ) from None


def _failure(address: str, error: Exception) -> str:
    """One line on why the app could not be imported, with the place in the user's code."""
    if isinstance(error, SyntaxError):
        return f"{address} cannot be imported: {error.filename}:{error.lineno}: {error.msg}"
    frames = [
        each
        for each in traceback.extract_tb(error.__traceback__)
        if not ("importlib" in each.filename or each.filename == pkgutil.__file__)
    ]
    place = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames[1:] else ""
    text = " ".join(str(error).split())
    if isinstance(error, AttributeError) and error.name and not place:
        text += nearest(error.name, dir(error.obj))
    return f"{address} cannot be imported: {place}{type(error).__name__}{f': {text}' if text else ''}"


@click.command(context_settings=CONTEXT)
@click.argument("app", required=False, metavar="[MODULE:APP]")
@click.option(
    "--vendor", metavar="VENDOR", help="Storage API that the embedded store speaks.  [default: cos]"
)
@serving_options
def serve(*, app: str | None, vendor: str | None, **given: Any) -> int:
    """Serve a WSGI or ASGI app, or without one the embedded object store, with faults in front.

    Rules come from -r and --file, otherwise from FAULTINJECT_FILE, FAULTINJECT_RULES and FAULTINJECT_RULE_*. Ctrl-C,
    SIGTERM and SIGHUP end it with a summary, and its journal records the end. With --control you can change rules while
    it runs: by HTTP, on a page, and with `faultinject control`. With --tls clients must trust the authority of its
    certificate: most read one of the printed variables. The certificate's files are removed at the end.
    """
    refuse({"--vendor is for the embedded store; an app is served as it is": app and vendor})
    speaks = vendor or "cos"

    def load(settings: Environment) -> Served:
        if app is None:
            title = f"the embedded object store ({vendors.get(speaks).title})"
            found, kind = ObjectStore(speaks, endpoints=settings.endpoints), "wsgi"
        else:
            title = app
            with announced_below():
                found, kind = load_app(app)
        return found, title, partial(listening.uvicorn_server, interface=kind)

    return serve_with_faults(load, speaks, instead=app, **given)
