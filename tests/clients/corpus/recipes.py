"""Common recipes: urllib3's Retry below requests, tenacity and stamina around httpx, an SDK."""

import logging

import httpx
import requests
import stamina
import tenacity
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from faultinject.conformance.drivers.python import boto3

PASSING = (429, 500, 502, 503, 504)


class RequestsRetry:
    """The adapter that many answers on the web show: no retry of POST, and fixed waits."""

    expected = {
        "jitter": "WARN",
        "thundering herd": "WARN",
        "malformed retry-after": "FAIL",
        "error in 200": "FAIL",
        "retry budget": "WARN",
        "retries: truncated": ("PASS", "WARN"),  # requests reads the body when Retry is done
    }
    jitter = 0.0

    def __init__(self, endpoint, bucket):
        self.url = f"{endpoint}/{bucket}"
        self.session = requests.Session()
        self.session.trust_env = False
        retry = Retry(
            total=4,
            backoff_factor=0.3,
            backoff_jitter=self.jitter,
            status_forcelist=PASSING,
            respect_retry_after_header=True,
        )
        self.session.mount("http://", HTTPAdapter(pool_maxsize=200, max_retries=retry))

    def ask(self, method, key, **more):
        """An answer that is no error."""
        answer = self.session.request(method, f"{self.url}/{key}", timeout=10, **more)
        answer.raise_for_status()
        return answer.content

    def get(self, key):
        """Read an object."""
        return self.ask("GET", key)

    def put(self, key):
        """Store an object."""
        self.ask("PUT", key, data=key * 50)

    def post(self, key):
        """Begin an upload in parts."""
        self.ask("POST", key, params="uploads")

    def close(self):
        """No connection is left open."""
        self.session.close()


class RequestsJitter(RequestsRetry):
    """The same with the jitter that urllib3 has since 2.0."""

    expected = {
        "malformed retry-after": "FAIL",
        "error in 200": "FAIL",
        "retry budget": "WARN",
        "thundering herd": ("WARN", "PASS"),
        "retries: truncated": ("PASS", "WARN"),
    }
    jitter = 0.5


def may_pass(error):
    """Whether trying again may help."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in PASSING
    return isinstance(error, httpx.TransportError)


class _Httpx(RequestsRetry):
    """Retries nothing by itself; the decorators below do."""

    def __init__(self, endpoint, bucket):
        self.url = f"{endpoint}/{bucket}"
        limits = httpx.Limits(max_connections=400, max_keepalive_connections=200)
        self.session = httpx.Client(limits=limits, trust_env=False)

    def put(self, key):
        """Store an object."""
        self.ask("PUT", key, content=key * 50)


class Tenacity(_Httpx):
    """`wait_random_exponential`, four attempts, everything that is called."""

    expected = {
        "retry-after*": "FAIL",
        "non-idempotent retry": "WARN",
        "error in 200": "FAIL",
        "retry budget": "WARN",
    }

    ask = tenacity.retry(
        retry=tenacity.retry_if_exception(may_pass),
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=1.2),
        stop=tenacity.stop_after_attempt(4),
        reraise=True,
    )(_Httpx.ask)


class Stamina(_Httpx):
    """Its defaults but for shorter waits: jitter is added to what doubles."""

    expected = Tenacity.expected | {"thundering herd": ("WARN", "PASS")}

    ask = stamina.retry(on=may_pass, attempts=4, wait_initial=0.2, wait_max=1.2, wait_jitter=0.4)(_Httpx.ask)


def again(function):
    """Whatever went wrong: three times at once."""
    return tenacity.retry(stop=tenacity.stop_after_attempt(3), reraise=True)(function)


class LoopAroundSdk(boto3.Client):
    """`@retry(stop=stop_after_attempt(3))` around boto3, which retries and has a budget."""

    expected = {
        "nested retries": "FAIL",
        "permanent": "FAIL",
        "retry-after: seconds": "FAIL",
        "retry-after: date": "FAIL",
        "non-idempotent retry": "WARN",
        "retry budget": ("WARN", "PASS"),
    }
    aws = True

    def __init__(self, endpoint, bucket):
        super().__init__(endpoint, bucket)
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # more calls at once than connections kept

    get, put, post, complete = map(
        again, (boto3.Client.get, boto3.Client.put, boto3.Client.post, boto3.Client.complete)
    )
