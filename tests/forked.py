"""The program, or a script, in processes of their own that have their modules already: to load them anew takes longer than most tests."""

from __future__ import annotations

import gc
import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = (
    *(f"faultinject.cli.{each}" for each in ("program", "serve", "proxy", "explore", "trial", "control")),
    "faultinject.adapters.patch",
    "faultinject.server.bridge",
    "faultinject.server.heads",
    "faultinject.store.s3",
    "faultinject.testing.exploration",
    "faultinject.vendors.cos.vendor",
    "flask.testing",
    "unittest",
)
NUMBER = struct.Struct("i")
PROGRAM = "from faultinject.cli import main; main()"


class Launcher:
    """A process that runs the program or a script, in a child of its own, each time that it is asked."""

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
        child = self._start(words, env, PROGRAM, Path.cwd(), its_output, its_output)
        os.close(its_output)
        child.stdout = os.fdopen(output, encoding="utf-8")
        return child

    def run(self, *words, env=None, script=PROGRAM, folder=None, output=None):
        """Run it to its end: exit code, standard output unless it goes to `output`, a descriptor, and standard error."""
        with tempfile.TemporaryFile("w+") as file, tempfile.TemporaryFile("w+") as errors:
            outputs = file.fileno() if output is None else output, errors.fileno()
            child = self._start(words, env, script, folder or Path.cwd(), *outputs)
            code = child.wait()
            if code is None:
                child.kill()
                raise TimeoutError(f"{words} did not end")
            for each in (file, errors):
                each.seek(0)
            return code, file.read(), errors.read()

    def _start(self, words, env, script, folder, *outputs):
        ends, its_ends = os.pipe()
        asked = [script, [*map(str, words)], {**(os.environ if env is None else env)}, str(folder)]
        socket.send_fds(self._socket, [json.dumps(asked).encode()], [its_ends, *outputs])
        os.close(its_ends)
        return Forked(ends)

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

    def __init__(self, ends):
        self._ends, self._code = ends, None
        [self.pid] = NUMBER.unpack(os.read(ends, NUMBER.size))

    def poll(self):
        return self.wait(0)

    def wait(self, timeout=300):
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
    """Wait to be asked, again and again; what is to be run comes back in the child alone, with all that it finds at its start."""
    while message := (found := socket.recv_fds(asking, 1 << 20, 3))[0]:
        ends, *outputs = found[1]
        if os.fork():
            for each in found[1]:
                os.close(each)
            continue
        asking.close()
        if child := os.fork():
            for each in outputs:
                os.close(each)
            os.write(ends, NUMBER.pack(child))
            os.write(ends, NUMBER.pack(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
            os._exit(0)
        os.close(ends)
        script, words, environ, folder = json.loads(message)
        os.environ.clear()
        os.environ.update(environ)
        os.chdir(folder)
        for number, output in enumerate(outputs, 1):
            os.dup2(output, number)
            os.close(output)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        sys.path[:1] = [folder, *filter(None, environ.get("PYTHONPATH", "").split(os.pathsep))]
        sys.argv[1:] = words
        return script
    with suppress(ChildProcessError):
        while os.wait():
            pass
    os._exit(0)


if __name__ == "__main__":
    for each in MODULES:
        import_module(each)
    gc.freeze()
    exec(asked(socket.socket(fileno=int(sys.argv[1]))), {"__name__": "__main__"})
