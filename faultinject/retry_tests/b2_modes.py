"""Backblaze B2's own test mode: a request with `X-Bz-Test-Mode` gets the failures that it names.

https://www.backblaze.com/docs/cloud-storage-integration-checklist says which there are and what each is to test. How often
"some" is it does not say; here that is `SOME` and `USES`.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from faultinject.adapters.wsgi import exchange
from faultinject.rules.rule import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from faultinject.engine.plan import Plan
    from faultinject.injector.injector import Injector

VENDOR = "b2"
HEADER = "HTTP_X_BZ_TEST_MODE"
SOME = 0.3
"""The share of uploads that fail."""
USES = 2
"""Calls that an account authorization token serves before it expires."""
MOST_TOKENS = 2000
"""Beyond them the one that was used longest ago is forgotten, and serves anew."""
LONGEST = 64
"""Characters of a mode that a refusal repeats."""
UPLOADS = ("b2_upload_file", "b2_upload_part")
UPLOAD_RELATED = (
    *UPLOADS,
    "b2_copy_file",
    "b2_copy_part",
    "b2_get_upload_part_url",
    "b2_get_upload_url",
    "b2_start_large_file",
)
FAIL, EXPIRE, CAP = "fail_some_uploads", "expire_some_account_authorization_tokens", "force_cap_exceeded"
RULES = {
    # An upload that gets a status of 5xx is to be made anew at another address.
    FAIL: Rule("b2:service_unavailable", name=FAIL, operation=list(UPLOADS), probability=SOME),
    # An upload has a token of its own, and b2_authorize_account the application key.
    EXPIRE: Rule(
        "b2:expired_auth_token",
        name=EXPIRE,
        unless={"operation": ["b2_authorize_account", *UPLOADS]},
        skip=USES,
    ),
    CAP: Rule("b2:cap_exceeded", name=CAP, operation=list(UPLOAD_RELATED)),
}
"""The rule of each mode."""


class B2ModesFace:
    """A WSGI app that gives requests in a test mode their failures, and all others to the app behind it.

    Args:
        app: the store, with the faults that are for everybody around it or not.
        injector: switches all faults on and off; its journal notes what the modes inject as well.
    """

    def __init__(self, app: WSGIApplication, injector: Injector) -> None:
        self.app = app
        self.injector = injector
        self._plans: OrderedDict[tuple[str, str], Plan] = OrderedDict()
        self._lock = Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        mode = environ.get(HEADER)
        if mode is None or not self.injector.enabled:
            return self.app(environ, start_response)
        # A token that has expired stays expired, so each is counted for itself.
        token = environ.get("HTTP_AUTHORIZATION", "") if mode == EXPIRE else ""
        return exchange(self.app, environ, start_response, self._plan(mode, token), (0,))

    def _plan(self, mode: str, token: str) -> Plan:
        """The plan of a mode and a token."""
        if mode not in RULES:
            said = f"Invalid X-Bz-Test-Mode: {mode[:LONGEST]}"
            return self.injector.plan_beside([Rule("b2:bad_request", name="no-test-mode", message=said)])
        with self._lock:
            plan = self._plans.get((mode, token))
            if plan is None:
                plan = self._plans[mode, token] = self.injector.plan_beside([RULES[mode]])
                if len(self._plans) > MOST_TOKENS:
                    self._plans.popitem(last=False)
            self._plans.move_to_end((mode, token))
            return plan
