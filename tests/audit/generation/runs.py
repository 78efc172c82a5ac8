"""Run a generated client against the engine in virtual time: a journal and its deeds.

The client keeps its own record of its deeds, by what it knows of itself. The audit does not see it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from itertools import count, cycle
from math import inf
from random import Random

from faultinject import ASGIFaultMiddleware, Injector, Outcome
from faultinject.journal.call_window import CallWindow
from tests.virtual_time import Time

from .clients import PASSING, Client, Phase

CALIBRATION = Phase("quick", "", ("GET",), 26)
"""Calls before all others, one after the other: they show how fast the client is."""
BODY = b"what the client writes " * 40
CONTENT = b"what the store has " * 200
TOLD_NO_MORE = 600.0
"""Seconds after the last request at which a journal is read."""


@dataclass(frozen=True)
class Answer:
    """The answer to one request of a client.

    Attributes:
        status: None: no whole answer.
        kind: `fine`, `throttle`, `server`, `transport`, `timeout`, `refused`, `hidden`, or `open` (without a request).
        headers: by their names in lower case.
        body: as far as it came.
        kept: whether its connection had been kept alive.
    """

    status: int | None
    kind: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    kept: bool = False


@dataclass
class Call:
    """A caller's call.

    Attributes:
        phase: of which phase it is.
        method: what it does.
        path: with which object.
        began: when.
        key: the Idempotency-Key of a POST; empty: none.
        lost: whether an answer to it was lost.
        attempts: how many requests were made for it.
        part: what has come of the object, where a download was cut.
        version: the version of that.
    """

    phase: Phase
    method: str
    path: str
    began: float
    key: str = ""
    lost: bool = False
    attempts: int = 0
    part: bytes = b""
    version: str = ""


@dataclass
class Run:
    """The result of a run.

    Attributes:
        outcomes: the journal.
        windows: what a test said of its calls; none where it named none.
        deeds: what the client did wrong, and how often.
        began: when it began, on the journal's clock.
        ended: when it ended.
    """

    outcomes: list[Outcome]
    windows: list[CallWindow]
    deeds: Counter[str]
    began: float
    ended: float


class Store:
    """The app: objects by path, each with a version."""

    def __init__(self, draw: Random, now: Callable[[], float]) -> None:
        self._draw, self._now = draw, now
        self._objects: dict[str, tuple[bytes, int]] = {}
        self._asked: dict[str, float] = {}

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        """Answer a request."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await asyncio.sleep(self._draw.uniform(0.001, 0.003))
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status, version, content = self._answer(scope["method"], scope["path"], headers, body)
        answered = [(b"content-length", str(len(content)).encode()), (b"etag", f'"{version}"'.encode())]
        await send({"type": "http.response.start", "status": status, "headers": answered})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})

    def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, int, bytes]:
        known = self._objects.get(path)
        if path.startswith("/bucket/waited-for"):
            known = (CONTENT, 1) if self._now() - self._asked.setdefault(path, self._now()) > 3 else None
        elif method in ("GET", "HEAD") and known is None:
            known = (CONTENT, 1)
        if method == "PUT":
            if known is not None and "if-none-match" in headers:
                return 412, known[1], b"there already"
            self._objects[path] = body, 1
            return 200, 1, b""
        if method == "POST":
            return 201, 1, b"made"
        if method == "DELETE":
            gone, self._objects[path] = path in self._asked, (b"", 0)
            self._asked[path] = self._now()
            return (404 if gone else 204), 0, b""
        if known is None:
            return 404, 0, b"not there"
        content, version = known
        if path.startswith("/bucket/replaced") and version == 1:
            self._objects[path] = content.swapcase(), 2  # another writer is at work
        if "range" in headers and headers.get("if-range", f'"{version}"') == f'"{version}"':
            begin = int(headers["range"].removeprefix("bytes=").removesuffix("-"))
            return 206, version, content[begin:]
        return 200, version, content


