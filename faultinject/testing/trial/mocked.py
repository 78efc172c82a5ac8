"""Puts the faults of `faultinject trial` into the suite's own moto.

None of moto's requests leaves it for the trial's store. The plugin in `beside` loads this in the suite's Python, if
that has faultinject.
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

FOR_ALL = "AWS_ENDPOINT_URL"
"""The variable by which botocore's clients find the trial's store.

The variables of single services begin with it.
"""


def begin(session: str, store: str) -> None:
    """Give all code inside `mock_aws` the session's faults from now on.

    Args:
        session: its directory.
        store: the address of the trial's store; empty: there is none.
    """
    Patch(Injector(Scenario([]), environ={}), places=moto.PLACES)
    session_sync.follow({session_sync.SESSION: session})
    if store:
        moto.ADDRESSES.add(store)
        wrapt.register_post_import_hook(_hide_store, "moto.core.models")


def _hide_store(module: ModuleType) -> None:
    """Let no client that is made inside `mock_aws` ask the trial's store."""
    hidden: list[dict[str, str]] = []

    def start(wrapped: Callable[..., Any], _: object, args: tuple[Any, ...], keys: dict[str, Any]) -> Any:
        hidden.append({name: os.environ.pop(name) for name in [*os.environ] if name.startswith(FOR_ALL)})
        return wrapped(*args, **keys)

    def stop(wrapped: Callable[..., Any], _: object, args: tuple[Any, ...], keys: dict[str, Any]) -> Any:
        try:
            return wrapped(*args, **keys)
        finally:
            if hidden:
                os.environ.update(hidden.pop())

    wrapt.wrap_function_wrapper(module, "MockAWS.start", start)
    wrapt.wrap_function_wrapper(module, "MockAWS.stop", stop)
