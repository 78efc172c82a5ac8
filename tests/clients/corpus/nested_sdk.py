"""Retries in a loop around an SDK that retries and says so.

https://sre.google/sre-book/handling-overload/
"""

from __future__ import annotations

import uuid

from .nested_layers import NestedLayers


class NestedSdk(NestedLayers):
    """Each round of the inner layer has an id of its own."""

    expected = {"nested retries": "FAIL", "retry budget": "WARN"}

    def inner(self, *request, **more):
        """Names itself as the AWS SDKs do."""
        more["headers"] = {"amz-sdk-invocation-id": str(uuid.uuid4())}
        return super().inner(*request, **more)
