"""An answer 401, and what a client does before it asks again."""

import time
from functools import partial
from itertools import count

import httpx
import requests
from requests.auth import HTTPDigestAuth

from .program import Program, program, programs
from .sending import Sender, at_once, full_jitter, in_threads, insist, retried

DOCUMENTS = [f"/documents/report-{number}" for number in range(8)]
EXPIRED = "http:401,path=/documents/*,times=1,per=call"
CHALLENGE = (
    "http:401,path=/documents/*,times=1,per=call,"
    r'set.www-authenticate="Digest realm=\"documents\", nonce=\"e4f1c2\", qop=\"auth\""'
)


class Bearer:
    """A session with a token."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.session = requests.Session()
        self.session.headers["User-Agent"] = "reader/1.0"
        self.login()

    def login(self):
        """Get a token."""
        token = self.session.post(f"{self.endpoint}/token").json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path):
        """One request."""
        return self.session.get(self.endpoint + path)


@program("new token", EXPIRED, passes={"permanent"})
def new_token(endpoint):
    """requests: a 401 is answered by a new Bearer token, and one more try."""
    with (client := Bearer(endpoint)).session:
        for path in DOCUMENTS:
            if client.get(path).status_code == 401:
                client.login()
                client.get(path)


@program("same token", EXPIRED, caught={"permanent"})
def same_token(endpoint):
    """requests: a 401 is answered by the same Bearer token, up to three times."""
    with (client := Bearer(endpoint)).session:
        for path in DOCUMENTS:
            insist(3, 401, client.get, path)


@programs(
    Program(
        "new cookie",
        "httpx: a 401 is answered by a login, which sets another cookie, and one more try.",
        (EXPIRED,),
        {"again": True},
    ),
    Program(
        "same cookie",
        "httpx: a 401 is answered by the same cookie once more.",
        (EXPIRED,),
        {"again": False},
        caught={"permanent"},
    ),
)
def cookies(endpoint, again):
    """Read documents with a cookie; after a 401 log in where that is said, and ask again."""
    with httpx.Client(base_url=endpoint, headers={"User-Agent": "browser/1.0"}, trust_env=False) as client:
        client.post("/login", json={"user": "cat"})
        for path in DOCUMENTS:
            if client.get(path).status_code == 401:
                if again:
                    client.post("/login", json={"user": "cat"})
                client.get(path)


@programs(
    Program(
        "digest",
        "requests' own Digest authentication: the challenge of a 401 is answered.",
        (CHALLENGE,),
        {"meets": True},
        passes={"permanent"},
    ),
    Program(
        "no digest",
        "requests without it: the same request again, as if there had been no challenge.",
        (CHALLENGE,),
        {"meets": False},
        caught={"permanent"},
    ),
)
def digest(endpoint, meets):
    """Read documents, each with a fresh answer to its challenge."""
    with requests.Session() as session:
        for path in DOCUMENTS:
            auth = HTTPDigestAuth("cat", "meow") if meets else None
            insist(2, 401, session.get, endpoint + path, auth=auth)


@programs(
    Program(
        "token per request",
        "A token is signed for each request, as some demand; 503 is retried with full jitter.",
        ("http:503,path=/documents/*,times=2,per=call",),
        {"waits": partial(full_jitter, 3)},
        timed=True,
    ),
    Program(
        "token per request, endless",
        "The same, and 503 is retried at once, thirty times.",
        ("http:503,path=/documents/*",),
        {"waits": partial(at_once, 30)},
        true={"gives up", "backoff"},
    ),
)
def signing(endpoint, waits):
    """Read documents that fail, with another token for each attempt."""
    client, numbers = Sender(endpoint, "signer"), count()

    def read(path):
        retried(
            lambda: client.get(path, Authorization=f"Bearer jwt-{time.time_ns()}-{next(numbers)}"), waits()
        )

    in_threads(read, [f"{each}-{turn}" for turn in range(3) for each in DOCUMENTS])
