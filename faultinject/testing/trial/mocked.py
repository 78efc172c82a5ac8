"""Injects the faults of `faultinject trial` into moto, in the suite's own Python.

No request inside `mock_aws` goes to the trial's store. The plugin in `beside` loads this module when the suite imports
moto, if the suite's Python has faultinject.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import wrapt

from faultinject.adapters.patch import Patch
from faultinject.clients import moto
from faultinject.injector import session_sync
from faultinject.injector.injector import Injector
from faultinject.rules.scenario import Scenario

ENDPOINT_PREFIX = "AWS_ENDPOINT_URL"
"""The prefix of the variables by which botocore's clients find the trial's store."""


def begin(session: str, store: str) -> None:
    """Inject the session's faults into all code inside `mock_aws`.

    Args:
        session: the directory of the session.
        store: the address of the trial's store; empty: there is none.
    """
    Patch(Injector(Scenario([]), environ={}), places=moto.PLACES)
    session_sync.follow({session_sync.SESSION: session})
    if store:
        moto.ADDRESSES.add(store)
        wrapt.register_post_import_hook(_hide_store, "moto.core.models")


def _hide_store(module: ModuleType) -> None:
    """Hide the address of the trial's store from clients that are made inside `mock_aws`."""
    hidden: list[dict[str, str]] = []

    def start(wrapped: Callable[..., Any], _: object, args: tuple[Any, ...], keys: dict[str, Any]) -> Any:
        names = [name for name in os.environ if name.startswith(ENDPOINT_PREFIX)]
        hidden.append({name: os.environ.pop(name) for name in names})
        return wrapped(*args, **keys)

    def stop(wrapped: Callable[..., Any], _: object, args: tuple[Any, ...], keys: dict[str, Any]) -> Any:
        try:
            return wrapped(*args, **keys)
        finally:
            if hidden:
                os.environ.update(hidden.pop())

    wrapt.wrap_function_wrapper(module, "MockAWS.start", start)
    wrapt.wrap_function_wrapper(module, "MockAWS.stop", stop)
