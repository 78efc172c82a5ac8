"""What users write, as type checkers see it; it is never run. A line that must be refused says so with its error."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Unpack, assert_type

import faultinject
from faultinject import (
    ASGIFaultMiddleware,
    Attempt,
    Call,
    ConfigurationError,
    DocumentedError,
    Exploration,
    FaultInjectError,
    Faults,
    Finding,
    Injector,
    NamedCall,
    Outcome,
    Problem,
    Profile,
    Rule,
    RuleKeys,
    Rules,
    Run,
    Scenario,
    Storage,
    StorageFactory,
    Vendor,
    WSGIFaultMiddleware,
    explore,
    get_injector,
    inject,
    install,
    record,
)
from faultinject import Rul as Rul  # type: ignore[attr-defined]

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

faultinject.instal  # type: ignore[attr-defined]  # noqa: B018


def rules() -> None:
    """Every kind of key, and of value."""
    Rule("cos:SlowDown")
    Rule("cos:SlowDown", name=None)
    Rule("cos:SlowDown", name="photos", probability=0.3, times=2, path="photos/", method=["PUT", "POST"])
    Rule("http:503", size=4096, bucket=("photos", "films"), query={"uploads": "", "partNumber": 2})
    Rule("http:503", header={"range": "", "x-test": ["a", "b"]}, set={"connection": "close"})
    Rule("http:503", unless={"path": "health", "header": {"x-test": ""}})
    Rule("hang", duration=timedelta(seconds=3), delay="100ms..2s", begin=1.5, per="call", when="after")
    Rule("truncate", keep=0.9, http2=True)
    assert_type(Rule("http:503").vendor, Vendor | None)


def mistakes() -> None:
    """What is refused before it runs."""
    Rule("http:503", bogus=3)  # type: ignore[call-arg]
    Rule("http:503", tmes=3)  # type: ignore[call-arg]
    Rule("http:503", times=[1])  # type: ignore[arg-type]
    Rule("http:503", per="request")  # type: ignore[arg-type]
    Rule("http:503", header="range")  # type: ignore[arg-type]
    Rule("http:503", path=None)  # type: ignore[arg-type]
    Rule("http:503", unless={"times": 2})  # type: ignore[typeddict-unknown-key]
    Rule("http:503", seed=1)  # type: ignore[call-arg]
    Rule(503)  # type: ignore[arg-type]
    Rule(fault="http:503")  # type: ignore[call-arg]
    inject("http:503", bogus=3)  # type: ignore[call-arg]
    inject(["http:503"])  # type: ignore[arg-type]
    Scenario(rules={"http:503"})  # type: ignore[arg-type]
    Scenario("http:503", "http:500")  # type: ignore[call-arg]


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
    """What `inject()` gives."""
    with inject("cos:SlowDown", times=2, seed=1) as faults:
        assert_type(faults, Faults)
        faults.add("http:503", path="photos/", times="1")
        faults.add("http:503", bogus=3)  # type: ignore[call-arg]
        assert_type(faults.injected, int)
        assert_type(faults.outcomes, list[Outcome])
        assert_type(faults.rules, tuple[Rule, ...])
        assert_type(faults.calls, list[Call])
        assert_type(faults.calls[0].first, Attempt)
        assert_type(faults.findings(), list[Finding])
        assert_type(faults.injector, Injector)
        with faults.pause() as nothing:
            assert_type(nothing, None)
        assert_type(faults.explore("cos"), Exploration)
        with faults.call("upload") as call:
            assert_type(call, NamedCall)
        faults.assert_retries(profile="rfc", ignore=["jitter"])
    inject(Rule("http:503"), "reset")
    inject(Scenario([Rule("http:503"), "reset"], seed="a"))

    @inject("cos:SlowDown", times=2)
    def upload(name: str) -> int:
        return len(name)

    assert_type(upload("cat"), int)
    upload(1)  # type: ignore[arg-type]


def of_a_store(faultinject_store: StorageFactory) -> None:
    """What the fixture gives."""
    storage = faultinject_store("cos")
    assert_type(storage, Storage)
    assert_type(storage.url, str)
    assert_type(storage.host, str)
    assert_type(storage.port, int)
    assert_type(storage.vendor, str)
    assert_type(storage.client, str)
    assert_type(storage.client_kwargs, dict[str, Any])
    storage.reset()
    storage.port = 8000  # type: ignore[misc]
    faultinject_store()  # type: ignore[call-arg]


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


def app(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """An app as its author types it."""
    start_response("200 OK", [])
    return [b""]


def of_apps(rules: Rules, profile: Profile) -> None:
    """`install()` gives what it was given; middleware is itself an app."""
    assert_type(install(profile), Profile)
    wrapped: WSGIApplication = WSGIFaultMiddleware(app, rules)
    wrapped = WSGIFaultMiddleware(wrapped, ["http:503", Rule("reset")], seed=1)
    ASGIFaultMiddleware(app, rules)  # type: ignore[arg-type]
    assert_type(get_injector(app), Injector | None)


def of_errors() -> None:
    """What is caught, and what it holds."""
    try:
        Scenario.load("faults.toml")
    except ConfigurationError as error:
        caught: FaultInjectError = error
        assert_type(error.problems, tuple[Problem, ...])
        print(caught)


def of_the_catalogue() -> None:
    """Vendors and their rows."""
    assert_type(faultinject.vendors.get("cos"), Vendor)
    assert_type(faultinject.vendors.find("cos:SlowDown"), DocumentedError)
    assert_type(faultinject.vendors.names(), tuple[str, ...])
