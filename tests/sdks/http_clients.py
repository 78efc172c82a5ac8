"""Plain HTTP clients as clients of the table."""

from __future__ import annotations

import asyncio
import io
import shutil
import urllib.error
import urllib.request

import aiohttp
import httpx
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from .client import SENT, Client


class Requests(Client):
    package = "requests"
    retries = 0

    def __init__(self, url, seconds):
        self.url, self.seconds = url, seconds
        self.session = requests.Session()
        self.session.mount("http://", HTTPAdapter(max_retries=self.retries))

    def ask(self, method, key, **more):
        answer = self.session.request(method, f"{self.url}/photos/{key}", timeout=self.seconds, **more)
        answer.raise_for_status()
        return answer.content

    def get(self, key):
        return self.ask("GET", key)

    def put(self, key):
        self.ask("PUT", key, data=SENT)

    def post(self, key):
        self.ask("POST", key, params="uploads")

    def code(self, error):
        return getattr(getattr(error, "response", None), "status_code", None)

    def close(self):
        self.session.close()


class RequestsRetry(Requests):
    package = "urllib3"
    retries = Retry(total=3, backoff_factor=0.1, status_forcelist=[500, 502, 503, 504])


class Httpx(Requests):
    package = "httpx"

    def __init__(self, url, seconds):
        self.url, self.seconds = url, seconds
        self.session = httpx.Client(transport=httpx.HTTPTransport(retries=3))

    def put(self, key):
        self.ask("PUT", key, content=SENT)


class Aiohttp(Client):
    """The one with a time-out for the whole exchange; its session lives as long as its loop."""

    package = "aiohttp"

    def __init__(self, url, seconds):
        self.url, self.seconds = url, seconds
        self.runner = asyncio.Runner()
        self.session = self.runner.run(self.open())

    async def open(self):
        total = aiohttp.ClientTimeout(total=self.seconds)
        return aiohttp.ClientSession(timeout=total, raise_for_status=True)

    def ask(self, method, key, **more):
        return self.runner.run(self.exchange(method, f"{self.url}/photos/{key}", **more))

    async def exchange(self, method, url, **more):
        async with self.session.request(method, url, **more) as answer:
            return await answer.read()

    def get(self, key):
        return self.ask("GET", key)

    def put(self, key):
        self.ask("PUT", key, data=SENT)

    def post(self, key):
        self.ask("POST", f"{key}?uploads")

    def code(self, error):
        return getattr(error, "status", None)

    def close(self):
        self.runner.run(self.session.close())
        self.runner.close()


class Urllib(Client):
    """The standard library, which copies an answer into a file."""

    def __init__(self, url, seconds):
        self.url, self.seconds = url, seconds

    def ask(self, method, key, data=None):
        request = urllib.request.Request(f"{self.url}/photos/{key}", data, method=method)
        into = io.BytesIO()
        with urllib.request.urlopen(request, timeout=self.seconds) as answer:
            shutil.copyfileobj(answer, into)
        return into.getvalue()

    def get(self, key):
        return self.ask("GET", key)

    def put(self, key):
        self.ask("PUT", key, SENT)

    def post(self, key):
        self.ask("POST", f"{key}?uploads", b"")

    def code(self, error):
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        return getattr(error, "code", None)

    def close(self):
        """Every call has a connection of its own."""
