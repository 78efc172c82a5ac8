"""Twelve small clients of an object store, each with a real-life bug, and repaired.

Each empties its store, and asserts what must hold whatever the network and the service do.
"""

import contextlib
import io
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from urllib.request import urlopen

import httpx

from faultinject import WSGIFaultMiddleware

from .service import served
from .store import Store

ATTEMPTS = 3
PASSING = {"RequestTimeout", "OperationAborted"}
PATIENCE = 1
"""Seconds after which the client over a socket gives up."""
PARTS = [bytes([ord("a") + number]) * 20 for number in range(5)]
DATA = b"".join(PARTS)


class StorageError(Exception):
    """The client gives up."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Client:
    """Requests that are tried three times."""

    def __init__(self):
        self.store = Store()
        app = WSGIFaultMiddleware(self.store, [])
        self.http = httpx.Client(transport=httpx.WSGITransport(app), base_url="http://store")
        self.open = contextlib.ExitStack()
        self.port = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.open.close()

    def live(self):
        """The address of a server in front of the store."""
        self.port = self.port or self.open.enter_context(served(self.store))
        return f"http://127.0.0.1:{self.port}"

    def send(self, method, path, data=None, headers=None):
        """One attempt: the body, or the code of the error."""
        try:
            answer = self.http.request(method, path, content=data, headers=headers)
        except httpx.TransportError:
            return None, "NetworkError"
        found = re.search(r"<Code>(.+?)</Code>", answer.text)
        code = found[1] if found else None
        if answer.status_code >= 400:
            return None, code or str(answer.status_code)
        return answer, code

    def call(self, method, path, data=None, headers=None, *, body_counts=True):
        """As many attempts as it takes, for what may pass."""
        code = ""
        for _ in range(ATTEMPTS):
            answer, code = self.send(method, path, data() if callable(data) else data, headers)
            if answer is not None and (code is None or not body_counts):
                return answer.content
            if answer is None and not self.may_pass(code):
                break
        raise StorageError(code)

    def may_pass(self, code):
        return (
            code in PASSING
            or code in {"NetworkError", "InternalError", "SlowDown", "ServiceUnavailable"}
            or (code.startswith("5"))
        )


def start(client, path):
    return re.search(r"<UploadId>(.+?)<", client.call("POST", f"{path}?uploads").decode())[1]


def complete(client, path, upload, size):
    """Complete an upload; a missing one was perhaps completed by an attempt with a lost answer."""
    try:
        client.call("POST", f"{path}?uploadId={upload}")
    except StorageError as error:
        if error.code != "NoSuchUpload" or len(client.call("GET", path)) != size:
            raise


def rewind(client, right):
    """A part's file is not rewound before the next attempt."""
    upload = start(client, "/b/big")
    for number, part in enumerate(PARTS, 1):
        file = io.BytesIO(part)

        def body(file=file):
            if right:
                file.seek(0)
            return file.read()

        client.call("PUT", f"/b/big?partNumber={number}&uploadId={upload}", body)
    complete(client, "/b/big", upload, len(DATA))
    assert client.store.objects["/b/big"] == DATA


def copy(client, right):
    """An error in an answer with status 200 is taken for success."""
    client.call("PUT", "/b/from", DATA)
    client.call("PUT", "/b/to", headers={"x-cos-copy-source": "/b/from"}, body_counts=right)
    assert client.store.objects.get("/b/to") == DATA


def move(client, right):
    """Complete's answer is lost, a retry finds no upload, and the clean-up deletes all copies."""
    local = {"data": DATA}
    try:
        upload = start(client, "/b/moved")
        for number, part in enumerate(PARTS, 1):
            client.call("PUT", f"/b/moved?partNumber={number}&uploadId={upload}", part)
        if right:
            complete(client, "/b/moved", upload, len(DATA))
            del local["data"]
        else:
            del local["data"]
            try:
                client.call("POST", f"/b/moved?uploadId={upload}")
            except StorageError:
                client.call("DELETE", "/b/moved")
                raise
    except StorageError:
        pass  # giving up is fine, losing data is not
    assert "data" in local or client.store.objects.get("/b/moved") == DATA, "the data is nowhere"


