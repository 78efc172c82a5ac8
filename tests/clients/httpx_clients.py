"""httpx with a transport that injects faults: blocking, and awaited."""

import anyio
import httpx

from faultinject.clients.httpx import AsyncFaultTransport, FaultTransport


class Blocking:
    """A client whose calls are made one after another."""

    kind = FaultTransport

    def __init__(self, transport):
        self.transport = transport

    def ask(self, *requests, **options):
        """The result of each request: a response that was read, or an error.

        A content of several pieces is sent piece by piece, without a length.
        """
        found = []
        with httpx.Client(transport=self.transport, **options) as client:
            for method, url, more in requests:
                content = more.get("content")
                pieces = content if content is None or isinstance(content, bytes) else iter(content)
                try:
                    found.append(client.request(method, url, **{**more, "content": pieces}))
                except httpx.HTTPError as error:
                    found.append(error)
        return found


class Awaiting(Blocking):
    """The same, awaited."""

    kind = AsyncFaultTransport

    def ask(self, *requests, **options):
        async def awaited(content):
            for each in content:
                yield each

        async def main():
            found = []
            async with httpx.AsyncClient(transport=self.transport, **options) as client:
                for method, url, more in requests:
                    content = more.get("content")
                    pieces = content if content is None or isinstance(content, bytes) else awaited(content)
                    try:
                        found.append(await client.request(method, url, **{**more, "content": pieces}))
                    except httpx.HTTPError as error:
                        found.append(error)
            return found

        return anyio.run(main)
