"""Reads the file of rules again when it has changed; its rules replace those in force.

With the extra `watch` a thread looks for changes; a SIGHUP checks the file in any case. The thread begins with the
first request, so that a master process, which serves none, has no thread: with one, each fork warns (Python 3.12).
"""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import threading
import weakref
from contextlib import suppress
from json import dumps, loads
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

from faultinject.counts.private import ServerNote
from faultinject.exceptions import (
    ConfigurationError,
    ConflictError,
    FaultInjectError,
    MissingExtraError,
    StoreUnavailableError,
)
from faultinject.injector import instances
from faultinject.journal import log
from faultinject.locks import ReentrantLock
from faultinject.rules.names import PREFIX
from faultinject.rules.scenario import Scenario
from faultinject.rules.variables import value_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faultinject.injector.injector import Injector

FILE = "FAULTINJECT_FILE"
BEGUN, APPLIED = "begun", "applied"
UNSEEN = (-1,)
"""A signature that no file has, so that the next look reads the file."""
LONGEST_GATHER, GATHER_PAUSE = 400, 100
"""Milliseconds: the longest time to gather changes, and the time without one that ends it."""
POLL = 1.0
"""Seconds between two looks if the system reports no changes.

Some file systems report none, nor does a folder that was replaced.
"""
ENDS_WITHIN = 2.0
"""Seconds to wait at exit for the watching thread."""

_previous: Any = None
_handled = False


class RuleFile:
    """The file FAULTINJECT_FILE of one injector.

    Args:
        environ: the environment, with FAULTINJECT_FILE and the other variables for rules.

    Attributes:
        path: the absolute path of the file.
        reloads: whether it is read again.
        watched: whether a thread of this process watches it.
        watch: FAULTINJECT_WATCH: whether a thread must watch it; None: it does if the extra `watch` is installed.
        first_scenario: the scenario with which an earlier process of this server began; None in the first process.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = _own_variables(environ)
        self.path = self._environ[FILE]
        self.watch: bool | None = None
        self.reloads = self.watched = False
        self._note = _note(self._environ)
        self.first_scenario = _read_note(self._note).get(BEGUN)
        self._injector: weakref.ref[Injector] | None = None
        # The signature of the file when it was last read.
        self._signature_read = UNSEEN if self.first_scenario is not None else self._signature()
        self._scenario: Scenario | None = None
        # Reentrant, as putting a scenario in force looks at the file, too.
        self._lock = ReentrantLock()
        self._seed: str | int | None = None
        self._store_failure_logged = False

    def attach(self, injector: Injector, scenario: Scenario, seed: str | int | None) -> None:
        """Set the injector that began with the file's rules, and a seed that overrides theirs."""
        self._injector = weakref.ref(injector)
        self._scenario, self._seed = scenario, seed
        if self.first_scenario is not None:
            self.look()
        elif not _read_note(self._note):
            self._write_note(scenario)

    @property
    def changed(self) -> bool:
        """Whether the file has changed since it was read."""
        return self._signature() != self._signature_read

    def look(self) -> None:
        """Put the file's scenario in force if the file has changed and is valid."""
        injector = None if self._injector is None else self._injector()
        with self._lock:
            if injector is not None and self.changed:
                self._reload(injector)

    def after_fork(self) -> None:
        """Make a new lock in a child, and look at the file.

        A child has no threads that hold the lock or watch the file. The file may have changed since its parent, a
        master process, read it.
        """
        self._lock, self.watched = ReentrantLock(), False
        self._note = _note(self._environ)
        self.look()

    def _reload(self, injector: Injector) -> None:
        """Put the file's scenario in force."""
        self._signature_read = self._signature()
        try:
            scenario = Scenario.from_env(self._environ)
        except ConfigurationError as error:
            log.log_rules_kept(error)
            self._follow_other_workers(injector)
            return
        try:
            self._put_in_force(injector, scenario)
        except ConflictError:
            # Probably a worker on another host was faster, with the same file; the next look compares again.
            self._signature_read = UNSEEN
        except StoreUnavailableError as error:
            self._signature_read = UNSEEN  # the next look tries again
            if not self._store_failure_logged:
                self._store_failure_logged = True
                log.log_rules_kept(error)
            return
        except FaultInjectError as error:
            log.log_rules_kept(error)
        self._store_failure_logged = False

    def _put_in_force(self, injector: Injector, new: Scenario) -> None:
        """Put the file's scenario in force: once for all workers of a store, or in each worker."""
        state = injector.state
        applied = _read_note(self._note).get(APPLIED)
        last = self._scenario if applied is None or not injector.shares else applied
        if new not in (last, state.scenario):
            injector.use(new, seed=self._seed, expected=state.generation)
            # The rule file has new rules, which are now in force.
            log.warning("faultinject: %s has changed, its rules are in force from now on", self.path)
            injector.announce()
        self._scenario = new
        self._write_note(new)

    def _write_note(self, scenario: Scenario) -> None:
        """Note the scenario in force, for workers that start later."""
        self._note.write(
            dumps(
                {BEGUN: scenario, **_read_note(self._note), APPLIED: scenario}, default=Scenario.to_json
            ).encode()
        )

    def _follow_other_workers(self, injector: Injector) -> None:
        """Use the other workers' scenario in a new worker that finds a wrong file."""
        injector.catch_up()
        applied = _read_note(self._note).get(APPLIED)
        if applied is not None and not injector.shares and applied != injector.scenario:
            injector.use(applied, seed=self._seed)
            self._scenario = applied

    def _signature(self) -> tuple[int, ...]:
        """Size, device, inode and times of the file; empty if there is none."""
        try:
            status = os.stat(self.path)
        except (OSError, ValueError):
            return ()
        return status.st_size, status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _note(environ: Mapping[str, str]) -> ServerNote:
    """The note that the workers of a server share about the rules of these variables."""
    words = [f"{name}={environ[name]}" for name in sorted(environ)]
    return ServerNote("\0".join([os.getcwd(), *words]))


