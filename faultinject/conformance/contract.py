"""The other end of `process`: serves the contract for a factory in Python."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from pkgutil import resolve_name
from threading import Lock
from typing import TextIO

from faultinject.conformance.answering import Factory, InThreads
from faultinject.conformance.plan import PlannedCall

DRIVERS = f"{__package__}.drivers."
"""What the addresses of the package's own factories begin with."""


def main() -> None:
    """Serve the factory that the first argument names, such as `shop.storage:Client`, until the input ends.

    Only a user's own factory is looked for in the current folder too, and has its logs and the user's settings.
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
    """Forget what the user has set for buckets of his own, such as AWS_MAX_ATTEMPTS: it is not what a client does by itself.

    What `CONFORMANCE_SETTINGS` names stays: the cases of a specification set it.
    """
    kept = os.environ.get("CONFORMANCE_SETTINGS", "").split()
    for name in [each for each in os.environ if each.startswith("AWS_") and each not in kept]:
        del os.environ[name]
    os.environ.update(
        AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true"
    )


def serve(factory: Factory, questions: TextIO, answers: TextIO) -> None:
    """Make the clients, and begin each call as soon as its line is read.

    Args:
        factory: makes a client, given the endpoint and the bucket.
        questions: lines of the contract.
        answers: likewise.
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