class Simulated:
    """A client at work.

    Args:
        client: its description.
        time: the clock of all.
    """

    def __init__(self, client: Client, time: Time) -> None:
        self.client = client
        self.deeds: Counter[str] = Counter()
        self.windows: list[CallWindow] = []
        self._draw = Random(client.seed)
        self._now = time.monotonic
        self._unix = time.unix
        self.injector = Injector(
            client.rules, seed=client.seed, clock=time.unix, waits=time, environ={}, record_all=True
        )
        self._app = ASGIFaultMiddleware(Store(Random(client.seed), self._now), injector=self.injector)
        self._budget = client.budget
        self._failures, self._open_until = 0, -inf
        self._ids = count(1)
        self._free: list[int] = []
        self._ports = count(40_001)
        self._token = 1
        self._losers: set[asyncio.Task] = set()

    async def run(self) -> None:
        """Make all calls."""
        for number in range(CALIBRATION.calls):
            await self._exchange("GET", f"/bucket/quick-{number}", {}, b"")
        for phase in self.client.phases:
            await asyncio.sleep(5)
            await self._phase(phase)
        for each in self._losers:
            each.cancel()

    async def _phase(self, phase: Phase) -> None:
        asked = list(zip(range(phase.calls), cycle(phase.methods), strict=False))
        if self.client.workers == 0:
            async with asyncio.TaskGroup() as tasks:
                for number, method in asked:
                    tasks.create_task(self._caller(phase, number, method))
                    await asyncio.sleep(phase.apart)
            return
        left = iter(asked)

        async def worker() -> None:
            for number, method in left:
                await self._caller(phase, number, method)

        await asyncio.gather(*(worker() for _ in range(self.client.workers)))

    # What callers do

    async def _caller(self, phase: Phase, number: int, method: str) -> None:
        """Ask for one thing, and again after an error, if they do."""
        times, after = self.client.asks_again
        for turn in range(1 + times):
            call = Call(phase, method, f"/bucket/{phase.name}-{number}", self._now())
            work = self._poll if phase.name == "waited-for" else self._layered
            answer = await work(call)
            told = answer.kind == "fine" or not self.client.honest
            # That nothing is there is an answer, too.
            if told and answer.kind != "fine" and answer.status != 404:
                self.deeds["swallows errors"] += 1
            if self.client.told:
                error = None if told else f"{answer.kind.title()}Error: {answer.status}"
                self.windows.append(CallWindow(phase.name, call.began, self._now(), told, error))
            if told or turn == times:
                return
            await asyncio.sleep(after * self._draw.uniform(0.9, 1.1))

    async def _poll(self, call: Call) -> Answer:
        """Wait until an object is there."""
        for _ in range(8):
            answer = await self._send(call, 1, "poll")
            if answer.kind == "fine":
                break
            await asyncio.sleep(self._draw.uniform(0.8, 1.2))
        return answer

    # How the client goes about it

    async def _layered(self, call: Call) -> Answer:
        """Both layers."""
        client = self.client
        for turn in range(1, client.outer + 1):
            answer, attempts = await self._call(call)
            if answer.kind not in client.outer_kinds or turn == client.outer or not self._may_repeat(call):
                break
            if attempts > 1:
                self.deeds["two layers"] += 1
            wait = self._wait(turn)
            self._note_retry(call, answer, turn, wait)
            await asyncio.sleep(wait)
        if answer.headers.get("retry-after") == "soon" and not client.reads_junk:
            self.deeds["stumbles over Retry-After"] += 1
        return answer

    async def _call(self, call: Call) -> tuple[Answer, int]:
        """One layer's attempts until success or giving up; returns the answer and their number."""
        client, id_ = self.client, f"{self.client.number:08x}-{next(self._ids)}"
        renewed = False
        for attempt in count(1):
            if self._open_until > self._now():
                if client.closes == inf:
                    self.deeds["breaker stays open"] += 1
                return Answer(None, "open"), attempt
            answer = await self._send(call, attempt, id_)
            self._learn(answer)
            call.lost |= answer.kind in ("transport", "timeout")
            if answer.kind == "fine":
                return answer, attempt
            if answer.status == 412 and call.lost:
                return await self._after_refusal(call, answer), attempt
            if answer.status == 404 and call.method == "DELETE" and call.lost:
                return Answer(404, "fine"), attempt
            if answer.status == 401 and client.token != "ends":
                if renewed:
                    return answer, attempt
                renewed = True
                self._renew(call)
                continue
            if (wait := self._next_wait(call, answer, attempt)) is None:
                return answer, attempt
            await asyncio.sleep(wait)
        raise AssertionError

    def _next_wait(self, call: Call, answer: Answer, attempt: int) -> float | None:
        """The wait before the next attempt, seconds; None: there is none."""
        client = self.client
        hint, form = self._hint(answer)
        if form == "unreadable" and not client.reads_junk:
            self.deeds["stumbles over Retry-After"] += 0  # a second layer may repeat the call
            return None
        if answer.kind not in client.retried or not self._may_repeat(call) or attempt >= client.attempts:
            self._note_end(call, answer, attempt)
            return None
        wait = self._wait(attempt)
        if hint is not None and form in client.hints:
            wait = max(wait, hint)
        if self._now() + wait - call.began > client.deadline:
            return None
        if self._budget < 1:
            if not client.refills:
                self.deeds["budget is not refilled"] += 1
            return None
        self._budget -= 1
        self._note_retry(call, answer, attempt, wait)
        return wait

    def _may_repeat(self, call: Call) -> bool:
        if call.method == "POST":
            return call.lost and self.client.after_lost_post != "ends"
        return call.method in self.client.methods

    def _wait(self, retry: int) -> float:
        """Its own wait before a retry."""
        client = self.client
        if client.shape == "none":
            return 0.0
        factor = {"constant": 1, "linear": retry, "exponential": 2.0 ** (retry - 1)}[client.shape]
        least = {"none": 1.0, "full": 0.0, "equal": 0.5, "quarter": 0.75}[client.jitter]
        return min(client.base * factor, client.cap) * self._draw.uniform(least, 1.0)

    def _hint(self, answer: Answer) -> tuple[float | None, str]:
        """The wait that an answer asks for, and its form."""
        text = answer.headers.get("retry-after", "")
        if not text:
            return None, ""
        if text.isdecimal():
            return float(text), "seconds"
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - self._unix()), "date"
        except ValueError:
            return None, "unreadable"

    def _learn(self, answer: Answer) -> None:
        """Update budget and breaker by an answer."""
        client = self.client
        if answer.kind in ("fine", "refused", "hidden"):
            self._failures = 0
            if client.refills and answer.kind == "fine":
                self._budget = min(client.budget, self._budget + 1)
            return
        self._failures += 1
        if client.breaker and self._failures >= client.breaker:
            self._open_until = self._now() + client.closes

    def _renew(self, call: Call) -> None:
        if self.client.token == "repeats":
            self.deeds["repeats the token"] += 1
            return
        self._token += 1
        if self.client.token == "loses body" and call.method == "PUT":
            self.deeds["loses the body with the token"] += 1

    async def _after_refusal(self, call: Call, answer: Answer) -> Answer:
        """The client's reaction to a 412 that its own write may have caused."""
        does = self.client.after_refusal
        if does == "looks":
            found = await self._exchange("GET", call.path, {}, b"")
            return found if found.body == BODY else answer
        deed = {
            "conflict": "takes its own write for a conflict",
            "success": "takes a conflict for its own write",
            "removes": "undoes its own write",
        }[does]
        self.deeds[deed] += 1
        if does == "removes":
            await self._exchange("DELETE", call.path, {}, b"")
        return Answer(200, "fine") if does == "success" else answer

    # What it notes of itself

    def _note_end(self, call: Call, answer: Answer, attempt: int) -> None:
        """It makes no further attempt, and neither deadline nor budget is why.

        An error in a 200 may be reported instead.
        """
        client = self.client
        retried_above = client.outer > 1 and answer.kind in client.outer_kinds and self._may_repeat(call)
        failed = answer.kind in PASSING and answer.status != 200
        if attempt == 1 and call.method != "POST" and failed and not retried_above:
            self.deeds["does not retry"] += 1

    def _note_retry(self, call: Call, answer: Answer, attempt: int, wait: float) -> None:
        """It makes another attempt after this wait."""
        client, deeds = self.client, self.deeds
        hint, form = self._hint(answer)
        if answer.kind == "refused":
            deeds["retries refusals"] += 1
        if call.attempts >= 20:  # the one behind this wait is one more
            deeds["never gives up"] += 1
        if hint is not None:
            if wait < hint - 0.05:
                deeds[f"ignores Retry-After in {form}"] += 1
            return
        if attempt >= 2 and client.shape == "none":
            deeds["does not wait"] += 1
        if client.jitter == "none" and wait >= 0.1:
            deeds["has no jitter"] += 1
        if client.shape == "constant" and attempt >= 2:
            deeds["waits are constant"] += 1
        if call.phase.name == "outage" and client.budget == inf and not client.breaker:
            deeds["has no budget"] += 1

    # What it sends

    async def _send(self, call: Call, attempt: int, id_: str) -> Answer:
        """One attempt, as the client makes it, with what its transport adds."""
        client = self.client
        headers = {"authorization": f"Bearer token-{self._token}"}
        if client.ids == "invocation":
            headers |= {
                "amz-sdk-invocation-id": id_,
                "amz-sdk-request": f"attempt={attempt}; max={client.attempts}",
            }
        elif client.ids == "new id":
            headers["amz-sdk-invocation-id"] = f"{id_}-{attempt}"
        elif client.ids == "retry mark" and attempt > 1:
            headers["x-cos-sdk-retry"] = "true"
        if client.conditional and call.method == "PUT":
            headers["if-none-match"] = "*"
        if call.method == "POST":
            self._key(call, headers)
        if call.part:
            self._resume(call, headers)
        body = self._body(call, attempt)
        call.attempts += 1
        answer = await self._copied(call, headers, body)
        if answer.kind == "hidden":
            if not client.reads_errors:
                self.deeds["takes errors for success"] += 1
                return Answer(200, "fine")
            answer = Answer(200, "server", answer.headers)
        if call.method == "GET" and answer.kind == "transport" and answer.body and client.resumes != "anew":
            call.part, call.version = call.part + answer.body, answer.headers["etag"]
        return answer

    def _body(self, call: Call, attempt: int) -> bytes:
        if call.method not in ("PUT", "POST"):
            return b""
        if attempt > 1:
            if self.client.token == "loses body" and call.phase.name == "expired":
                return b""
            if self.client.body != "same":
                self.deeds["body is not rewound"] += 1
                return b"" if self.client.body == "nothing" else BODY[400:]
        return BODY

    def _key(self, call: Call, headers: dict[str, str]) -> None:
        does = self.client.after_lost_post
        if call.lost and does in ("repeats", "other key"):
            self.deeds["repeats lost POSTs"] += 1
        if does == "same key":
            call.key = call.key or f"{self._draw.getrandbits(64):016x}"
        elif does == "other key":
            call.key = f"{self._draw.getrandbits(64):016x}"
        if call.key:
            headers["idempotency-key"] = call.key

    def _resume(self, call: Call, headers: dict[str, str]) -> None:
        headers["range"] = f"bytes={len(call.part)}-"
        if self.client.resumes == "if-range":
            headers["if-range"] = call.version
        elif call.phase.name == "replaced":
            self.deeds["mixes versions"] += 1

    async def _copied(self, call: Call, headers: dict[str, str], body: bytes) -> Answer:
        """One request, or a copy more where its answer takes long, or its connection was lost."""
        client = self.client

        def ask() -> asyncio.Task[Answer]:
            return asyncio.ensure_future(self._exchange(call.method, call.path, headers, body))

        first = ask()
        if client.hedge and call.method in client.hedges:
            await asyncio.wait([first], timeout=client.hedge + 2 * client.overhead)
            if not first.done():
                slow = call.phase.name == "slow"
                if call.method not in ("GET", "HEAD") and slow:
                    self.deeds["copies writes"] += 1
                elif client.hedge < 0.01 and slow:
                    self.deeds["copies at once"] += 1
                second = ask()
                done, others = await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
                self._losers |= others
                return done.pop().result()
        answer = await first
        if answer.kind == "timeout" and client.patience < 1:
            self.deeds["is impatient"] += 1
        if (
            client.resends
            and answer.kept
            and answer.kind == "transport"
            and not answer.body
            and self._may_repeat(call)
            and call.method != "POST"
        ):
            call.lost = True
            answer = await ask()
        return answer

    async def _exchange(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """One request over one connection."""
        await asyncio.sleep(self.client.overhead * self._draw.uniform(0.8, 1.5))
        kept = bool(self._free)
        port = self._free.pop() if kept else next(self._ports)
        exchange = Exchange(method, path, headers, body, port)
        work = asyncio.ensure_future(exchange.through(self._app))
        done, _ = await asyncio.wait([work], timeout=self.client.patience)
        if not done:
            exchange.gone.set()
            self._losers.add(work)
            return Answer(None, "timeout")
        answer = work.result()
        await asyncio.sleep(self.client.overhead * self._draw.uniform(0.1, 0.3))
        if answer.kind != "transport":
            self._free.append(port)
        return replace(answer, kept=kept)


class Exchange:
    """One request through an app, as a server would hand it on."""

    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes, port: int) -> None:
        length = {"content-length": str(len(body))} if method in ("PUT", "POST") else {}
        sent = {"host": "127.0.0.1", "user-agent": "acme/1.0", **headers, **length}
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "client": ("127.0.0.1", port),
            "server": ("127.0.0.1", 80),
        }
        self._body: bytes | None = body
        self._status = 0
        self._headers: dict[str, str] = {}
        self._came = b""
        self.gone = asyncio.Event()
        """Set when the client does not wait any more."""

    async def through(self, app: Callable[..., Awaitable[None]]) -> Answer:
        """The result of the request."""
        try:
            await app(self._scope, self._receive, self._send)
        except OSError:
            return Answer(None, "transport", self._headers, self._came)
        return Answer(self._status, self._kind(), self._headers, self._came)

    def _kind(self) -> str:
        if self._status in (429, 503):
            return "throttle"
        if self._status >= 400:
            return "server" if self._status >= 500 else "refused"
        return "hidden" if b"<Error" in self._came else "fine"

    async def _receive(self) -> dict:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            self._came += message.get("body", b"")


def run(client: Client) -> Run:
    """Let a client run, in virtual time."""
    time = Time()
    simulated = Simulated(client, time)
    time.run(simulated.run)
    return Run(
        outcomes=list(simulated.injector.journal.outcomes),
        windows=simulated.windows,
        deeds=simulated.deeds,
        began=0.0,
        ended=time.now,
    )
