"""SDKs that get a new token after an answer 401, and clients that do not."""

import logging
import os

os.environ["DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"] = "true"

import requests
import urllib3
from b2sdk.v3 import B2Api, InMemoryAccountInfo
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage
from google.oauth2.credentials import Credentials

from .program import GCS, Program, program, programs
from .sending import insist

LOCKED = "gcs:authError,method=GET,path=/download/**,times=1,per=call"
EXPIRED = "b2:expired_auth_token,path=/b2api/*/b2_list_file_names,every=3"
PLAIN = "http:401,method=GET,path=/download/**,times=1,per=call"
NAMES = [f"cat-{number}.jpg" for number in range(8)]

logging.getLogger("b2sdk").setLevel(logging.CRITICAL)


def user(endpoint):
    """Credentials that can be refreshed."""
    return Credentials(
        "old", refresh_token="r", token_uri=f"{endpoint}/token", client_id="c", client_secret="s"
    )


@programs(
    Program(
        "google-cloud-storage",
        "google-cloud-storage: its session gets a new token after a 401.",
        (LOCKED,),
        app=GCS,
        either={"error in 200"},
    ),
    Program(
        "google-cloud-storage, plain 401",
        "The same after a 401 that no document describes.",
        (PLAIN,),
        app=GCS,
        passes={"permanent"},
    ),
)
def download(endpoint):
    """Read each by Google's SDK."""
    with storage.Client("cats", user(endpoint), client_options={"api_endpoint": endpoint}) as client:
        for name in NAMES:
            client.bucket("photos").blob(name).download_as_bytes()


@program("google-cloud-storage, old token", PLAIN, app=GCS, caught={"permanent"})
def google_insists(endpoint):
    """google-cloud-storage without a token, in a loop that tries three times."""
    nobody = AnonymousCredentials()
    with storage.Client("cats", nobody, client_options={"api_endpoint": endpoint}) as client:
        for name in NAMES:
            for _ in range(3):
                try:
                    client.bucket("photos").blob(name).download_as_bytes()
                    break
                except Exception:  # as people write it
                    continue


@program("google-auth", "http:401,path=/photos/*,times=1,per=call", app=GCS, passes={"permanent"})
def google_auth(endpoint):
    """google-auth's session by itself."""
    with AuthorizedSession(user(endpoint)) as session:
        for name in NAMES:
            session.get(f"{endpoint}/photos/{name}")


@program("requests, old token", "http:401,path=/photos/*,times=1,per=call", app=GCS, caught={"permanent"})
def requests_insists(endpoint):
    """requests with the same token, tried three times."""
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer old"
        for name in NAMES:
            insist(3, 401, session.get, f"{endpoint}/photos/{name}")


@program("b2sdk", EXPIRED)
def b2(endpoint):
    """b2sdk: it authorizes the account again after a 401, and asks again."""
    api = B2Api(InMemoryAccountInfo())
    api.authorize_account("key-id", "key", realm=endpoint)
    for number in range(8):
        api.session.list_file_names("4a48fe8875c6214145260818", prefix=f"{number}/")


@program("b2 by hand, old token", "http:401,path=/b2api/**,times=1,per=call", caught={"permanent"})
def b2_by_hand(endpoint):
    """urllib3: the calls of B2's API, each tried three times with the same token."""
    with urllib3.PoolManager(retries=False) as pool:
        headers = {"User-Agent": "backup/1.0", "Authorization": "old"}
        for number in range(6):
            url = f"{endpoint}/b2api/v4/b2_list_file_names?bucketId=b&prefix={number}"
            insist(3, 401, pool.request, "GET", url, headers=headers)
