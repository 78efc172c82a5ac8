"""Faults inside moto's `mock_aws`, for S3 requests of botocore's and aiobotocore's clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from faultinject.injector.injector import Injector

Hook = Callable[..., Any]

ADDRESSES: set[str] = set()
"""The addresses (host and port) of stores that replace AWS in the variables of SDKs.

Inside `mock_aws`, moto answers the requests to these addresses.
"""


def wrap(moto_hook: Hook, injector: Injector) -> Hook:
    """Wrap the hook by which moto answers a client's request: faults come first.

    A request that moto does not answer, such as one to a server of this machine, gets no fault.

    Args:
        moto_hook: the hook of moto's class `BotocoreStubber`.
        injector: the injector of the faults.
    """

    def answer(event_name: str, request: Any, **given: Any) -> Any:
        if moto_hook.__self__.enabled:  # type: ignore[attr-defined]  # it is a method
            if urlsplit(request.url).netloc in ADDRESSES:
                request.url = _aws_url(request)
            if event_name.split(".")[1] == "s3" and _is_answered(request.url):
                from faultinject.clients.botocore import answer_with_faults

                return answer_with_faults(
                    request, lambda: moto_hook(event_name=event_name, request=request, **given), injector
                )
        return moto_hook(event_name=event_name, request=request, **given)

    return answer


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


PLACES: Mapping[str, tuple[tuple[str, Callable[..., Any]], ...]] = {
    "moto.core.botocore_stubber": (("BotocoreStubber", wrap),)
}
"""The places to patch, in the form of `faultinject.adapters.patch`."""
