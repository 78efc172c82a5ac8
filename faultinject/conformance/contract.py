"""Runs clients in threads of this process, and serves one by the contract of `process`."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from inspect import signature
from pkgutil import resolve_name
from threading import Lock, Thread
from typing import Any, TextIO

from faultinject.conformance import plan
from faultinject.conformance.plan import PlannedCall
from faultinject.exceptions import ConfigurationError
from faultinject.journal.call_window import text_of
from faultinject.server.user_code import load

# Takes an endpoint and a bucket; returns an object with `close` and some of the methods `put`, `get`, `post` and
# `complete`, each of which takes a key; `complete` may also take `etag`.
Factory = Callable[[str, str], Any]
# Takes the key of a call that has ended, whether it succeeded, and the text of its error.
Tell = Callable[[str, bool, str | None], None]


class InThreads:
    """Makes each call in a thread of this process.

    Args:
        factory: makes a client; called once for each phase, as clients keep retry budgets.
        endpoint: the server's URL, without a bucket.
        bucket: the bucket of the keys.
        names: the phases.
        tell: called in the call's thread after its end.
    """

    def __init__(
        self, factory: Factory, endpoint: str, bucket: str, names: Sequence[str], tell: Tell
    ) -> None:
        self._clients = {name: factory(endpoint, bucket) for name in names}
        self._tell = tell
        self.kinds = tuple(
            kind for kind in plan.KINDS if all(hasattr(client, kind) for client in self._clients.values())
        )
        self.title: str | None = getattr(factory, "title", None)
        self.failure = ""
        self.stderr = ""

    def start(self, call: PlannedCall) -> None:
        """Begin a call."""
        Thread(target=self._do, args=(call,), daemon=True).start()

    def close(self) -> None:
        """Close the clients; calls that are running go on."""
        for client in self._clients.values():
            close = getattr(client, "close", None)
            if close is not None:
                close()

    def _do(self, call: PlannedCall) -> None:
        try:
            make_call = getattr(self._clients[call.phase], call.kind)
            takes_etag = call.kind == "complete" and "etag" in signature(make_call).parameters
            make_call(call.key, **({"etag": plan.ETAG} if takes_etag else {}))
        except Exception as error:
            self._tell(call.key, False, text_of(error, str(error)))
        else:
            self._tell(call.key, True, None)


DRIVERS = f"{__package__}.drivers."
"""The beginning of the addresses of the package's own factories."""


def main() -> None:
    """Serve the factory of the first argument until the input ends.

    The argument is an address such as `shop.storage:Client`. A user's own factory is also found in the current
    folder, and keeps its logs and the user's settings.
    """
    address = sys.argv[1]
    answers, sys.stdout = sys.stdout, sys.stderr  # what an SDK prints must not become a line of the contract
    if address.startswith(DRIVERS):
        forget_aws_settings()
        logging.disable()  # the SDKs log each of hundreds of failures
        warnings.simplefilter("ignore")  # their source may cause warnings
        serve(resolve_name(address), sys.stdin, answers)
        return
    try:
        factory = load(address)
        if not callable(factory):
            raise ConfigurationError(f"{address} is no factory: it is of type {type(factory).__name__}")
    except ConfigurationError as error:
        answers.write(json.dumps({"ready": False, "error": str(error)}) + "\n")
    else:
        serve(factory, sys.stdin, answers)


def forget_aws_settings() -> None:
    """Remove the user's AWS settings from the environment.

    Settings such as AWS_MAX_ATTEMPTS would hide the client's own behaviour. The variables that
    `CONFORMANCE_SETTINGS` lists stay: the cases of a specification set them.
    """
    variables = os.environ.get("CONFORMANCE_SETTINGS", "").split()
    for name in [name for name in os.environ if name.startswith("AWS_") and name not in variables]:
        del os.environ[name]
    os.environ.update(
        AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true"
    )


def serve(factory: Factory, questions: TextIO, answers: TextIO) -> None:
    """Make the clients, and begin each call as soon as its line is read.

    Args:
        factory: makes a client from the endpoint and the bucket.
        questions: the input, lines of the contract.
        answers: the output, lines of the contract.
    """
    writing = Lock()

    def write(line: dict[str, object]) -> None:
        with writing:
            answers.write(json.dumps(line) + "\n")
            answers.flush()

    def tell(key: str, returned: bool, error: str | None) -> None:
        write({"key": key, "ok": returned} | ({} if error is None else {"error": error}))

    first = json.loads(questions.readline())
    client = InThreads(factory, first["endpoint"], first["bucket"], first["clients"], tell)
    write({"ready": True, "kinds": client.kinds, "client": client.title})
    for line in questions:
        event = json.loads(line)
        client.start(PlannedCall(event["key"], event["do"], event["client"], 0.0))
    client.close()
