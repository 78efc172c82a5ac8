"""Code of users for type checkers; it never runs, and each mistake is marked with its error."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol, Unpack, assert_type

import faultinject
from faultinject import (
    ASGIFaultMiddleware,
    Attempt,
    AttemptHint,
    Call,
    Category,
    ConfigurationError,
    Did,
    DocumentedError,
    Exploration,
    FaultInjectError,
    Faults,
    Finding,
    Injector,
    Journal,
    NamedCall,
    Outcome,
    Problem,
    Profile,
    Retryable,
    Rule,
    RuleCounts,
    RuleKeys,
    Rules,
    Run,
    Scenario,
    State,
    Storage,
    StorageFactory,
    Vendor,
    Verdict,
    Waits,
    When,
    WSGIFaultMiddleware,
    explore,
    get_injector,
    inject,
    install,
    record,
)
from faultinject import Rul as Rul  # type: ignore[attr-defined]
from faultinject.exceptions import (
    ConflictError,
    ExplorationFailedError,
    RetryAssertionError,
    StoreUnavailableError,
)

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

faultinject.instal  # type: ignore[attr-defined]  # noqa: B018


def rules() -> None:
    """Every kind of key, and of value."""
    right = [
        Rule("cos:SlowDown"),
        Rule("cos:SlowDown", name=None),
        Rule("cos:SlowDown", name="photos", probability=0.3, times=2, path="photos/", method=["PUT", "POST"]),
        Rule("http:503", size=4096, bucket=("photos", "films"), query={"uploads": "", "partNumber": 2}),
        Rule("http:503", header={"range": "", "x-test": ["a", "b"]}, set={"connection": "close"}),
        Rule("http:503", unless={"path": "health", "header": {"x-test": ""}}),
        Rule("hang", duration=timedelta(seconds=3), delay="100ms..2s", begin=1.5, per="call", when="after"),
        Rule("truncate", keep=0.9, http2=True),
    ]
    assert_type(right[0].vendor, Vendor | None)


def mistakes() -> None:
    """Mistakes that a type checker refuses."""
    print(
        Rule("http:503", bogus=3),  # type: ignore[call-arg]
        Rule("http:503", tmes=3),  # type: ignore[call-arg]
        Rule("http:503", times=[1]),  # type: ignore[arg-type]
        Rule("http:503", per="request"),  # type: ignore[arg-type]
        Rule("http:503", header="range"),  # type: ignore[arg-type]
        Rule("http:503", path=None),  # type: ignore[arg-type]
        Rule("http:503", unless={"times": 2}),  # type: ignore[typeddict-unknown-key]
        Rule("http:503", seed=1),  # type: ignore[call-arg]
        Rule(503),  # type: ignore[arg-type]
        Rule(fault="http:503"),  # type: ignore[call-arg]
        inject("http:503", bogus=3),  # type: ignore[call-arg]
        inject(["http:503"]),  # type: ignore[arg-type]
        Scenario(rules={"http:503"}),  # type: ignore[arg-type]
        Scenario("http:503", "http:500"),  # type: ignore[call-arg]
    )


def of_a_wrapper(**keys: Unpack[RuleKeys]) -> Rule:
    """Whoever hands keys on has them typed as well."""
    some: RuleKeys = {"times": 2}
    some["method"] = "PUT"
    some["bogus"] = 3  # type: ignore[typeddict-unknown-key]
    return Rule("http:503", **keys)


def with_dots(given: dict[str, Any]) -> None:
    """Keys that are no words of Python have no type of their own: a dict of any values is taken."""
    Rule("http:503", **given)
    inject("http:503", **given)


def of_a_block() -> None:
    """The types of an `inject()` block."""
    with inject("cos:SlowDown", times=2, seed=1) as faults:
        assert_type(faults, Faults)
        faults.add("http:503", path="photos/", times="1")
        faults.add("http:503", bogus=3)  # type: ignore[call-arg]
        assert_type((faults.injected, faults.outcomes), tuple[int, list[Outcome]])
        assert_type((faults.rules, faults.calls), tuple[tuple[Rule, ...], list[Call]])
        call = faults.calls[0]
        assert_type((call.first, call.gaps), tuple[Attempt, tuple[float | None, ...]])
        assert_type((faults.findings(), faults.injector), tuple[list[Finding], Injector])
        with faults.pause() as nothing:
            assert_type(nothing, None)
        assert_type(faults.explore("cos"), Exploration)
        with faults.call("upload") as named:
            assert_type(named, NamedCall)
        faults.assert_retries(profile="rfc", ignore=["jitter"])
    inject(Rule("http:503"), "reset")
    inject(Scenario([Rule("http:503"), "reset"], seed="a"))

    @inject("cos:SlowDown", times=2)
    def upload(name: str) -> int:
        return len(name)

    assert_type(upload("cat"), int)
    upload(1)  # type: ignore[arg-type]


def of_a_store(faultinject_store: StorageFactory) -> None:
    """The types of the storage fixture."""
    storage = faultinject_store("cos")
    assert_type(storage, Storage)
    assert_type((storage.url, storage.host, storage.port), tuple[str, str, int])
    told = (storage.vendor, storage.client, storage.client_kwargs)
    assert_type(told, tuple[str, str, dict[str, Any]])
    storage.reset()
    storage.port = 8000  # type: ignore[misc]
    faultinject_store()  # type: ignore[call-arg]
    with Storage("s3") as own:
        assert_type(own, Storage)


async def of_an_async_block() -> None:
    """The same, awaited."""
    async with inject("cos:SlowDown") as faults:
        assert_type(faults, Faults)


def of_exploration(code: Callable[[], object]) -> None:
    """A loop of runs."""
    for run in explore("cos", "reset", depth=2):
        assert_type(run, Run)
        with run as faults:
            assert_type(faults, Faults)
    assert_type(record(code), list[Outcome])
    exploration = explore("s3", "reset,when=after", depth=2, allow=OSError, ignore=["jitter"])
    print(exploration.to_json())


def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """An app as its author types it."""
    start_response("200 OK", [])
    return [b""]


class AppOfFramework(Protocol):
    """The type of Flask's own `wsgi_app`: a method with named parameters."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        ...