def _read_note(note: ServerNote) -> dict[str, Scenario]:
    """The scenario with which the server began, and the last one from the file, by name."""
    with suppress(ConfigurationError, ValueError, AttributeError):
        return {name: Scenario.from_json(text) for name, text in loads(note.read()).items()}
    return {}


def _own_variables(environ: Mapping[str, str]) -> dict[str, str]:
    variables = {name: text for name, text in environ.items() if name.startswith(PREFIX)}
    path = value_of(environ, FILE) or ""
    variables[FILE] = os.path.abspath(path)
    return variables


def is_watchable(environ: Mapping[str, str]) -> bool:
    """Whether FAULTINJECT_FILE names a file that can be read again.

    It is a regular file, or a missing one that may come back.
    """
    path = value_of(environ, FILE)
    if path is None:
        return False
    try:
        return S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False


def is_installed() -> bool:
    """Load the extra `watch`, and return whether it is installed.

    The watching thread must not load it: a child that is forked meanwhile would wait for ever for the parent's thread
    to finish the import.
    """
    try:
        import watchfiles  # noqa: F401
    except ImportError:
        return False
    return True


def reload_at_hangup(file: RuleFile) -> None:
    """Look at a file at each SIGHUP; only the main thread can install the handler.

    Raises:
        MissingExtraError: FAULTINJECT_WATCH=1, and the extra `watch` is not installed.
    """
    global _handled, _previous  # noqa: PLW0603
    # Called in any case, as this thread must load the module for the watching thread.
    installed = is_installed()
    if file.watch and not installed:
        raise MissingExtraError('FAULTINJECT_WATCH=1 needs watchfiles: pip install "faultinject[watch]"')
    file.reloads = True
    if _handled or not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
        return
    try:
        _previous = signal.signal(signal.SIGHUP, _on_hangup)
    except ValueError:  # a main thread of another interpreter
        return
    _handled = True


def watch(file: RuleFile) -> None:
    """Look at a file whenever it changes, if the extra `watch` is installed."""
    if is_installed():
        file.look()
        if not file.watched:
            file.watched = True
            Watcher(file).start()


class Watcher(threading.Thread):
    """Looks at a file whenever its folder changes, or the folder of the file to which it links.

    The folders are watched, not the file, because editors replace the file by a new one.
    """

    def __init__(self, file: RuleFile) -> None:
        super().__init__(name="faultinject-watch", daemon=True)
        self._file = file
        self._ended = threading.Event()

    def start(self) -> None:
        """Start; at exit the thread is ended first, as it must not be inside of watchfiles then."""
        atexit.register(self.end)
        super().start()

    def run(self) -> None:
        """Look at the file again and again, until `end` is called."""
        monkey = sys.modules.get("gevent.monkey")
        # With gevent a thread is a greenlet: if it waited inside of watchfiles, all requests would wait.
        is_thread = monkey is None or not monkey.is_module_patched("threading")
        while not self._ended.is_set():
            if is_thread:
                with suppress(Exception):  # no folder, too many watches, or a file system without them
                    self._look_on_events()
            _look(self._file)
            self._ended.wait(POLL)

    def end(self) -> None:
        """End the thread."""
        self._ended.set()
        with suppress(RuntimeError):  # the thread could not be started
            self.join(ENDS_WITHIN)

    def _look_on_events(self) -> None:
        import watchfiles

        path = self._file.path
        folders = {os.path.dirname(file) for file in (path, os.path.realpath(path))}
        for _ in watchfiles.watch(
            *folders,
            # Filtered here, as watchfiles logs other changes: the log's own file may be in this folder.
            watch_filter=lambda *_: self._file.changed,
            debounce=LONGEST_GATHER,
            step=GATHER_PAUSE,
            stop_event=self._ended,
            rust_timeout=int(POLL * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
            recursive=False,
        ):
            _look(self._file)


def _on_hangup(number: int, frame: Any) -> None:
    """Handle SIGHUP, after the handler that was there before."""
    if callable(_previous):
        _previous(number, frame)
    # In another thread, as the interrupted request may hold a lock that the look needs. `threading.Thread` would
    # wait until the thread runs, which gevent's loop does not permit.
    _thread.start_new_thread(_look_at_all, ())


def _look_at_all() -> None:
    for injector in instances.all_injectors():
        if injector.rule_file is not None and injector.rule_file.reloads:
            _look(injector.rule_file)


def _look(file: RuleFile) -> None:
    try:
        file.look()
    except Exception as error:
        log.log_rules_kept(error)
