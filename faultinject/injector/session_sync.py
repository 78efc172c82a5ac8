"""The session of a test run or of `run`: a scenario that its processes share.

A process publishes a scenario in the session's directory. The other processes see it at their next request, by a
number in a file.
"""

from __future__ import annotations

import os
from contextlib import suppress
from time import time

from faultinject.counts.memory import MemoryCounts
from faultinject.counts.private import owner_has_ended
from faultinject.exceptions import ConfigurationError, FaultInjectError
from faultinject.injector import instances
from faultinject.injector.injector import Injector, JoinedInjector, Joining
from faultinject.journal import log
from faultinject.locks import Lock
from faultinject.rules.scenario import Scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from faultinject.counts.directory import DirectoryStore
    from faultinject.counts.file_counts import FileCounts
    from faultinject.counts.store import SharedAnswers
    from faultinject.engine.counting import Counts
    from faultinject.journal.outcome import Outcome

SESSION = "FAULTINJECT_SESSION"


def hooks_path(environ: Mapping[str, str]) -> dict[str, str]:
    """The variable PYTHONPATH with the folder of the import hooks in front.

    A Python process that does not read our `.pth` file finds the hooks there.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    folder = f"{package}/hooks"
    path = environ.get("PYTHONPATH", "")
    # An empty entry of PYTHONPATH means the current directory, but an empty PYTHONPATH means no directory.
    entries = [entry for entry in path.split(os.pathsep) if entry != folder] if path else []
    return {"PYTHONPATH": os.pathsep.join([folder, *entries])}


# The sessions that this process has opened: a pytest inside of a pytest opens another one.
_opened: list[Session] = []


class Follower:
    """Follows a session: its scenario overrides every injector's own rules in this process.

    Args:
        path: the session's directory.

    Raises:
        ConfigurationError: the directory does not exist, or cannot be used.
    """

    def __init__(self, path: str) -> None:
        from faultinject.counts.directory import DirectoryStore

        self._store = DirectoryStore(path, named=False)
        self._store.open(make=False)
        self._store.attach()
        self._injector: Injector | None = None
        self._lock = Lock()
        self._name = os.path.basename(path.rstrip("/"))
        self._run_was_killed = False
        self.number_in_force = 0

    def number(self) -> int:
        """The number of the session's scenario; 0 if its test run was killed.

        A killed test run cannot withdraw its scenario.
        """
        injector = self._injector  # another thread may set it to None
        if injector is not None and not injector.of_run and owner_has_ended(self._name):
            self._run_was_killed = True
        return 0 if self._run_was_killed else self._store.lock.read()

    def catch_up(self) -> None:
        """Put the session's current scenario in force."""
        with self._lock:
            published = self.number()
            if published == self.number_in_force:
                return
            try:
                new, number = self._in_force() if published else (None, published)
            except FaultInjectError as error:
                # The scenario so far has ended in any case; probably the session has, too.
                new, number = None, published
                if self.number():
                    # The rules of the session cannot be read here; it has probably ended.
                    log.error(
                        "faultinject: the rules of the session cannot be read, so this process has none in"
                        " force: %s",
                        error,
                    )
            old, self._injector = self._injector, new
            if new is not None:
                new.put_in_force()
                if new.disarmed and (old is None or not old.disarmed):
                    log.log_switched(None, new.disarmed, on=False)
            if old is not None:
                old.take_out_of_force()
            # Set last: it tells other threads that the scenario of this number is in force.
            self.number_in_force = number

    def answers(self, bound: str, width: float) -> SharedAnswers:
        """The app's answers that the processes of the session count together.

        See `SharedStore.answers`.
        """
        return self._store.answers(bound, width)

    def switch_off(self, why: str) -> None:
        """Switch faults off in all processes of the session, also in those that start later.

        Raises:
            StoreUnavailableError: the session's directory cannot be written.
        """
        _, data, _ = self._store.counts()
        self._store.publish({**data, "why_off": why}, anew=False)

    def after_fork(self) -> None:
        """Make a new lock in a child, as a thread of the parent may have held the old one."""
        self._lock = Lock()

    def _in_force(self) -> tuple[Injector | None, int]:
        """The injector that overrides all others now, and its number."""
        generation, data, counts = self._store.counts()
        if not data.get("in_force"):
            return None, generation
        test, record = data.get("test"), bool(data.get("record"))
        if record and owner_has_ended(self._name):
            self._run_was_killed = True
            return None, 0
        injector = JoinedInjector(
            Scenario.from_json(data["scenario"]),
            Joining(lambda: test, lambda: counts, generation, data["began"], ends=not record),
            seed=data["seed"],
            journal=f"{self._store.shown}/journal" if record else None,
            record_all=record,
        )
        if not record:
            injector.of_run, injector.session = True, self
            if why := data.get("why_off"):
                injector.disable(why=why)
        injector.follow()
        return injector, generation


