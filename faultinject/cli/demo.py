"""`faultinject demo`: a real SDK gets documented errors from the embedded store."""

from __future__ import annotations

import logging
import threading
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from itertools import count
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from faultinject.adapters.asgi import wrap
from faultinject.audit.judging import judge
from faultinject.cli import layout, listening, verdict
from faultinject.cli import rules as reading
from faultinject.cli.progress import Progress
from faultinject.exceptions import MissingExtraError
from faultinject.injector.injector import OwnInjector
from faultinject.journal.call_window import CallWindow
from faultinject.journal.outcome import Outcome
from faultinject.journal.reading import of_outcomes
from faultinject.server.connections import Server

if TYPE_CHECKING:
    from faultinject.store import ObjectStore

BUCKET = "demo-1250000000"
REGION = "ap-guangzhou"
PERFORM: dict[str, Callable[[Any, str], object]] = {
    "PutObject": lambda client, key: client.put_object(BUCKET, b"a new photo", key),
    "GetObject": lambda client, key: client.get_object(BUCKET, key)["Body"].get_raw_stream().read(),
    "HeadObject": lambda client, key: client.head_object(BUCKET, key),
    "CopyObject": lambda client, key: client.copy_object(
        BUCKET, key, {"Bucket": BUCKET, "Key": "source.jpg", "Region": REGION}
    ),
    "DeleteObject": lambda client, key: client.delete_object(BUCKET, key),
}
"""One call of the SDK for each operation."""
OPERATIONS = tuple(PERFORM)
WORKERS = 12
BEGIN_FOR = 10.0
"""Seconds after which no more calls begin: the SDK may wait 1 + 2 + 3 s in each."""
END_AFTER = 17.0
"""Seconds after which the demo ends, also if calls are still running."""


def load_sdk() -> Any:
    """The module of the SDK, without its log and without the warnings of its source.

    Raises:
        MissingExtraError: it is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import qcloud_cos
            import requests  # noqa: F401 - the SDK's own
        except ImportError:
            raise MissingExtraError(
                'demo needs the SDK of Tencent COS: pip install "faultinject[demo]"'
            ) from None
    for name in ("qcloud_cos", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return qcloud_cos


def key_of(number: int) -> str:
    """The key of a call, by which its attempts are found."""
    return f"{number:03}.jpg"


def filled_store(calls: int) -> ObjectStore:
    """A store with the bucket, and the objects that the calls read and delete."""
    from faultinject.store import ObjectStore

    creating = ("PutObject", "CopyObject")
    keys = [key_of(number) for number in range(calls) if OPERATIONS[number % len(OPERATIONS)] not in creating]
    store = ObjectStore("cos")
    store.fill(BUCKET, objects=["source.jpg", *keys], uploads=(), content=b"a photo")
    return store


class Workload:
    """A number of calls, made by several threads.

    Args:
        sdk: the SDK's module.
        port: the server's port on loopback.
        calls: the number of calls.

    Attributes:
        windows: the calls that have begun.
    """

    def __init__(self, sdk: Any, port: int, calls: int) -> None:
        self.windows: list[CallWindow] = []
        self._sdk = sdk
        self._port = port
        self._calls = calls
        self._numbers = count()
        self._workers = [threading.Thread(target=self._work, daemon=True) for _ in range(WORKERS)]
        self._began = 0.0

    def start(self) -> None:
        """Start the threads."""
        self._began = time.monotonic()
        for worker in self._workers:
            worker.start()

    @property
    def over(self) -> bool:
        """Whether every call has ended, or the time is over."""
        if time.monotonic() - self._began > END_AFTER:
            return True
        return not any(worker.is_alive() for worker in self._workers)

    @property
    def done(self) -> int:
        """The number of calls that have ended."""
        return sum(window.ended is not None for window in self.windows)

    def _work(self) -> None:
        from requests import Session

        from faultinject.store.stores import find

        config = self._sdk.CosConfig(**find("cos").arguments("127.0.0.1", self._port), Timeout=5)
        with Session() as session:
            session.trust_env = False  # the environment may name a proxy, which does not reach loopback
            client = self._sdk.CosS3Client(config, session=session)
            for number in self._numbers:
                if number >= self._calls or time.monotonic() - self._began >= BEGIN_FOR:
                    return
                operation, key = OPERATIONS[number % len(OPERATIONS)], key_of(number)
                window = CallWindow(operation, time.monotonic(), None, key=key)
                self.windows.append(window)
                try:
                    PERFORM[operation](client, key)
                except (
                    Exception
                ):  # the errors of the SDK, of urllib3 for a body, and any when the server ends
                    window.returned = False
                else:
                    window.returned = True
                window.ended = time.monotonic()


DEMO_RULES = f"""
    cos:ServiceUnavailable,{",".join(f"key={key_of(number)}" for number in range(11, 100, 21))}
    cos:@server,method=PUT,method=POST,method=DELETE,probability=0.21
    cos:OperationAborted,method=PUT,method=POST,method=DELETE,probability=0.056962
    cos:RequestTimeout,method=PUT,method=POST,method=DELETE,probability=0.060403
    cos:@server,method=GET,method=HEAD,probability=0.21
    cos:RequestTimeout,method=GET,method=HEAD,probability=0.113924
