"""Clients that try nothing again."""

import httpx
import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from .program import program

DOWN = "http:503,path=/documents/*,times=1,per=call"
CUT = "reset,path=/documents/*,times=1,per=call"
PATHS = [f"/documents/{number}" for number in range(8)]


@program("never retries", DOWN, caught={"retries"})
def never(endpoint):
    """requests as it is: an answer 503 is the caller's."""
    with requests.Session() as session:
        for path in PATHS:
            session.get(endpoint + path)


@program("never retries, reset", CUT, caught={"retries*"})
def never_after_resets(endpoint):
    """httpx as it is: a broken connection is the caller's."""
    with httpx.Client(base_url=endpoint, headers={"User-Agent": "reader/1.0"}, trust_env=False) as client:
        for path in PATHS:
            try:
                client.get(path)
            except httpx.TransportError:
                continue


@program("retries", DOWN, passes={"retries: 503"})
def again(endpoint):
    """requests with urllib3's Retry."""
    retry = Retry(total=3, backoff_factor=0.1, status_forcelist=[503])
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=retry))
        for path in PATHS:
            session.get(endpoint + path)


@program("retries, reset", CUT, passes={"retries: reset"})
def again_after_resets(endpoint):
    """urllib3 with its own retries: a broken connection is retried."""
    with urllib3.PoolManager(
        retries=Retry(total=3, backoff_factor=0.1), headers={"User-Agent": "reader/1.0"}
    ) as pool:
        for path in PATHS:
            pool.request("GET", endpoint + path)


@program("no POST again", "http:503,method=POST,times=1,per=call")
def no_post_again(endpoint):
    """requests: a POST is not retried, because its effect is unknown."""
    with requests.Session() as session:
        for number in range(8):
            session.post(f"{endpoint}/orders/{number}", data=b"one cat")
