"""Looking at a file of rules again: by a thread, where the extra `watch` is there, and at a SIGHUP.

The thread begins with the first request: a master that serves none has none, and every fork of a process that has more than
one warns (Python 3.12).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from importlib.util import find_spec

from faultinject.exceptions import MissingExtra
from faultinject.injector import instances as registry
from faultinject.installation import install_extra
from faultinject.journal import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from faultinject.injector.rule_file import RuleFile

GATHER, STEP = 400, 100
"""Milliseconds at most in which changes are gathered, and without one until they are told."""
POLL = 1.0
"""Seconds between two looks where nothing is told: by some file systems, or of a folder that was replaced."""
ENDS_WITHIN = 2.0
TERMINAL = "/dev/tty"
"""The terminal that controls the process, if one does."""

_previous: Any = None
_handled = False
_has_terminal = False


def is_installed() -> bool:
    """Whether the extra `watch` is there."""
    return find_spec("watchfiles") is not None


def reload_at_hangup(file: RuleFile) -> None:
    """Look at a file when a SIGHUP comes; only the main thread can ask for that.

    Raises:
        MissingExtra: it is to be watched, and the extra `watch` is not there.
    """
    global _handled, _previous, _has_terminal  # noqa: PLW0603
    if file.watch and not is_installed():
        raise MissingExtra(f"FAULTINJECT_WATCH=1 needs watchfiles: {install_extra('watch')}")
    file.reloads = True
    if _handled or not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
        return
    _has_terminal = _terminal()
    try:
        _previous = signal.signal(signal.SIGHUP, _on_hangup)
    except ValueError:  # a main thread of another interpreter
        return
    _handled = True


def begin(file: RuleFile) -> None:
    """Watch a file from now on, if the extra is there."""
    if is_installed():
        file.look()
        if not file.watched:
            file.watched = True
            Watch(file).start()


class Watch(threading.Thread):
    """Looks at a file whenever something changes in its folder, where editors put another one in its place, or in its link's target's."""

    def __init__(self, file: RuleFile) -> None:
        super().__init__(name="faultinject-watch", daemon=True)
        self._file = file
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
        monkey = sys.modules.get("gevent.monkey")
        # A thread of gevent's is a greenlet: while it waits outside of Python, all requests do.
        waits_apart = monkey is None or not monkey.is_module_patched("threading")
        while not self._ended.is_set():
            if waits_apart:
                with suppress(Exception):  # no folder, too many watches, a file system that has none
                    self._look_when_told()
            _look(self._file)
            self._ended.wait(POLL)

    def end(self) -> None:
        """Look no more."""
        self._ended.set()
        with suppress(RuntimeError):  # it could not be started
            self.join(ENDS_WITHIN)

    def _look_when_told(self) -> None:
        from watchfiles import watch

        path = self._file.path
        folders = {os.path.dirname(each) for each in (path, os.path.realpath(path))}  # noqa: PTH120 - pathlib takes its time to load
        for _ in watch(
            *folders,
            # What else changes there is not even logged: the log's own file may stand beside it.
            watch_filter=lambda *_: self._file.changed,
            debounce=GATHER,
            step=STEP,
            stop_event=self._ended,
            rust_timeout=int(POLL * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
            recursive=False,
        ):
            _look(self._file)


def _on_hangup(number: int, frame: Any) -> None:
    """SIGHUP: whoever handled it before still does. One of a terminal that is gone ends the process, as without us."""
    if callable(_previous):
        _previous(number, frame)
    elif _previous is signal.SIG_DFL and _has_terminal and not _terminal():
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGHUP)
        return
    # The request that it has interrupted may hold what the look needs.
    threading.Thread(target=_look_at_all, name="faultinject-reload", daemon=True).start()


def _look_at_all() -> None:
    for each in registry.everyone():
        if each.rule_file is not None and each.rule_file.reloads:
            _look(each.rule_file)


def _look(file: RuleFile) -> None:
    try:
        file.look()
    except Exception as error:
        log.rules_kept(error)


def _terminal() -> bool:
    """Whether the process has a controlling terminal."""
    try:
        os.close(os.open(TERMINAL, os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
