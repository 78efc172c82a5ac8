"""Files that processes share through the memory map, and that may be cut at any moment.

A process that touches a mapped page which the file no longer has, or which a failing disk does not give, is ended by SIGBUS.
No look at the file's length prevents that: it may be cut right behind the look. So the signal is handled here, as
OpenJDK and systemd's journal do it: private zeros take the place of the whole map, and the access goes on and reads them.
The last word of a file of ours is never zero. Whoever has read something looks at that word afterwards, and knows
whether what was read is true; a file that was cut and made longer again is known by it, too.

The handler is Python. It may be: what touches a map is the interpreter, in a thread that has it. A fault anywhere else
goes to whoever had the signal before.
"""

from __future__ import annotations

import errno
import os
import sys
from mmap import mmap
from threading import Lock
from weakref import WeakValueDictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

WHOLE = 0x7E_66_61_75_6C_74_7E_0A
"""The last word of a whole file; none of its bytes is zero."""

GUARDED = sys.platform == "linux" and os.uname().machine in ("x86_64", "aarch64") and sys.maxsize == 2**63 - 1
"""Whether the handler can be had: elsewhere a look at the length before each access must do."""

_SIGBUS = 7
_SIGINFO, _NODEFER = 0x4, 0x4000_0000
_PROT_READ_WRITE = 0x3
_PRIVATE_FIXED_ANONYMOUS = 0x2 | 0x10 | 0x20
_ADDRESS = 16
"""Where `siginfo_t` has the address of the fault, and where its code."""
_CODE = 8

_maps: WeakValueDictionary[int, mmap] = WeakValueDictionary()
_lock = Lock()
_watch: Callable[[], None] | None = None


class Mapping:
    """A mapped file of ours.

    Args:
        file: its descriptor.
        size: its length in bytes.

    Attributes:
        map: its bytes.
        words: the same as integers.
        guarded: whether a fault in it is read as zeros; else its length is to be looked at before each access.

    Raises:
        OSError: it cannot be mapped, or is shorter than that.
    """

    __slots__ = ("_file", "_size", "guarded", "map", "words")

    def __init__(self, file: int, size: int) -> None:
        self._file = file
        self._size = size
        try:
            self.map = mmap(file, size)
        except ValueError as error:  # cut since its length was looked at
            raise OSError(errno.EIO, "it was cut short") from error
        self.guarded = GUARDED and guard(self.map)
        self.words = memoryview(self.map).cast("q")

    @property
    def whole(self) -> bool:
        """Whether the file is as it was made, and what was read of it so far is true."""
        if not self.guarded and self.short:
            return False
        return self.words[-1] == WHOLE

    @property
    def short(self) -> bool:
        """Whether the file is shorter than it was."""
        return os.lseek(self._file, 0, os.SEEK_END) < self._size


def guard(map_: mmap) -> bool:
    """Let a fault in a map be read as zeros from now on; no where this Python cannot: without ctypes, or closures."""
    global _watch  # noqa: PLW0603
    try:
        from ctypes import addressof, c_char

        with _lock:
            if _watch is None:
                _watch = _watcher()
            # Somebody may have taken the signal since.
            _watch()
        _maps[addressof(c_char.from_buffer(map_))] = map_
    except (ImportError, OSError, AttributeError, MemoryError):
        return False
    return True


def _watcher() -> Callable[[], None]:
    """What makes the handler the one of this process, if it is not."""
    import ctypes

    class Action(ctypes.Structure):
        """`struct sigaction` of Linux with 64 bits, in glibc and musl."""

        _fields_ = (
            ("handler", ctypes.c_void_p),
            ("mask", ctypes.c_ubyte * 128),
            ("flags", ctypes.c_int),
            ("restorer", ctypes.c_void_p),
        )

    system = ctypes.PyDLL(None)
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    system.mmap.argtypes = [pointer, size, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    system.mmap.restype = pointer
    before = Action()

    def fault(_: int, info: int, __: int) -> None:
        address = pointer.from_address(info + _ADDRESS).value or 0
        raised = ctypes.c_int.from_address(info + _CODE).value > 0
        if raised and any(
            system.mmap(start, len(found), _PROT_READ_WRITE, _PRIVATE_FIXED_ANONYMOUS, -1, 0) == start
            for start, found in list(_maps.items())
            if start <= address < start + len(found)
        ):
            return
        # Not ours: when this returns, the access is made again, and whoever had the signal before gets it.
        system.sigaction(_SIGBUS, ctypes.byref(before), None)
        if not raised:  # pragma: no branch - the fault of others ends the process
            os.kill(os.getpid(), _SIGBUS)

    mine = Action(flags=_SIGINFO | _NODEFER)
    # Kept by what is returned, for as long as the process lives.
    callback = ctypes.CFUNCTYPE(None, ctypes.c_int, pointer, pointer)(fault)
    mine.handler = ctypes.cast(callback, pointer).value

    def watch() -> None:
        found = Action()
        system.sigaction(_SIGBUS, None, ctypes.byref(found))
        if found.handler != mine.handler:
            ctypes.memmove(ctypes.byref(before), ctypes.byref(found), ctypes.sizeof(Action))
            system.sigaction(_SIGBUS, ctypes.byref(mine), None)
        assert callback

    return watch


def after_fork() -> None:
    """In a child nobody holds the lock."""
    global _lock  # noqa: PLW0603
    _lock = Lock()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=after_fork)
