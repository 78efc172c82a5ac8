"""A Retry-After that it cannot read ends the call.

https://github.com/SpaceTradersAPI/api-docs/issues/24
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

from .client import Client


class MalformedRetryAfter(Client):
    """The parser's error is nobody's."""

    expected = {"malformed retry-after": "FAIL"}

    def date(self, text):
        """No error is expected here."""
        return parsedate_to_datetime(text).timestamp() - time.time()
