"""Looking at files of rules again: one thread a process, where the extra `watch` is there, and SIGHUP.

The thread begins with the first request: a master that serves none has none, and every fork of a process that has more than
one warns (Python 3.12). The folder is watched, not the file: an editor puts a new one in its place, and Kubernetes
changes a link beside it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from importlib.util import find_spec
from weakref import WeakSet

from faultinject.exceptions import MissingExtra
from faultinject.installation import install_extra
from faultinject.journal import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from faultinject.injector.rule_file import RuleFile

GATHER, STEP = 400, 100
"""Milliseconds at most in which changes are gathered, and without one until they are told."""
LONGEST = 5.0
"""Seconds after which a file is looked at in any case: some file systems tell of no change."""
POLL = 1.0
"""Seconds between two looks where nothing can be told."""
ENDS_WITHIN = 2.0
TERMINAL = "/dev/tty"
"""The terminal that controls the process, if one does."""

_files: WeakSet[RuleFile] = WeakSet()
# A set is not read while another thread adds to it.
_lock = threading.Lock()
_watch: Watch | None = None
_previous: Any = None
_heeded = False
_has_terminal = False


def is_installed() -> bool:
    """Whether the extra `watch` is there."""
    return find_spec("watchfiles") is not None


def heed(file: RuleFile) -> None:
    """Look at a file when a SIGHUP comes; only the main thread can ask for that.

    Raises:
        MissingExtra: it is to be watched, and the extra `watch` is not there.
    """
    global _heeded, _previous, _has_terminal  # noqa: PLW0603
    if file.watch and not is_installed():
        raise MissingExtra(f"FAULTINJECT_WATCH=1 needs watchfiles: {install_extra('watch')}")
    file.heeded = True
    _enter(file)
    if _heeded or not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
        return
    _has_terminal = _terminal()
    try:
        _previous = signal.signal(signal.SIGHUP, _on_hangup)
    except ValueError:  # a main thread of another interpreter
        return
    _heeded = True


def begin(file: RuleFile) -> None:
    """Watch a file from now on, if the extra is there."""
    global _watch  # noqa: PLW0603
    _enter(file)
    if is_installed():
        file.look(closely=False)
        if _watch is None:
            _watch = Watch()
            _watch.start()


class Watch(threading.Thread):
    """Looks at the files whenever something changes in their folders."""

    def __init__(self) -> None:
        super().__init__(name="faultinject-watch", daemon=True)
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin, unless the interpreter has begun to end."""
        try:
            # What `concurrent.futures` uses: called before threads are waited for. The thread must not be in the middle
            # of watchfiles' own code when the interpreter ends.
            threading._register_atexit(self.end)  # type: ignore[attr-defined]  # noqa: SLF001
        except RuntimeError:
            return
        super().start()

    def run(self) -> None:
        """Look until the end."""
        stop = self._ended
        watched: Sequence[tuple[str, int, int]] = ()
        notify: Any = None
        while not stop.is_set():
            found = _folders()
            begins = found != watched
            changed: object = None
            if begins:
                watched, notify = found, _notifier([path for path, _, _ in found])
            elif notify is None:
                stop.wait(POLL)
            else:
                changed = notify.watch(GATHER, STEP, int(LONGEST * 1000), stop)
            names = [path.rpartition("/")[2] for _, path in changed] if isinstance(changed, set) else []
            for each in _entered():
                if not stop.is_set():
                    # Of what changed before somebody told of changes, nobody has told.
                    _look(each, closely=begins or each.path.rpartition("/")[2] in names)

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        with suppress(RuntimeError):  # it could not be started
            self.join(ENDS_WITHIN)


def _folders() -> list[tuple[str, int, int]]:
    """The folders to watch, those of links' targets too, and what tells one from another that is put in its place."""
    files = [each.path for each in _entered()]
    paths = {os.path.dirname(path) for path in (*files, *map(os.path.realpath, files))}  # noqa: PTH120 - as above
    found = []
    for path in sorted(paths):
        try:
            its = os.stat(path)  # noqa: PTH116 - as above
        except OSError:
            continue
        found.append((path, its.st_dev, its.st_ino))
    return found


def _notifier(paths: list[str]) -> object:
    """What tells of changes in these folders; None where nothing can."""
    monkey = sys.modules.get("gevent.monkey")
    if not paths or (monkey is not None and monkey.is_module_patched("threading")):
        # A thread of gevent's is a greenlet: while it waits outside of Python, all requests do.
        return None
    try:
        from watchfiles._rust_notify import RustNotify

        return RustNotify(paths, False, False, 300, False, True)
    except Exception:  # too many watches, a file system that has none; or another version of watchfiles
        return None


def _on_hangup(number: int, frame: Any) -> None:
    """SIGHUP: whoever heeded it before still does. One of a terminal that is gone ends the process, as without us."""
    if callable(_previous):
        _previous(number, frame)
    elif _previous is signal.SIG_DFL and _has_terminal and not _terminal():
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGHUP)
        return
    # The request that it has interrupted may hold what the look needs.
    threading.Thread(target=_look_at_all, name="faultinject-reload", daemon=True).start()


def _enter(file: RuleFile) -> None:
    with _lock:
        _files.add(file)


def _entered() -> list[RuleFile]:
    with _lock:
        return [*_files]


def _look_at_all() -> None:
    for each in _entered():
        _look(each)


def _look(file: RuleFile, *, closely: bool = True) -> None:
    try:
        file.look(closely=closely)
    except Exception as error:
        log.rules_kept(error)


def _terminal() -> bool:
    """Whether the process has a controlling terminal."""
    try:
        os.close(os.open(TERMINAL, os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _after_fork() -> None:
    """A child has none of the threads."""
    global _watch, _lock
    _watch, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)
