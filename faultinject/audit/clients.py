"""Which requests are of one client: by what it calls itself, without what changes from one request to the next."""

from __future__ import annotations

import re
from functools import lru_cache

UNNAMED = "a client without a User-Agent"
"""What stands for a client that does not say who it is."""

_COMMENT = re.compile(r"\([^()]*\)")
_PRODUCT = re.compile(r"[^\s/]+/[vV]?\d\S*")


@lru_cache(1024)
def client_of(user_agent: str | None) -> str:
    """The client that a user agent names: one name for all its requests.

    Comments go, and the list of features that the SDKs of AWS send (`m/…`), which differs between requests.

    >>> client_of("Boto3/1.44.5 md/Botocore#1.44.5 m/E,b cfg/retry-mode#standard")
    'Boto3/1.44.5 md/Botocore#1.44.5 cfg/retry-mode#standard'
    """
    words = _COMMENT.sub(" ", user_agent or "").split()
    return " ".join(each for each in words if not each.startswith("m/")) or UNNAMED


@lru_cache(1024)
def title_of(client: str) -> str:
    """A client's name and version, for people.

    >>> title_of("Boto3/1.44.5 md/Botocore#1.44.5 cfg/retry-mode#standard"), title_of("MinIO minio-py/7.2.20")
    ('Boto3/1.44.5 (standard)', 'minio-py/7.2.20')
    """
    product = _PRODUCT.search(client)
    _, mode, rest = client.partition("cfg/retry-mode#")
    name = product[0] if product else client
    return f"{name} ({rest.split()[0]})" if mode and rest else name
