"""Faults inside moto's `mock_aws`, for S3 requests of botocore's and aiobotocore's clients."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from faultinject.adapters.patch import PLACES as APPS
from faultinject.adapters.special import watched_asgi, watched_wsgi
from faultinject.engine.exchange import BESIDE_MOCK
from faultinject.injector.injector import Injector

Hook = Callable[..., Any]

ADDRESSES: set[str] = set()
"""The addresses (host and port) of stores that environment variables give to the SDKs.

Inside `mock_aws`, moto answers the requests to these addresses.
"""


class AppFailures:
    """Notes whether an app, while moto is its storage, answers with 5xx or raises an error.

    Attributes:
        any: whether it has failed.
    """

    text = ""

    def __init__(self) -> None:
        self.any = False

    def note(self, *, failed: bool, again: bool) -> None:  # noqa: ARG002 - the protocol's argument
        """Note one answer, or the error that was raised instead."""
        self.any = self.any or failed


noted_in: list[AppFailures] = []
"""The notes of the runs in progress: under moto, the journal has no requests to apps."""


def wrap(moto_hook: Hook, injector: Injector) -> Hook:
    """Wrap the hook by which moto answers a client's request: faults come first.

    A request that moto does not answer, such as one to a server of this machine, gets no fault.

    Args:
        moto_hook: the hook of moto's class `BotocoreStubber`.
        injector: the injector of the faults.
    """

    def answer(event_name: str, request: Any, **arguments: Any) -> Any:
        if moto_hook.__self__.enabled:  # type: ignore[attr-defined]  # it is a method
            if urlsplit(request.url).netloc in ADDRESSES:
                request.url = _aws_url(request)
            if event_name.split(".")[1] == "s3" and _is_answered(request.url):
                from faultinject.clients.botocore import answer_with_faults

                return answer_with_faults(
                    request, lambda: moto_hook(event_name=event_name, request=request, **arguments), injector
                )
        return moto_hook(event_name=event_name, request=request, **arguments)

    return answer


def telling_of_mock(around: Callable[..., Any]) -> Callable[..., Any]:
    """Make the wrapper of an app that tells its injector whether `mock_aws` is active.

    While `mock_aws` is active, moto is the app's storage, and most rules are for requests to moto, not to the app.

    Args:
        around: puts faults around the app.
    """

    def wrap_app(app: Any, injector: Injector) -> Any:
        faulty = around(app, injector)

        def call(*arguments: Any, **keys: Any) -> Any:
            called = faulty
            models = sys.modules.get("moto.core.models")
            if models is not None and models.botocore_stubber.enabled:
                scope_or_environ = [*arguments, *keys.values()][0]  # the scope of ASGI or the environ of WSGI
                scope_or_environ[BESIDE_MOCK] = True
                watched = watched_wsgi if "REQUEST_METHOD" in scope_or_environ else watched_asgi
                for failures in noted_in:
                    called = watched(called, failures)
            return called(*arguments, **keys)

        return call

    return wrap_app


def _aws_url(request: Any) -> str:
    """The URL of the request at AWS, by the region and the service in its signature."""
    scope = str(request.headers.get("Authorization", "")).partition("Credential=")[2].split("/")
    region, service = scope[2:4] if len(scope) > 4 else ("us-east-1", "s3")
    url = urlsplit(str(request.url))
    return url._replace(scheme="https", netloc=f"{service}.{region}.amazonaws.com").geturl()


def _is_answered(url: str) -> bool:
    """Whether moto answers requests to this URL."""
    from moto import backend_index
    from moto.core.utils import get_equivalent_url_in_aws_domain

    place: str = get_equivalent_url_in_aws_domain(url)[0]._replace(query="").geturl()
    return any(pattern.match(place) for _, pattern in backend_index.backend_url_patterns)


PLACES: dict[str, tuple[tuple[str, Callable[..., Any]], ...]] = {
    "moto.core.botocore_stubber": (("BotocoreStubber", wrap),)
}
"""The places to patch, in the form of `faultinject.adapters.patch`."""
WITH_APPS = PLACES | {
    module: tuple((name, telling_of_mock(around)) for name, around in classes)
    for module, classes in APPS.items()
}
"""These places, and the frameworks' apps, which may use moto as their storage."""
