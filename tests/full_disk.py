"""A disk without room: the limit of a file's size stands for it."""

import resource
from contextlib import contextmanager


@contextmanager
def room_for(size):
    """For its block no file of this process grows beyond so many bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
