"""How a process keeps in step with the others: those of its store, of its session, those that it forks, and its file of rules."""

from __future__ import annotations

import os

from faultinject.exceptions import FaultInjectError
from faultinject.injector import instances as registry
from faultinject.injector.in_force import InForce
from faultinject.injector.turn import Turn
from faultinject.journal import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.engine.plan import Plan
    from faultinject.injector.rule_file import RuleFile
    from faultinject.injector.state import State
    from faultinject.rules.control import ControlSettings
    from faultinject.rules.scenario import Scenario


class InStep(InForce):
    """What is in force here is in force in all processes that count together."""

    follows = False
    """Whether `catch_up` must be asked before `plan` is: other processes may put something in force here."""
    _file: RuleFile | None = None
    _unwatched: RuleFile | None = None
    _announced: tuple[Scenario, str, bool] | None = None

    @property
    def state(self) -> State:
        """The state of all processes of this injector's store: rules, on or off, and until when."""
        self._hurry()
        return self._state

    def catch_up(self) -> None:
        """Put in force the latest changes: of the rule file, or from other processes of the session or the store."""
        if self._unwatched is not None:
            self._watch_file()
        _catch_up_with_session()
        storage = self._count_storage
        if storage.sender is not None:
            if storage.due:
                storage.sender.do(self._rejoin)
        elif storage.stale:
            self._rejoin()

    def _hurry(self) -> None:
        """As `catch_up`, at once: without the second that requests leave a server alone for, and whoever asks waits for it."""
        if not self.follows:
            return
        _catch_up_with_session()
        self._count_storage.hurry()
        if self._count_storage.stale:
            self._rejoin()

    def _rejoin(self) -> None:
        with self._change:
            if not self._count_storage.stale:  # pragma: no cover - another thread was faster
                return
            before = self._state
            try:
                found, counts = self._count_storage.join(before)
            except FaultInjectError as error:
                if self._count_storage.postpone(error):
                    log.unread(error)
                return
            old = self._own.counts.shared
            self._adopt(found, counts)
        if old is not None and old is not counts.shared:
            old.replaced()
        if self._count_storage.replaced_by and not found.decides_as(before):
            log.replaced(self._count_storage.replaced_by)
        if (
            (found.on, found.until) != (before.on, before.until)
            and self.may_inject
            and (found.on or self._off_is_said.acquire(blocking=False))
        ):
            log.switched(found.until, found.why_off, on=found.on)
        self.announce()

    @property
    def shares(self) -> bool:
        """Whether changes made here are in force in other processes, too."""
        return bool(self._count_storage.shown)

    def detach(self) -> Plan:
        """Several processes serve the app: they share a directory, unless its store is `memory:`."""
        if not self._count_storage.settled:
            with self._change:
                if not self._count_storage.settled:  # pragma: no branch - another thread was faster
                    self._separate()
        return self._own

    def _separate(self, owner: int | None = None, *, alone: bool = False) -> None:
        told = bool(self._count_storage.salt)
        if not alone:
            self._count_storage.detach(
                self.scenario, self._given_seed(), owner=owner, shares=self._has_to_share
            )
        before = self._injected
        self._adopt(*self._count_storage.begin(self._state, chosen=self._chosen))
        # What was counted so far is the parent's.
        self._injected = before
        self._heed()
        if self._is_on and self._has_to_share and not told:
            self._count_storage.tell(self.seed)

    @property
    def _has_to_share(self) -> bool:
        return has_to_share(self.scenario, self.control)

    @property
    def _is_to_share(self) -> bool:
        """Whether a process that is forked off has anything to share with this one: also what is off may be switched on by control."""
        return self._has_to_share and (self._is_on or (self.control is not None and self.may_inject))

    def _heed(self) -> None:
        """What other processes of the store put in force is put in force here."""
        if self._count_storage.follows:
            from faultinject.injector.watching import watch

            self.follows = True
            self._services.watch = watch

    def heed_file(self) -> None:
        """Read the rule file again when it has changed, and at a SIGHUP.

        Raises:
            MissingExtra: watching was requested, and the extra `watch` is not installed.
        """
        if self._file is not None and self._file.watch is not False:
            from faultinject.injector import file_watch

            file_watch.heed(self._file)
            self._unwatched = self._file
            self.follows = True

    def _watch_file(self) -> None:
        file, self._unwatched = self._unwatched, None
        if file is not None:  # pragma: no branch - another thread was faster
            from faultinject.injector import file_watch

            try:
                file_watch.begin(file)
            except Exception as error:
                self._services.failed(error, "")
        self.follows = self._count_storage.follows or registry.follower() is not None

    def announce(self) -> None:
        """Log once the rules in force: a rule that a shell has cut short must be visible."""
        state = self._state
        # A store that was not there at the start is told of when it is.
        new = state.scenario, state.seed, not self._count_storage.missing
        known = self._announced
        if known is not None and known[0] is new[0] and known[1:] == new[1:]:
            return
        self._announced = new
        if self._killed:
            return
        if self._production is not None:
            log.production(self._production)
        elif self._own.expired:
            assert self._services.expires is not None
            tell_expired(self._expires, self._services.expires, from_the_start=True)
        elif state.on and (self.scenario.rules or not os.environ.get("FAULTINJECT_SESSION")):
            log.on(self.seed, self.scenario.rules, self.scenario.display_names)
            if self._asked is not None:
                log.asking()
            self._count_storage.tell(self.seed)
        elif not state.on and self._count_storage.shown and self._off_is_said.acquire(blocking=False):
            log.switched(None, state.why_off, on=False)

    def before_fork(self) -> None:
        """In the parent: a child will count with it, if nothing was counted yet."""
        needed = self._is_to_share and self._count_storage.undecided and not self.journal.requests
        if needed and self._change.take(wait=False):
            try:
                self._separate(os.getpid())
            finally:
                self._change.end()

    def after_fork(self, *, alone: bool) -> None:
        """In a new child: no thread holds the locks of its parent's threads, and its journal begins empty.

        Args:
            alone: it is no worker of a server.
        """
        self._change = Turn()
        self.journal.clear()
        if self._is_on or self._is_to_share:  # pragma: no branch - children of tests end without a word
            if not alone:
                self.detach()
            elif (
                not self._count_storage.settled
            ):  # pragma: no branch - it goes on with the store that has a name
                with self._change:
                    self._separate(alone=True)
        if self._file is not None and self._file.heeded:
            self._file.after_fork()
            self._unwatched, self.follows = self._file, True


def _catch_up_with_session() -> None:
    follower = registry.follower()
    if follower is not None and follower.number() != follower.seen:
        follower.catch_up()


def has_to_share(scenario: Scenario, control: ControlSettings | None) -> bool:
    """Whether processes have anything in common: rules, or those that somebody may put in force in any of them."""
    return bool(scenario.rules) or control is not None


def tell_expired(variable: float | None, moment: float, *, from_the_start: bool = False) -> None:
    """The log says it at the first request that might have got a fault: until then nobody has missed one.

    A timer would tell an idle server as well. It needs a thread, with which every fork of the process warns (Python 3.12),
    and which servers without threads, or with greenlets, do not run.

    Args:
        variable: the moment that FAULTINJECT_EXPIRES names, or None.
        moment: the one that has passed.
        from_the_start: whether it had passed before this process began.
    """
    log.expired(moment, None if from_the_start else registry.injected, by_variable=moment == variable)
