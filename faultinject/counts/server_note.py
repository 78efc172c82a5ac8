"""What the processes of one server note for its later workers, which its master or reloader starts in the place of others.

Who begins at zero where others have counted injects too much; and a file of rules may be another one by then, or wrong.
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


class ServerNote:
    """A note of this process's server, in the private directory of this user; a later start of any server removes it once this one has ended.

    Args:
        subject: what it is about.
    """

    def __init__(self, subject: str) -> None:
        server = server_process()
        self._has_workers = server != os.getpid()
        digest = blake2b(subject.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        self._name = f"{described(server)}-{digest}"

    def read(self) -> bytes:
        """What was noted; nothing where this process is the first of the server, or the only one."""
        if self._has_workers:
            with suppress(FaultInjectError, OSError):
                parent = open_directory(private_parent(), make=False)
                try:
                    return read_file(self._name, parent) or b""
                finally:
                    os.close(parent)
        return b""

    def write(self, content: bytes) -> None:
        """Let later workers know, whole or not at all, if there are any and there is a place for that."""
        if self._has_workers and self.read() != content:
            with suppress(FaultInjectError, OSError):
                clean_up_dead_owners()
                parent = open_directory(private_parent())
                try:
                    new = f"{self._name}.{os.getpid()}"
                    write_file(new, parent, content)
                    os.rename(new, self._name, src_dir_fd=parent, dst_dir_fd=parent)
                finally:
                    os.close(parent)
