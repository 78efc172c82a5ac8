"""A program that nobody drives, and what `faultinject report` must say of its journal."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

SERVICE, STORE, GCS = "app", "store", "gcs"
"""The apps of `service.APPS` that the server may serve."""


@dataclass(frozen=True)
class Program:
    """A program, the faults that it meets, and what is true of it.

    What is true follows from what the program does, not from what the audit says. Checks are named as findings are,
    `retries: 429`, and may end in `*`.

    Attributes:
        name: in the table.
        title: what it does, in a line.
        rules: in force meanwhile.
        given: what its function gets beside the address.
        group: the class, which it shares with its twin: the name of its module.
        run: makes all of its requests to a server at the given address, and returns when it is done.
        app: what is served.
        caught: what is wrong with it, and shows in what it sends: FAIL or WARN; a PASS is a false green, anything else
            is undecided although enough was there.
        true: what is wrong with it too, and may not show: a PASS is a false green.
        passes: what must PASS, for enough was there.
        either: of what nothing is expected.
        named: whether the program says of each call where it begins and ends, as tests do by `faults.call()`.
        profile: what `--profile` is given; None: nothing.
        timed: whether what is true of it is only seen by the clock; its journals differ from run to run.
    """

    name: str
    title: str
    rules: tuple[str, ...]
    given: Mapping[str, object] = field(default_factory=dict)
    group: str = ""
    run: Callable[[str], object] | None = field(default=None, repr=False)
    app: str = SERVICE
    caught: Collection[str] = ()
    true: Collection[str] = ()
    passes: Collection[str] = ()
    either: Collection[str] = ()
    named: bool = False
    profile: str | None = None
    timed: bool = False

    @property
    def right(self):
        """Whether nothing is wrong with it that this class is about."""
        return not self.caught and not self.true


FOUND: dict[str, Program] = {}
"""Every program that was defined, by name."""


def program(name, *rules, **more):
    """Make a function of the endpoint a program; its docstring says what it does.

    Args:
        name: in the table.
        rules: those in force.
        more: further fields of `Program`.
    """
    return lambda run: programs(Program(name, run.__doc__.partition("\n")[0], rules, **more))(run)


def programs(*rows):
    """Make a function several programs, each with what its row gives it."""

    def define(run):
        for each in rows:
            if each.name in FOUND:
                raise ValueError(f"two programs are called {each.name}")
            group = run.__module__.rpartition(".")[2]
            FOUND[each.name] = replace(each, group=group, run=partial(run, **each.given))
        return run

    return define
