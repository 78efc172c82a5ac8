"""Clients of this process, and the driver's side of the contract of `process` for them."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pkgutil import resolve_name
from threading import Lock, Thread
from typing import Any, TextIO

from faultinject.conformance import plan
from faultinject.conformance.plan import PlannedCall

# Makes of an endpoint and a bucket an object with some of `put`, `get`, `post`, `complete` (each takes a key)
# and `close`.
Factory = Callable[[str, str], Any]
# Takes the key, whether the caller got a result, and the text of the error.
Tell = Callable[[str, bool, str | None], None]

LONGEST_ERROR = 2000
"""Characters that are kept of an error's text."""


class InThreads:
    """Does calls in threads of this process, each in one of its own.

    Args:
        factory: makes a client; called once for each phase, since budgets are kept by client.
        endpoint: the server's URL, without a bucket.
        bucket: the bucket of the keys.
        names: the phases.
        tell: called on the call's thread when it has ended.
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
        self.said = ""

    def start(self, asked: PlannedCall) -> None:
        """Begin a call."""
        Thread(target=self._do, args=(asked,), daemon=True).start()

    def close(self) -> None:
        """End the clients; a call that goes on cannot be ended."""
        for client in self._clients.values():
            close = getattr(client, "close", None)
            if close is not None:
                close()

    def _do(self, asked: PlannedCall) -> None:
        try:
            getattr(self._clients[asked.phase], asked.kind)(asked.key)
        except Exception as error:
            self._tell(asked.key, False, text_of(error))
        else:
            self._tell(asked.key, True, None)


def text_of(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:LONGEST_ERROR]


DRIVERS = f"{__package__}.drivers."
"""The beginning of the addresses of the package's own factories."""


def main() -> None:
    """Serve the factory that the first argument names until the input ends.

    The argument is an address such as `shop.storage:Client`. Only a user's own factory is looked for in the current
    folder too, and has its logs and the user's settings.
    """
    if sys.argv[1].startswith(DRIVERS):
        forget_aws_settings()
        logging.disable()  # the SDKs' logs tell of every failure, of which there are hundreds
        warnings.simplefilter("ignore")  # of their source
    else:
        sys.path.insert(0, "")
    answers, sys.stdout = sys.stdout, sys.stderr  # what an SDK prints is no answer
    serve(resolve_name(sys.argv[1]), sys.stdin, answers)


def forget_aws_settings() -> None:
    """Remove the user's AWS settings from the environment.

    Settings such as AWS_MAX_ATTEMPTS are for buckets of the user's own and would hide the client's own behaviour.
    Those that `CONFORMANCE_SETTINGS` names stay: the cases of a specification set them.
    """
    kept = os.environ.get("CONFORMANCE_SETTINGS", "").split()
    for name in [name for name in os.environ if name.startswith("AWS_") and name not in kept]:
        del os.environ[name]
    os.environ.update(
        AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true"
    )


def serve(factory: Factory, questions: TextIO, answers: TextIO) -> None:
    """Make the clients, and begin each call as soon as its line is read.

    Args:
        factory: makes a client, given the endpoint and the bucket.
        questions: lines of the contract, from the driver's caller.
        answers: lines of the contract, to it.
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
        said = json.loads(line)
        client.start(PlannedCall(said["key"], said["do"], said["client"], 0.0))
    client.close()
