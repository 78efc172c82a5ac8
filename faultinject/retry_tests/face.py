"""The control interface in front of a store, and each test's own faults around it."""

from __future__ import annotations

import json

from werkzeug.wrappers import Request

from faultinject import vendors
from faultinject.adapters.wsgi import exchange
from faultinject.engine.request import WSGIRequest
from faultinject.retry_tests.carried import carried, instruction_of
from faultinject.retry_tests.kept import RetryTests
from faultinject.retry_tests.refusal import Refusal, answer
from faultinject.store.bodies import drain
from faultinject.vendors.addressing import Addressing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from faultinject.engine.plan import Plan
    from faultinject.injector.injector import Injector

VENDOR = "gcs"
HEADER = "HTTP_X_RETRY_TEST_ID"
CONTROL_BYTES = 65_536
"""Of the longest retry test."""
ONE, ALL = "/retry_test", "/retry_tests"


class RetryTestFace:
    """A WSGI app that takes `/retry_test` for itself and gives the rest to the app behind it.

    Requests with `x-retry-test-id` get the faults of that test. All others, and those that it has none for, get what their
    own `x-goog-emulator-instructions` says; without it they are the app's.

    Args:
        app: the store, with the faults that are for everybody around it or not.
        injector: switches all faults on and off; its journal notes what the tests inject as well.
        endpoints: host suffixes, besides the vendor's own, below which the first labels are the bucket.
    """

    def __init__(self, app: WSGIApplication, injector: Injector, endpoints: Sequence[str] = ()) -> None:
        self.app = app
        self.injector = injector
        found = vendors.get(VENDOR)
        self._tests = RetryTests(injector, found)
        self._plans: dict[str, Plan] = {}
        self._reading = Addressing(found, tuple(endpoints))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path: str = environ.get("PATH_INFO", "")
        identity = environ.get(HEADER)
        try:
            if path in (ONE, ALL) or path.startswith(f"{ONE}/"):
                return answer(start_response, self._control(Request(environ, populate_request=False), path))
            if identity is None:
                return self._carried(environ, start_response)
            return self._perform(identity, environ, start_response)
        except Refusal as refusal:
            drain(Request(environ, populate_request=False))
            return refusal.send(start_response)

    def _control(self, request: Request, path: str) -> object:
        """What the control interface answers."""
        asked = request.method, path
        if asked == ("GET", ALL):
            return {"retry_test": [each.describe() for each in self._tests.all()]}
        if asked == ("POST", ONE):
            return self._create(request)
        identity = path.removeprefix(f"{ONE}/")
        if identity == path or request.method not in ("GET", "DELETE"):
            raise Refusal(405, "method is not allowed")
        if request.method == "GET":
            return self._tests.find(identity).describe()
        self._tests.delete(identity)
        return f"Deleted {identity}"

    def _create(self, request: Request) -> object:
        data = request.stream.read(CONTROL_BYTES + 1)
        if len(data) > CONTROL_BYTES:
            raise Refusal(413, f"A retry test of more than {CONTROL_BYTES} bytes is invalid.")
        try:
            payload = json.loads(data)
        except (ValueError, RecursionError):
            raise Refusal(400, "The retry test, which is no JSON, is invalid.") from None
        if not isinstance(payload, dict) or not payload.get("instructions"):
            raise Refusal(400, "instructions is not defined", plain=True)
        return self._tests.create(payload["instructions"], payload.get("transport", "HTTP")).describe()

    def _perform(
        self, identity: str, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """A request of a test."""
        test = self._tests.find(identity)
        operation = self._reading.operation(WSGIRequest(environ))
        instruction = test.first(operation)
        if instruction is None or operation is None or not self.injector.enabled:
            return self._carried(environ, start_response)
        shape = instruction.shape
        shaped = (self.app, {}) if shape is None else shape(self.app, environ)
        plan = None if shaped is None else test.plan(operation, instruction, instruction.rule(shaped[1]))
        if shaped is None or plan is None:
            return self._carried(environ, start_response)
        return exchange(shaped[0], environ, start_response, plan, (0,))

    def _carried(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """A request that no test has a failure for; its own header may have one."""
        text = instruction_of(environ)
        found = carried(text, self.app, environ) if text is not None and self.injector.enabled else None
        if found is None:
            return self.app(environ, start_response)
        app, rule = found
        plan = self._plans.get(str(rule))
        if plan is None:
            plan = self._plans[str(rule)] = self.injector.plan_beside([rule])
        return exchange(app, environ, start_response, plan, (0,))