def listing(client, right):
    """A listing that fails begins again at its first page, and keeps what it had."""
    client.store.objects.update({f"/b/{name}": b"" for name in "abcde"})
    names, marker, failures = [], "", 0
    while marker is not None:
        page, code = client.send("GET", f"/b?prefix=&marker={marker}" if marker else "/b?prefix=")
        if page is None:
            failures += 1
            if failures == ATTEMPTS:
                raise StorageError(code)
            marker = marker if right else ""
            continue
        names += re.findall(r"<Key>(.+?)<", page.text)
        more = re.search(r"<Next>(.+?)<", page.text)
        marker = more and more[1]
    assert names == [f"/b/{name}" for name in "abcde"]


def append(client, right):
    """Data whose answer was lost is appended again."""
    for number in range(3):
        line = b"line %d\n" % number
        place = f"/b/log?append&position={7 * number}" if right else "/b/log?append"
        try:
            client.call("POST", place, line)
        except StorageError as error:
            if error.code != "PositionNotEqualToLength" or not client.call("GET", "/b/log").endswith(line):
                raise
    assert client.store.objects["/b/log"] == b"line 0\nline 1\nline 2\n"


def third(client, right):
    """One of five requests is made by code that gives up on 503."""
    for number in range(1, 6):
        method = "GET" if number > 3 else "PUT"
        if number == 3 and not right:
            answer, code = client.send(method, "/b/3", DATA)
            assert code not in ("SlowDown", "ServiceUnavailable"), "gave up"
            if answer is not None:
                continue
        client.call(method, f"/b/{number if number < 4 else number - 3}", None if number > 3 else DATA)


def budget(client, right):
    """One retry for the whole job, where each request needs its own."""
    left = 1
    for number in range(6):
        for attempt in range(ATTEMPTS):
            answer, code = client.send("PUT", f"/b/{number}", DATA)
            if answer is not None:
                break
            if not right:
                left -= 1
            if left < 0 or attempt == ATTEMPTS - 1 or not client.may_pass(code):
                raise StorageError(code)
    assert len(client.store.objects) == 6


def threads(client, right):
    """Four threads send parts; the one of part 3 can be read only once."""
    upload = start(client, "/b/big")
    parts = [bytes([ord("a") + number]) * 20 for number in range(10)]

    def send(number):
        data = io.BytesIO(parts[number])
        body = data.read if number == 2 and not right else data.getvalue
        client.call("PUT", f"/b/big?partNumber={number + 1}&uploadId={upload}", body)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(len(parts))))
    complete(client, "/b/big", upload, 200)
    assert client.store.objects["/b/big"] == b"".join(parts)


def overwrite(client, right):
    """Ten bodies go to one place, and a failure of the fifth is swallowed."""
    bodies = [b"state %d" % number for number in range(10)]
    for number, body in enumerate(bodies):
        if number == 4 and not right:
            client.send("PUT", "/b/state", body)
        else:
            client.call("PUT", "/b/state", body)
    assert list(dict.fromkeys(client.store.written)) == bodies


def queue(client, right):
    """A GET takes a message from a queue; a lost answer and its retry lose the message."""
    client.store.messages = [b"one", b"two", b"three"]
    done = []
    while message := client.call("GET", f"/b/queue?{'peek' if right else 'pop'}"):
        done.append(message)
        if right:
            client.call("DELETE", f"/b/queue?message={message.decode()}")
    assert done == [b"one", b"two", b"three"]


def short(client, right):
    """A connection that ends in the middle of a download is taken for its end."""
    client.store.objects["/b/film"] = DATA
    file = io.BytesIO()
    for _ in range(ATTEMPTS):
        file = io.BytesIO()
        try:
            with urlopen(f"{client.live()}/b/film", timeout=PATIENCE) as answer:
                shutil.copyfileobj(answer, file)
                if right and file.tell() != int(answer.headers["Content-Length"]):
                    continue
            break
        except (OSError, HTTPException):
            continue
    assert file.getvalue() == DATA


def late(client, right):
    """A read that takes too long is taken for one of nothing, and what is there is overwritten."""
    client.store.objects["/b/state"] = DATA
    found = None
    for _ in range(ATTEMPTS):
        try:
            answer = client.http.get("/b/state")
        except httpx.TimeoutException:
            if right:
                continue
            break
        except httpx.TransportError:
            continue
        if answer.status_code == 200:
            found = answer.content
            break
    if found is None:
        client.call("PUT", "/b/state", b"the first state")
    assert client.store.objects["/b/state"] == DATA


def from_an_empty_store(job):
    def run(client, right):
        client.store.clear()
        job(client, right)

    return run


CLIENTS = {
    each.__name__: from_an_empty_store(each)
    for each in (
        *(rewind, copy, move, listing, append, third, budget, threads),
        *(overwrite, queue, short, late),
    )
}
