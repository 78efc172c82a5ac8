"""Real clients that upload, with connections of their choice, at most three times.

A client is a function from a URL, a body and a folder for its files to the statuses that it saw.
"""

import asyncio
import io
import json
import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

PATIENCE = 60
MOST = 3
EXPECT = {"Expect": "100-continue"}

NODE_FETCH = """
const put = async (url, body) => {
  const answer = await fetch(url, {method: 'PUT', body});
  await answer.text();
  return answer.status;
};
"""
NODE_HTTP = """
const http = require('http');
const agent = new http.Agent({keepAlive: true, maxSockets: 1});
const put = (url, body) => new Promise((resolve, reject) => {
  const headers = {Expect: '100-continue', 'Content-Length': body.length};
  const request = http.request(url, {method: 'PUT', agent, headers}, answer => {
    answer.resume();
    answer.on('end', () => resolve(answer.statusCode));
  });
  const send = () => request.writableEnded || request.end(body);
  const late = setTimeout(send, 1000);  // not every server says it
  request.on('continue', send);
  request.on('response', () => clearTimeout(late));
  request.on('error', reject);
  request.flushHeaders();
});
"""
NODE = """
const [url, size, most] = process.argv.slice(1);
(async () => {
  const body = Buffer.alloc(Number(size), 'x');
  const statuses = [];
  do statuses.push(await put(url, body));
  while (statuses.at(-1) !== 200 && statuses.length < most);
  console.log(JSON.stringify(statuses));
  process.exit(0);
})();
"""


def until_stored(put):
    """The statuses of one attempt after the other."""
    statuses = []
    while 200 not in statuses and len(statuses) < MOST:
        statuses.append(put())
    return statuses


def with_requests(url, body, headers=None):
    import requests

    with requests.Session() as session:
        session.trust_env = False
        return until_stored(
            lambda: session.put(url, data=body, headers=headers, timeout=PATIENCE).status_code
        )


def with_aiohttp(url, body, *, expect100=False):
    import aiohttp

    async def run():
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        statuses, before = [], sockets()
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while 200 not in statuses and len(statuses) < MOST:
                async with session.put(url, data=io.BytesIO(body), expect100=expect100) as found:
                    await found.read()
                    statuses.append(found.status)
        await no_more_than(before)
        return statuses

    return asyncio.run(run())


def sockets():
    """Count the open descriptors of this process."""
    return sum(map(Path.is_socket, Path("/proc/self/fd").iterdir()))


async def no_more_than(before):
    """Wait for connections that aiohttp has closed with something still to be sent on them."""
    async with asyncio.timeout(PATIENCE):
        while sockets() > before:
            await asyncio.sleep(0.005)


def with_http_client(url, body):
    """To which a pipe that breaks is the end."""
    import http.client

    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)) as connection:

        def put():
            connection.request("PUT", parts.path, body)
            found = connection.getresponse()
            found.read()
            return found.status

        return until_stored(put)


def with_curl(url, body, folder, *more):
    """Twice in one process, which keeps its connection; its own `--retry` would wait a second."""
    file = folder / "body"
    file.write_bytes(body)
    once = ["-sS", "--noproxy", "*", "-m", str(PATIENCE), "-o", os.devnull, "-w", "%{http_code} "]
    once += ["-T", str(file), *more, url]
    found = subprocess.run(["curl", *once, "--next", *once], capture_output=True, text=True, check=True)
    assert found.stderr == ""
    return [int(each) for each in found.stdout.split()]


def with_node(put, url, body):
    command = ["node", "-e", put + NODE, url, str(len(body)), str(MOST)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=3 * PATIENCE)
    return json.loads(found.stdout)


def with_boto3(url, body):
    """As it is: it waits for 100 Continue for a second, and tries again by itself."""
    import boto3
    from botocore.config import Config

    parts = urlsplit(url)
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{parts.netloc}",
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(proxies={}),
    )
    _, bucket, key = parts.path.split("/", 2)
    said = client.put_object(Bucket=bucket, Key=key, Body=body)["ResponseMetadata"]
    client.close()
    return [503] * said["RetryAttempts"] + [said["HTTPStatusCode"]]


CLIENTS = {
    "requests": lambda url, body, folder: with_requests(url, body),
    "requests, Expect": lambda url, body, folder: with_requests(url, body, EXPECT),
    "aiohttp": lambda url, body, folder: with_aiohttp(url, body),
    "aiohttp, Expect": lambda url, body, folder: with_aiohttp(url, body, expect100=True),
    "http.client": lambda url, body, folder: with_http_client(url, body),
    "curl": with_curl,
    "curl, Expect": lambda url, body, folder: with_curl(url, body, folder, "-H", "Expect: 100-continue"),
    "curl, no Expect": lambda url, body, folder: with_curl(url, body, folder, "-H", "Expect:"),
    "Node fetch": lambda url, body, folder: with_node(NODE_FETCH, url, body),
    "Node http, Expect": lambda url, body, folder: with_node(NODE_HTTP, url, body),
    "boto3": lambda url, body, folder: with_boto3(url, body),
}
_PROGRAMS = {"curl": "curl", "Node": "node"}


def missing(name):
    """The program that a client needs and that is not here; empty when it is."""
    program = _PROGRAMS.get(name.replace(",", " ").split()[0])
    return program if program and shutil.which(program) is None else ""
