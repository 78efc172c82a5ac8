"""The usual line of code around a plain app."""

import os

import served

import faultinject

wsgi = faultinject.install(served.wsgi)
asgi = faultinject.install(served.asgi)


def tell_started():
    """The file `started` names the processes that have all that they serve with."""
    with open("started", "a") as file:  # noqa: PTH123
        file.write(f"{os.getpid()}\n")


tell_started()
os.register_at_fork(after_in_child=tell_started)
