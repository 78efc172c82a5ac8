"""Plain HTTP clients as clients of the table."""

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

from .client import HttpClient


class Requests(HttpClient):
    package = "requests"
    retries = 0

    def open(self):
        self.session = requests.Session()
        self.session.mount("http://", HTTPAdapter(max_retries=self.retries))

    def ask(self, method, key, body=None):
        answer = self.session.request(method, f"{self.url}/{key}", data=body, timeout=self.seconds)
        answer.raise_for_status()
        return answer.content

    def code(self, error):
        return getattr(getattr(error, "response", None), "status_code", None)

    def close(self):
        self.session.close()


class RequestsRetry(Requests):
    package = "urllib3"
    retries = Retry(total=3, backoff_factor=0.1, status_forcelist=[500, 502, 503, 504])


class Httpx(Requests):
    package = "httpx"

    def open(self):
        self.session = httpx.Client(transport=httpx.HTTPTransport(retries=3), timeout=self.seconds)

    def ask(self, method, key, body=None):
        return self.session.request(method, f"{self.url}/{key}", content=body).raise_for_status().content


class Aiohttp(HttpClient):
    """The one with a time-out for the whole exchange; its session lives as long as its loop."""

    package = "aiohttp"

    def open(self):
        self.runner = asyncio.Runner()
        self.session = self.runner.run(self.session_of())

    async def session_of(self):
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.seconds), raise_for_status=True)

    def ask(self, method, key, body=None):
        return self.runner.run(self.exchange(method, f"{self.url}/{key}", body))

    async def exchange(self, method, url, body):
        async with self.session.request(method, url, data=body) as answer:
            return await answer.read()

    def code(self, error):
        return getattr(error, "status", None)

    def close(self):
        self.runner.run(self.session.close())
        self.runner.close()


class Urllib(HttpClient):
    """The standard library, which copies an answer into a file."""

    def ask(self, method, key, body=None):
        request = urllib.request.Request(f"{self.url}/{key}", body, method=method)
        into = io.BytesIO()
        with urllib.request.urlopen(request, timeout=self.seconds) as answer:
            shutil.copyfileobj(answer, into)
        return into.getvalue()

    def code(self, error):
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        return super().code(error)