def follow(environ: Mapping[str, str]) -> None:
    """Take part in the session that the environment names, unless it is this process's own.

    Raises:
        ConfigurationError: there is no such session.
    """
    from faultinject.rules.variables import value_of

    path = value_of(environ, SESSION)
    if path is None or any(session.path == path for session in _opened):
        return
    if instances.follower() is None:
        instances.follow(_follower(path))
    instances.let_all_follow()


def _follower(path: str) -> Follower:
    try:
        return Follower(path)
    except FaultInjectError as error:
        reason = str(error).rpartition(": ")[0] or error
        raise ConfigurationError(
            f"{SESSION}: {reason}; pytest and faultinject run set it for as long as they run: unset it"
        ) from None


class Session:
    """The directory through which this process shares the scenario in force with its children.

    Attributes:
        path: the directory.

    Raises:
        ConfigurationError: it cannot be made.
    """

    def __init__(self) -> None:
        from faultinject.counts.directory import DirectoryStore
        from faultinject.counts.private import session_path

        self.path = session_path()
        self._store: DirectoryStore = DirectoryStore(self.path, named=False)
        self._store.open()
        self._read = 0
        self._outcomes: dict[tuple[int, int], Outcome] = {}
        _opened.append(self)

    def publish(
        self,
        scenario: Scenario,
        seed: str,
        *,
        test: str | None = None,
        record: bool = True,
        in_force: bool = True,
        keep_counts: bool = False,
        began: float | None = None,
    ) -> int:
        """Put a scenario in force in all processes that take part, and return its generation.

        Args:
            scenario: the rules.
            seed: the seed of their draws.
            test: the test that they belong to.
            record: whether every request is noted in the session's journal.
            in_force: whether they are in force; if not, the processes' own rules are, until the next call.
            keep_counts: whether counts continue, as the new rules come after the current ones.
            began: unix seconds at which the scenario took effect; by default now.
        """
        data = {
            "began": time() if began is None else began,
            "in_force": in_force,
            "next_place": len(scenario.rules),
            "record": record,
            "scenario": scenario.to_json(),
            "seed": seed,
            "test": test,
        }
        self._store.publish(data, anew=not keep_counts)
        return self._store.version

    def withdraw(self) -> None:
        """Withdraw the scenario: the processes' own rules are in force again."""
        self._store.withdraw()

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables by which a process takes part.

        A Python process that finds the import hooks wraps its apps by itself.
        """
        return {SESSION: self.path, **hooks_path(os.environ)}

    @property
    def attached(self) -> bool:
        """Whether another process has ever taken part."""
        return self._store.attached

    def counts(self) -> FileCounts:
        """The counts of the scenario that was published last, shared by all processes."""
        return self._store.counts()[2]

    def outcomes(self, generations: set[int]) -> list[Outcome]:
        """The outcomes of the other processes under these generations."""
        new, self._read = self._store.new_outcomes(self._read)
        for outcome in new:
            self._outcomes[outcome.pid, outcome.seq] = outcome
        outcomes = (outcome for outcome in self._outcomes.values() if outcome.generation in generations)
        return sorted(outcomes, key=lambda outcome: outcome.arrived)

    def forget(self) -> None:
        """Drop the outcomes read so far, as another test begins."""
        _, self._read = self._store.new_outcomes(self._read)
        self._outcomes.clear()

    def close(self) -> None:
        """Withdraw the scenario and remove the directory; processes that run on leave the session.

        Raises:
            StoreUnavailableError: other processes hold the lock; the scenario stays in force.
        """
        with suppress(ValueError):  # in a forked child `_opened` is empty: the session is the parent's
            _opened.remove(self)
            try:
                self.withdraw()
            finally:
                self._store.remove()


class SessionCounts:
    """The counts of a test: in memory, or of all processes when others take part."""

    holds = True
    """Whether a request may hold the counts' lock until its takes."""
    shared = None
    """None: the faults of other processes are read from their journals, not from counts."""

    def __init__(self) -> None:
        self.count_in(MemoryCounts())

    def count_in(self, counts: Counts) -> None:
        """Use other counts from now on; nothing may have been counted so far."""
        self.match, self.take, self.give_back = counts.match, counts.take, counts.give_back
        self.release, self.matched, self.requests = counts.release, counts.matched, counts.requests


def _after_fork() -> None:
    """Let a child of the session's process take part like any other."""
    if _opened:
        path = _opened[-1].path
        _opened.clear()
        try:
            instances.follow(_follower(path), alone=True)
        except ConfigurationError as error:  # pragma: no cover - children of tests end without a word
            # A wrong configuration, which could not be raised as an exception.
            log.error("faultinject: %s", error)
        instances.let_all_follow()


def _before_fork() -> None:
    for session in _opened:
        with suppress(OSError):  # the child tries to take part, and logs the error
            session._store.attach()  # noqa: SLF001 - one module


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
