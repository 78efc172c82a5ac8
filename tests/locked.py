"""A lock that another process seems to have."""

import fcntl
from contextlib import contextmanager


@contextmanager
def locked(path):
    """For its block: what is opened anew is a stranger to `flock`."""
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
