"""Clients that are broken on purpose, each by one change of the well-behaved client."""

import io
import time
import uuid
from dataclasses import replace
from email.utils import parsedate_to_datetime

from .client import DRAW, REFUSED, SERVER, THROTTLE, TRANSPORT, Client, Failed
from .well_behaved import HedgedRead


class DoublesPost(Client):
    """Repeats what is not known to be safe after the answer was lost: RFC 9110, 9.2.2."""

    # A POST that adds a line is repeated, and so adds it twice.
    expected = {"non-idempotent retry": "FAIL"}

    def post(self, key):
        """Leave a line."""
        self.call("POST", key, body=b"one line\n", harmless=True)


class Endless(Client):
    """Takes throttling for something that must pass, and never gives up: RFC 9110, 9.2.2."""

    # Without limit and budget on throttle errors; it ends at last, so that tests end.
    expected = {"gives up": "FAIL"}
    first, longest = 0.1, 0.8

    def most(self, failed):
        """Twenty-two instead of four."""
        return 22 if failed.kind == THROTTLE else self.attempts

    def take(self, failed):
        """A throttled call may always be repeated."""
        return failed.kind == THROTTLE or super().take(failed)


class FixedWait(Client):
    """Always waits the same time, so that clients that failed together return together."""

    # Always 0.4 s.
    expected = {"jitter": "WARN", "thundering herd": "WARN", "backoff grows": "WARN"}

    def backoff(self, number):
        """The same."""
        return 0.4


class GivesUpOn429(Client):
    """Repeats 5xx only, so the other status for throttling ends the call.

    https://github.com/Azure/azure-sdk-for-python/issues/9082
    """

    # 429 is an error of the caller's.
    expected = {"retries: 429*": "FAIL"}
    vendor = "obs"  # which documents one

    def may_repeat(self, failed, harmless):
        """Not that status."""
        return not (failed.answer is not None and failed.answer.status == 429) and super().may_repeat(
            failed, harmless
        )


class GivesUpOnReset(Client):
    """Looks at the status alone, and a connection that breaks has none."""

    # A broken connection ends the call.
    expected = {
        "retries: reset": "WARN",
        "retries: truncated": ("PASS", "WARN"),
        "lost answer*": ("PASS", "WARN"),
    }

    def may_repeat(self, failed, harmless):
        """Only with an answer."""
        return failed.kind != TRANSPORT and super().may_repeat(failed, harmless)


class GivesUpOnSlowDown(Client):
    """`SlowDown` is missing from its list: https://github.com/minio/minio-go/pull/972."""

    # A 503 of that code ends the call.
    expected = {"retries: 503 SlowDown": "FAIL"}

    def may_repeat(self, failed, harmless):
        """Not where the code is unknown."""
        slow_down = failed.answer is not None and b"<Code>SlowDown</Code>" in failed.answer.body
        return not slow_down and super().may_repeat(failed, harmless)


class Hedges(HedgedRead):
    """Sends two more copies of a slow request, and so triples the load of a slow server."""

    # Two where one is enough.
    expected = {"overlap": "WARN"}
    copies = 2


