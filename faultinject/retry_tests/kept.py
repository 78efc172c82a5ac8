"""The retry tests that are kept: what each has still to inject, and for how long."""

from __future__ import annotations

from collections import OrderedDict, deque
from threading import Lock
from uuid import uuid4

from faultinject.retry_tests.instructions import read
from faultinject.retry_tests.refusal import Refusal
from faultinject.vendors.operations import operations_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from faultinject.engine.plan import Plan
    from faultinject.injector.injector import Injector
    from faultinject.retry_tests.instructions import Instruction
    from faultinject.rules.rule import Rule
    from faultinject.vendors.vendor import Vendor

MOST_TESTS = 2000
"""Beyond them the oldest is given up."""
MOST_INSTRUCTIONS = 100
"""Of one test."""
LONGEST = 256
"""Characters of an instruction and of an operation."""
LIFETIME = 3600.0
"""Seconds after its last request for which a test is kept at least, unless there are too many."""


class RetryTest:
    """One test: for each operation its instructions in order, of which the first is in force.

    Args:
        identity: what its requests carry in `x-retry-test-id`.
        instructions: by operation.
        injector: whose journal notes what is done; the rules are the test's own.
    """

    def __init__(
        self, identity: str, instructions: dict[str, Iterable[Instruction]], injector: Injector
    ) -> None:
        self.identity = identity
        self.used = 0.0
        """When its last request came, in seconds of the clock of those that keep it."""
        self._injector = injector
        self._left = {operation: deque(each) for operation, each in instructions.items()}
        self._plans: dict[str, dict[str, Plan]] = {}
        self._all_plans: list[Plan] = []
        self._completed = self._ended = False
        self._lock = Lock()

    def first(self, operation: str | None) -> Instruction | None:
        """The instruction in force for an operation; None when nothing is to be done."""
        with self._lock:
            self._settle()
            left = self._left.get(operation or "")
            return left[0] if left and not self._ended else None

    def plan(self, operation: str, instruction: Instruction, rule: Rule) -> Plan | None:
        """The plan of a rule of that instruction; None when it is done by now."""
        with self._lock:
            left = self._left[operation]
            if self._ended or not left or left[0] is not instruction:
                return None  # pragma: no cover - another thread was faster
            plans = self._plans.setdefault(operation, {})
            plan = plans.get(str(rule))
            if plan is None:
                plan = plans[str(rule)] = self._injector.plan_beside([rule])
                self._all_plans.append(plan)
            return plan

    def end(self) -> None:
        """Nothing more is injected; what waits goes on at once."""
        with self._lock:
            self._ended = True
        for plan in self._all_plans:
            plan.end()

    def describe(self) -> dict[str, Any]:
        """The test as the control interface shows it: with the instructions that are left."""
        with self._lock:
            self._settle()
            left = {operation: [each.text for each in those] for operation, those in self._left.items()}
            completed = self._completed
        return {"id": self.identity, "instructions": left, "completed": completed, "transport": "HTTP"}

    def _settle(self) -> None:
        """An instruction whose rule has injected its fault is done."""
        for operation, plans in list(self._plans.items()):
            if any(plan.totals()[0][1] for plan in plans.values()):
                del self._plans[operation]
                self._left[operation].popleft()
                self._completed = not any(self._left.values())


class RetryTests:
    """All tests that are kept.

    Args:
        injector: whose journal notes what is done, and whose clock tells how old a test is.
        vendor: whose operations they name.
    """

    def __init__(self, injector: Injector, vendor: Vendor) -> None:
        self._injector = injector
        self._vendor = vendor
        self._tests: OrderedDict[str, RetryTest] = OrderedDict()
        self._lock = Lock()

    def create(self, instructions: object, transport: object) -> RetryTest:
        """Keep a new test.

        Args:
            instructions: from operations to lists of instructions.
            transport: `HTTP`.

        Raises:
            Refusal: something of it is wrong.
        """
        if not isinstance(transport, str) or transport.upper() not in ("HTTP", "GRPC"):
            raise Refusal(
                400,
                f"The requested transport <{_short(transport)}> is not supported in the testbench is invalid.",
            )
        if transport.upper() == "GRPC":
            raise Refusal(501, "Retry Test API over GRPC is not implemented.")
        identity = uuid4().hex
        test = RetryTest(identity, self._read(instructions, identity), self._injector)
        now = test.used = self._injector.clock()
        with self._lock:
            self._tests[identity] = test
            given_up = []
            while len(self._tests) > MOST_TESTS or now - next(iter(self._tests.values())).used > LIFETIME:
                given_up.append(self._tests.popitem(last=False)[1])
        for each in given_up:
            each.end()
        return test

    def find(self, identity: str) -> RetryTest:
        """The test of an id, which is in use.

        Raises:
            Refusal: 404, there is none.
        """
        with self._lock:
            found = self._tests.get(identity)
            if found is not None:
                found.used = self._injector.clock()
                self._tests.move_to_end(identity)
                return found
        raise Refusal(404, f"Retry Test {_short(identity)} does not exist.")

    def delete(self, identity: str) -> None:
        """Give a test up.

        Raises:
            Refusal: 404, there is none.
        """
        found = self.find(identity)
        with self._lock:
            self._tests.pop(identity, None)
        found.end()

    def all(self) -> list[RetryTest]:
        """The tests, those used last at the end."""
        with self._lock:
            return list(self._tests.values())

    def _read(self, instructions: object, identity: str) -> dict[str, Iterable[Instruction]]:
        if not isinstance(instructions, dict):
            raise Refusal(400, "The instructions is invalid.")
        found: dict[str, Iterable[Instruction]] = {}
        number = 0
        for operation, texts in instructions.items():
            self._check(operation)
            if not isinstance(texts, list):
                raise Refusal(400, f"The list of fault injection requests for <{operation}> is invalid.")
            found[operation] = those = []
            for text in texts:
                number += 1
                if number > MOST_INSTRUCTIONS:
                    raise Refusal(400, f"More than {MOST_INSTRUCTIONS} fault injection requests is invalid.")
                if not isinstance(text, str) or len(text) > LONGEST:
                    raise Refusal(400, f"The fault injection request <{_short(text)}> is invalid.")
                those.append(read(text, operation, f"{identity}.{number}"))
        return found

    def _check(self, operation: str) -> None:
        known = operations_of(self._vendor)
        if len(operation) > LONGEST or operation not in known.meant((operation,)):
            message = f"The requested method <{_short(operation)}> for fault injection is invalid."
            raise Refusal(400, message)


def _short(given: object) -> str:
    """What was given, cut where it is too long to be said."""
    text = str(given)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
