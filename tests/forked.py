"""Runs the program in forked processes that have imported its modules already.

Importing them again takes longer than most tests.
"""

import gc
import json
import os
import select
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = (
    *(f"faultinject.cli.{each}" for each in ("program", "serve", "proxy", "explore", "trial", "control")),
    "faultinject.adapters.patch",
    "faultinject.server.protocol",
    "faultinject.store.s3",
    "faultinject.testing.exploration",
    "faultinject.vendors.cos.vendor",
)
NUMBER = struct.Struct("i")


class Launcher:
    """A process that runs the program, in a child of its own, each time that it is asked."""

    def __init__(self):
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            command = [sys.executable, "-W", "error", "-m", "tests.forked", str(its.fileno())]
            self._process = subprocess.Popen(
                command, pass_fds=[its.fileno()], cwd=ROOT, stdin=subprocess.DEVNULL
            )

    def start(self, words, env=None):
        """Run the program here: the child, whose two outputs are one."""
        output, its_output = os.pipe()
        ends, its_ends = os.pipe()
        asked = [[*map(str, words)], {**(os.environ if env is None else env)}, str(Path.cwd())]
        socket.send_fds(self._socket, [json.dumps(asked).encode()], [its_ends, its_output])
        os.close(its_ends)
        os.close(its_output)
        return Forked(ends, os.fdopen(output, encoding="utf-8"))

    def close(self):
        """End it; programs that nobody has ended go on, and it does not wait for them for ever."""
        self._socket.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise


class Forked:
    """A running program, with what a `Popen` of text has."""

    def __init__(self, ends, stdout):
        self._ends, self._code, self.stdout = ends, None, stdout
        [self.pid] = NUMBER.unpack(os.read(ends, NUMBER.size))

    def poll(self):
        return self.wait(0)

    def wait(self, timeout=100):
        """Its exit code, or the signal that ended it as a negative number; None while it goes on."""
        if self._code is None and select.select([self._ends], [], [], timeout)[0]:
            [self._code] = NUMBER.unpack(os.read(self._ends, NUMBER.size))
            os.close(self._ends)
        return self._code

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(9)


def asked(asking):
    """Fork a child for each request; only the child returns, with the program's environment."""
    while message := (found := socket.recv_fds(asking, 1 << 20, 2))[0]:
        ends, output = found[1]
        if os.fork():
            os.close(ends)
            os.close(output)
            continue
        asking.close()
        if child := os.fork():
            os.close(output)
            os.write(ends, NUMBER.pack(child))
            os.write(ends, NUMBER.pack(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
            os._exit(0)
        os.close(ends)
        words, environ, folder = json.loads(message)
        os.environ.clear()
        os.environ.update(environ)
        os.chdir(folder)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        sys.path[:1] = [folder, *filter(None, environ.get("PYTHONPATH", "").split(os.pathsep))]
        sys.argv[1:] = words
        return
    with suppress(ChildProcessError):
        while os.wait():
            pass
    os._exit(0)


if __name__ == "__main__":
    from faultinject.cli import main

    for each in MODULES:
        import_module(each)
    gc.freeze()
    asked(socket.socket(fileno=int(sys.argv[1])))
    main()
