"""Records the requests that an SDK would send, and sends nothing."""

import pytest


class SentError(Exception):
    """Instead of being sent."""


def keep(request, **_):
    """For botocore's `before-send`."""
    raise SentError(request)


def sent_by(call, *given, **named):
    """The request that a call would send."""
    with pytest.raises(SentError) as sent:
        call(*given, **named)
    return sent.value.args[0]


def place_of(reading, request):
    """Operation, bucket and key, of one reading of the request."""
    outcome = reading.outcome(request)
    return outcome.operation, outcome.bucket, outcome.key
