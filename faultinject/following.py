"""Scenarios that several processes share: by a store's directory, or in the session of a test run.

Whoever publishes there puts a scenario in force everywhere; the others see it at their next request, by one word of
shared memory.
"""

from __future__ import annotations

import os
from _thread import allocate_lock

from faultinject.exceptions import StoreUnavailable
from faultinject.injector import Injector, convert_all
from faultinject.settings.scenario import Scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from faultinject.core.off import Off
    from faultinject.core.outcome import Outcome
    from faultinject.core.plan import Plan
    from faultinject.stores.directory import StoreDirectory

SESSION = "FAULTINJECT_SESSION"

_follower: Follower | None = None
_own: Session | None = None


class Follower:
    """What a session has in force stands, in this process, in the place of every injector's own rules.

    Args:
        path: the session's directory.

    Raises:
        ConfigurationError: there is none, or it cannot be used.
    """

    def __init__(self, path: str) -> None:
        from faultinject.stores.directory import StoreDirectory

        self._directory = StoreDirectory(path, make=False)
        self._directory.attach()
        self._injector: Injector | None = None
        self._lock = allocate_lock()
        self.cell = self._directory.cell
        self.seen = 0

    def catch_up(self) -> None:
        """Put in force what the session has in force now."""
        with self._lock:
            if self.cell[0] == self.seen:
                return
            try:
                generation, data, counts = self._directory.join()
            except StoreUnavailable as error:
                from faultinject import announcement

                announcement.store_away(error)
                self.seen = self.cell[0]
                return
            old, self._injector = self._injector, None
            if old is not None:
                old.take_out_of_force()
            self.seen = generation
            if not data.get("in_force"):
                return
            test = data.get("test")
            self._injector = injector = Injector(
                Scenario.from_json(data["scenario"]),
                seed=data["seed"],
                counts=counts,
                generation=generation,
                journal=self._directory.journal if data.get("record") else None,
                test=lambda: test,
                everything=bool(data.get("record")),
            )
            injector.put_in_force()


class FollowingInjector(Injector):
    """An injector of a process that takes part in a session."""

    @property
    def plan(self) -> Plan | Off:
        """The plan in force, the session's if it has one."""
        follower = _follower
        if follower is not None and follower.cell[0] != follower.seen:
            follower.catch_up()
        return self._in_force

    @plan.setter
    def plan(self, plan: Plan | Off) -> None:
        self._in_force = plan


def follow(environ: Mapping[str, str]) -> bool:
    """Take part in the session that the environment names, unless it is this process's own; yes when it does.

    Raises:
        ConfigurationError: there is no such session.
    """
    global _follower  # noqa: PLW0603
    from faultinject.settings.variables import value_of

    path = value_of(environ, SESSION)
    if path is None or (_own is not None and _own.pid == os.getpid()):
        return False
    if _follower is None:
        _follower = Follower(path)
        convert_all(FollowingInjector)
    return True


class Session:
    """The directory in which this process tells its children what is in force.

    Attributes:
        path: the directory.
        pid: the process that it belongs to.
        variables: the environment by which a process takes part.

    Raises:
        ConfigurationError: there is no place for it.
    """

    def __init__(self, path: str | None = None) -> None:
        global _own  # noqa: PLW0603
        from faultinject.stores.directory import StoreDirectory
        from faultinject.stores.private import clean_up_dead_owners, session_path

        clean_up_dead_owners()
        self.path = path or session_path()
        self.pid = os.getpid()
        self._directory: StoreDirectory = StoreDirectory(self.path)
        self._directory.claim()
        self._read = 0
        self._outcomes: dict[tuple[int, int], Outcome] = {}
        self.variables = {SESSION: self.path}
        _own = self

    def publish(
        self,
        scenario: Scenario,
        seed: str,
        *,
        test: str | None = None,
        record: bool = True,
        in_force: bool = True,
        keep_counts: bool = False,
    ) -> int:
        """Put a scenario in force in all processes that take part; gives its generation.

        Args:
            scenario: the rules.
            seed: of their draws.
            test: the test that they belong to.
            record: whether every request is noted in the session's journal.
            in_force: no: the processes' own rules hold again.
            keep_counts: the rules stand behind those in force so far, whose counts go on.
        """
        data = {
            "in_force": in_force,
            "record": record,
            "scenario": scenario.to_json(),
            "seed": seed,
            "test": test,
        }
        return self._directory.publish(data, rules=len(scenario.rules), keep_counts=keep_counts)

    @property
    def attached(self) -> bool:
        """Whether another process has ever taken part."""
        return self._directory.attached

    def counts(self) -> Any:
        """The counts of what was published last, shared by all processes."""
        return self._directory.join()[2]

    def outcomes(self, generations: set[int]) -> list[Outcome]:
        """What happened in the other processes while these were in force."""
        from faultinject.core.outcome import Outcome

        lines, self._read = self._directory.new_lines(self._read)
        for line in lines:
            found = Outcome(**line)
            self._outcomes[found.pid, found.seq] = found
        kept = (each for each in self._outcomes.values() if each.generation in generations)
        return sorted(kept, key=lambda each: each.arrived)

    def forget(self) -> None:
        """Drop what was read so far: another test begins."""
        _, self._read = self._directory.new_lines(self._read)
        self._outcomes.clear()

    def close(self) -> None:
        """Remove the directory; processes that still take part go on without."""
        global _own  # noqa: PLW0603
        if self.pid == os.getpid():
            self._directory.remove()
        _own = None


def _after_fork() -> None:
    """A child of the process that has the session takes part like any other."""
    global _own
    session, _own = _own, None
    if session is not None:
        convert_all(FollowingInjector, forget=True)
        follow({SESSION: session.path})


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)