"""
"""A few calls that no retry can save, and errors in 30 % of all attempts.

The failed calls are spread over the operations, so that a check that needs failed calls has enough of them. 70 % of
the errors are server errors, which the SDK retries; the others are client errors, which COS documents as retryable
and the SDK does not retry. COS documents OperationAborted only for writes. The probability of a later rule counts
the attempts that no earlier rule has answered.
"""

ROWS = 10
"""The most attempts that are shown without --verbose."""

NEXT = "conformance --client cos"


def demo(*, seed: str | None, calls: int, verbose: bool) -> int:
    """Play the demo, and return 0."""
    context = click.get_current_context()
    sdk = load_sdk()
    from faultinject.store.asgi import asgi, beneath

    reading.refuse_switched_off()
    injector = OwnInjector(DEMO_RULES, seed=seed, environ={}, record_all=True)
    listening.handle_signals()
    store = filled_store(calls)
    app = beneath(wrap(asgi(store), injector), store)
    server = Server(app, sock=listening.listen("127.0.0.1", 0))
    server.start()
    workload = Workload(sdk, server.port, calls)
    attempts = AttemptRows()
    injector.journal.follow(attempts.add_outcome)

    click.echo(
        f"cos-python-sdk-v5 {version('cos-python-sdk-v5')} against the embedded object store on {server.url}"
    )
    click.echo(f"{calls} calls, 30 % documented errors of Tencent COS, seed {injector.seed}\n")
    click.echo(_row("attempt", "operation", "key", "waited", "injected"))
    most = None if verbose else ROWS
    shown, over = 0, False
    try:
        workload.start()
        with Progress(lambda: f"{workload.done} of {calls} calls done", quiet=verbose) as progress:
            while not over:
                time.sleep(0.05)
                over = workload.over
                for row in attempts.rows[shown:most]:
                    click.echo(row)
                    shown += 1
                if shown == most:
                    progress.show()
    finally:
        server.stop()
    if more := len(attempts.rows) - shown:
        click.echo(f"({more} more attempts: -v shows all)")
    click.echo("\nThe report on the SDK; every error was injected on purpose:\n")
    recorded = of_outcomes(injector.journal.outcomes)
    judgement = judge(recorded, driven=True, windows=workload.windows, until=time.monotonic())
    verdict.show(judgement, verbose=verbose)
    click.echo(f"\nNext, every check:  faultinject {NEXT}")
    context.params["seed"] = injector.seed
    context.set_parameter_source("seed", ParameterSource.COMMANDLINE)
    click.echo(f"The same again:     faultinject {layout.command_again(context)}")
    return 0


class AttemptRows:
    """The attempts of each call with a fault, as rows of a table.

    Attributes:
        rows: the rows, in the order of the answers.
    """

    def __init__(self) -> None:
        self.rows: list[str] = []
        self._hit: dict[str, tuple[int, float]] = {}

    def add_outcome(self, outcome: Outcome) -> None:
        """Add a row for an outcome of the journal.

        Each call has its own key, and makes one request at a time.
        """
        key = outcome.key or ""
        if outcome.final or not (outcome.injected or key in self._hit):
            return
        number, before = self._hit.get(key, (0, 0.0))
        self._hit[key] = number + 1, outcome.arrived
        waited = f"{outcome.arrived - before:.1f} s" if number else "-"
        code = (outcome.fault or "").partition(":")[2]
        injected = f"{outcome.status} {code}" if outcome.injected else "-"
        self.rows.append(_row(str(number + 1), outcome.operation or "", key, waited, injected))


def _row(*cells: str) -> str:
    return layout.in_columns(cells, (7, 12, 7, 6, 0))