def of_apps(rules: Rules, profile: Profile) -> None:
    """`install()` gives what it was given; middleware is itself an app."""
    assert_type(install(profile), Profile)
    wrapped: WSGIApplication = WSGIFaultMiddleware(app, rules)
    wrapped = WSGIFaultMiddleware(wrapped, ["http:503", Rule("reset")], seed=1)
    around = WSGIFaultMiddleware(app, rules)
    assert_type(around.injector, Injector)
    kept: AppOfFramework = around
    print(kept)
    ASGIFaultMiddleware(app, rules)  # type: ignore[arg-type]
    assert_type(get_injector(app), Injector | None)


def of_an_injector(injector: Injector) -> None:
    """The types of returned values can be named."""
    state: State = injector.use("http:503", seed=1)
    state = injector.disable(expected=state.generation, why="the store is gone")
    state = injector.add(Rule("latency", delay="100ms"), expected=state.generation)
    injector.disable_rule(state.scenario.display_names[-1])
    counts: dict[str, RuleCounts] = injector.counts()
    assert_type((counts["rule-1"].injected, counts["rule-1"]["injected"]), tuple[int, int])
    counts["rule-1"].injected = 0  # type: ignore[misc]
    journal: Journal = injector.journal
    assert_type(journal.outcomes, list[Outcome])
    print(state)


class Clock:
    """A clock that an injector can be given."""

    def monotonic(self) -> float:
        """Stand still."""
        return 0.0

    def wait(self, seconds: float, sleep: Callable[[float], object]) -> None:
        """Not wait."""


def of_words(outcome: Outcome, finding: Finding, row: DocumentedError) -> None:
    """A word that cannot be is a mistake."""
    waits: Waits = Clock()
    print(waits, outcome.did == "answered", outcome.when == "after", finding.verdict == "FAIL")
    print(row.retryable == "yes", row.category == "throttle")
    assert_type((outcome.did, outcome.when), tuple[Did, When | None])
    assert_type((finding.verdict, row.retryable, row.category), tuple[Verdict, Retryable, Category])
    assert_type(outcome.when, Literal["before", "after"] | None)
    assert_type(finding.verdict, Literal["FAIL", "WARN", "INCONCLUSIVE", "PASS"])
    assert_type(row.retryable, Literal["yes", "no", "unstated"])
    hint: AttemptHint | None = outcome.attempt_hint
    print(
        outcome.did == "answred",  # type: ignore[comparison-overlap]
        finding.verdict == "fail",  # type: ignore[comparison-overlap]
        row.category == "throtle",  # type: ignore[comparison-overlap]
        hint,
    )


def of_errors() -> None:
    """The types of errors and of their attributes."""
    try:
        Scenario.load("faults.toml")
    except ConfigurationError as error:
        caught: FaultInjectError = error
        assert_type(error.problems, tuple[Problem, ...])
        print(caught, [(each.where, each.message, each.excerpt) for each in error.problems])
    except (ConflictError, ExplorationFailedError, RetryAssertionError, StoreUnavailableError) as error:
        print(error)


def of_the_catalogue() -> None:
    """Vendors and their rows."""
    catalogue = faultinject.vendors
    vendor, row = catalogue.get("cos"), catalogue.find("cos:SlowDown")
    assert_type((vendor, vendor.errors), tuple[Vendor, tuple[DocumentedError, ...]])
    assert_type((row, catalogue.names()), tuple[DocumentedError, tuple[str, ...]])
