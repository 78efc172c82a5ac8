"""Which directory a server began with, and by which rules, for its later workers: who begins at zero where others have counted injects too much.

The note is in the private directory of this user; a later start of any server removes it once this one has ended.
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


class StartNote:
    """The note of this process's server on one directory; a server without other processes has none.

    Args:
        path: the directory.
    """

    def __init__(self, path: str) -> None:
        server = server_process()
        self._has_workers = server != os.getpid()
        self._name = f"{described(server)}-{blake2b(os.fsencode(path), digest_size=16).hexdigest()}"

    def read(self) -> list[str]:
        """The token of the directory and the digest of the rules; nothing where this process is the first, or the only one."""
        if self._has_workers:
            with suppress(FaultInjectError, OSError):
                parent = open_directory(private_parent(), make=False)
                try:
                    return (read_file(self._name, parent) or b"").decode("ascii", "replace").split()
                finally:
                    os.close(parent)
        return []

    def write(self, *words: str) -> None:
        """Let later workers know, if there is a place for that."""
        if self._has_workers and self.read() != [*words]:
            with suppress(FaultInjectError, OSError):
                clean_up_dead_owners()
                parent = open_directory(private_parent())
                try:
                    write_file(self._name, parent, " ".join(words).encode())
                finally:
                    os.close(parent)
