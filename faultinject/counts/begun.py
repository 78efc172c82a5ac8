"""Which store a server began with, for its later workers: who begins at zero where others have counted injects too much.

A store can be lost while a server runs: a directory is removed, a Redis server comes back without its data. A worker that is started
then finds nothing, and cannot tell that from the first start of all; the note, in the private directory of this user, tells it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import blake2b

from faultinject.counts.opening import open_directory, read_file, write_file
from faultinject.counts.owner import described
from faultinject.counts.private import clean_up_dead_owners, private_parent
from faultinject.counts.processes import server_process
from faultinject.exceptions import FaultInjectError


class Begun:
    """The note of this process's server on one store; a later start of any server removes it once this one has ended.

    Args:
        place: what tells the store from others.

    Attributes:
        pid: the process that those of the server have in common.
        is_worker: whether the server has other processes, or may have; without them there is no note.
    """

    def __init__(self, place: str) -> None:
        self.pid = server_process()
        self.is_worker = self.pid != os.getpid()
        self._name = f"{described(self.pid)}-{blake2b(os.fsencode(place), digest_size=16).hexdigest()}"

    def read(self) -> bytes | None:
        """What tells the store that the server began with from one in its place; None: nothing is known of one."""
        if self.is_worker:
            with suppress(FaultInjectError, OSError):
                parent = open_directory(private_parent(), make=False)
                try:
                    return read_file(self._name, parent)
                finally:
                    os.close(parent)
        return None

    def write(self, store: bytes) -> None:
        """Let later workers know, if there is a place for that."""
        if not self.is_worker:
            return
        with suppress(FaultInjectError, OSError):
            clean_up_dead_owners()
            parent = open_directory(private_parent())
            try:
                if read_file(self._name, parent) != store:
                    write_file(self._name, parent, store)
            finally:
                os.close(parent)