class Herd(Client):
    """Doubles its waits, but all clients wait alike.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    # 0.4 s, 0.8 s, 1.2 s.
    expected = {"jitter": "WARN", "thundering herd": "WARN"}

    def backoff(self, number):
        """The bound itself."""
        return self.bound(number)


class IgnoresRetryAfter(Client):
    """Knows better than the server how long to wait: RFC 9110, 10.2.3."""

    # The server's wait is never read.
    expected = {"retry-after*": "FAIL"}

    def asked(self, answer):
        """Nothing."""
        return


class MalformedRetryAfter(Client):
    """A Retry-After that it cannot read ends the call.

    https://github.com/SpaceTradersAPI/api-docs/issues/24
    """

    # The parser's error is nobody's.
    expected = {"malformed retry-after": "FAIL"}

    def date(self, text):
        """No error is expected here."""
        return parsedate_to_datetime(text).timestamp() - time.time()


class NestedLayers(Client):
    """Retries in a loop around a client that retries.

    https://sre.google/sre-book/handling-overload/
    """

    # Three attempts of three attempts: nine, and no budget that could hold both.
    expected = {"nested retries": "WARN", "retry budget": "WARN"}
    attempts = 3
    repetitions = 10**6

    def call(self, method, *request, **more):
        """The outer layer; the inner one has waited already."""
        for number in (1, 2, 3):
            try:
                return self.inner(method, *request, **more)
            except Failed as failed:
                if number == 3 or failed.kind not in {THROTTLE, SERVER} or method == "POST":
                    raise
                time.sleep(0.05)
        raise AssertionError

    def inner(self, *request, **more):
        """The inner layer."""
        return super().call(*request, **more)

    def backoff(self, number):
        """About 0.3 s, then 0.6 s."""
        return 0.75 * self.bound(number) * DRAW.uniform(0.75, 1.25)


class NestedSdk(NestedLayers):
    """Retries in a loop around an SDK that retries and says so.

    https://sre.google/sre-book/handling-overload/
    """

    # Each round of the inner layer has an id of its own.
    expected = {"nested retries": "FAIL", "retry budget": "WARN"}

    def inner(self, *request, **more):
        """Names itself as the AWS SDKs do."""
        more["headers"] = {"amz-sdk-invocation-id": str(uuid.uuid4())}
        return super().inner(*request, **more)


class NeverRetries(Client):
    """Leaves it all to its caller, who does not know what may be repeated."""

    # One attempt; an error in a 200 it hands on, which only its caller sees.
    expected = {"retries": "FAIL", "error in 200": ("PASS", "WARN"), "lost answer*": ("PASS", "WARN")}
    attempts = 1


class NoBudget(Client):
    """Repeats every call to the end in an outage, and so keeps the service from recovering."""

    # As many repetitions as there are failures.
    expected = {"retry budget": "WARN"}
    repetitions = 10**6


class NotRewound(Client):
    """Sends the rest of a stream that was read already: nothing.

    https://github.com/databricks/databricks-sdk-java/pull/872
    """

    # The second attempt stores an object of 0 bytes.
    expected = {"same bytes": "FAIL", "lost answer*": ("PASS", "FAIL"), "retries*": ("PASS", "FAIL", "WARN")}

    def call(self, method, key, query="", body=b"", **more):
        """The body is a stream that every attempt reads on from where it is."""
        return super().call(method, key, query, io.BytesIO(body), **more)

    def attempt(self, request, number):
        """Reads it to its end."""
        return super().attempt(replace(request, body=request.body.read()), number)


class OnlyAtOnce(Client):
    """Its one repetition comes at once, when whatever was wrong still is."""

    # Two attempts without a wait between them.
    expected = {"backoff": "WARN"}
    attempts = 2

    def backoff(self, number):
        """None."""
        return 0


class OrphanUpload(Client):
    """Begins a second upload when the first answer was lost, and pays for the first for ever."""

    # CreateMultipartUpload is repeated as if it were a GET.
    expected = {"non-idempotent retry": "WARN"}

    def post(self, key):
        """Begin an upload in parts."""
        self.call("POST", key, "?uploads", harmless=True)


class RetriesForbidden(Client):
    """Looks only whether there was an error: https://github.com/fog/fog/issues/3622."""

    # 403, 404 and 400 are repeated, too.
    expected = {"permanent": "FAIL"}

    def may_repeat(self, failed, harmless):
        """Also what the server will never do."""
        return failed.kind == REFUSED or super().may_repeat(failed, harmless)


class RetryAfterInMilliseconds(Client):
    """Reads `Retry-After: 3` as three milliseconds.

    https://github.com/Azure/azure-sdk-for-net/pull/5268
    """

    # Waits exactly as long as Retry-After says, in the wrong unit.
    expected = {"retry-after: seconds": "FAIL"}

    def wait(self, number, failed):
        """Retry-After alone, where there is one."""
        asked = self.asked(failed.answer)
        return self.backoff(number) if asked is None else asked

    def seconds(self, number):
        """The wrong unit."""
        return number / 1000


class RetryAfterWithoutDates(Client):
    """Understands `Retry-After` as a number only.

    https://github.com/hashicorp/go-retryablehttp/issues/144
    """

    # A date says nothing to it.
    expected = {"retry-after: date": "FAIL"}

    def date(self, text):
        """Not read."""
        return


class RewoundTooFar(Client):
    """Goes back by one chunk and not to the beginning of the stream."""

    # Later attempts store the end of the object.
    expected = {"same bytes": "FAIL", "lost answer*": ("PASS", "FAIL"), "retries*": ("PASS", "FAIL", "WARN")}

    def attempt(self, request, number):
        """All of it only once."""
        return super().attempt(replace(request, body=request.body[(number > 1) * 32 :]), number)


class ShrinkingWaits(Client):
    """Divides where it should multiply: the longer the outage, the more often it asks."""

    # At most 1.2 s, 0.6 s, 0.4 s, with equal jitter.
    expected = {"backoff grows": "WARN"}

    def backoff(self, number):
        """Half the bound and a little less each time."""
        return super().backoff(number) / 2 + self.bound(number) / 2

    def bound(self, number):
        """Becomes shorter."""
        return self.longest / number


class SwallowsError(Client):
    """Takes every 200 for success: https://github.com/awslabs/aws-sdk-rust/issues/1163."""

    # The document is not read.
    expected = {"error in 200": "FAIL"}

    def is_error(self, body):
        """Never."""
        return False


class TightLoop(Client):
    """Retries at once.

    https://learn.microsoft.com/azure/architecture/best-practices/transient-faults
    """

    # A wait that a busy machine makes of none does not grow either.
    # No wait at all, unless the server asks for one.
    expected = {"backoff": "WARN", "backoff grows": ("PASS", "WARN")}

    def backoff(self, number):
        """None."""
        return 0
