"""Reads the settings from environment variables; variables and time are arguments."""

from __future__ import annotations

from dataclasses import dataclass, field

from faultinject.rules import values
from faultinject.rules.diagnosis import Diagnosis
from faultinject.rules.production import production_reason
from faultinject.rules.scenario import Scenario
from faultinject.rules.store import read_store
from faultinject.rules.values import Mistake, shown, visible
from faultinject.rules.variables import check_known, read_abort, read_seed, read_variables, value_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from faultinject.rules.control import ControlSettings

DAY = 24 * 3600.0
MOST_ACTIVE = 10_000
"""The most faults under way in a process, as each of them may occupy a connection."""
_SETTINGS: dict[str, Callable[[str], object]] = {
    "header": values.yes_no,
    "watch": values.yes_no,
    "max_active": lambda text: values.count(text, most=MOST_ACTIVE),
    "on_request": values.yes_no,
    "store": read_store,
}


@dataclass(slots=True, eq=False)
class Environment:
    """The settings of an environment; defaults if it does not switch faultinject on.

    Attributes:
        abort: the bound of FAULTINJECT_ABORT, which overrides a scenario's own, or None.
        enabled: True, False, or None when the environment does not say.
        scenario: the rules of FILE, RULES and RULE_*; None when rules were given in code.
        seed: FAULTINJECT_SEED, or the file's seed, or None.
        header: whether injected answers are marked.
        endpoints: the user's own host suffixes, in lower case, without leading dots, those with most labels first.
        store: the place of the counts; None when the environment does not say.
        watch: whether FILE is read again when it changes; None when the environment does not say.
        session: the directory of the session in which this process takes part, or None.
        journal: the path of the journal's file, or None.
        max_active: the most faults that may be under way.
        on_request: whether requests may ask for faults of their own.
        expires: unix seconds from which nothing is injected, or None.
        control: the place and the permitted clients of the control API; None: there is none.
        production_allowed: whether faults are injected even in production.
        elsewhere: the reason why FAULTINJECT_ONLY_WHERE permits no faults here; empty if it permits them.
    """

    enabled: bool | None
    abort: str | None = None
    scenario: Scenario | None = None
    seed: str | None = None
    header: bool = True
    endpoints: tuple[str, ...] = ()
    store: str | None = field(default=None, repr=False)  # a traceback must not show its password
    watch: bool | None = None
    session: str | None = None
    journal: str | None = None
    max_active: int = 100
    on_request: bool = False
    expires: float | None = None
    control: ControlSettings | None = None
    production_allowed: bool = False
    elsewhere: str = ""


def is_switched_on(environ: Mapping[str, str]) -> bool | None:
    """Whether the environment switches faultinject on or off; None if it does not say.

    Raises:
        ConfigurationError: the variable has another value.
    """
    diagnosis = Diagnosis()
    enabled = _enabled(environ, diagnosis)
    diagnosis.close()
    return enabled


def read_environment(
    environ: Mapping[str, str],
    *,
    now: float,
    started: Callable[[], float] | None = None,
    rules_given: bool = False,
    forced: bool | None = None,
) -> Environment:
    """All settings of an environment.

    Args:
        environ: the variables.
        now: unix seconds.
        started: gives the unix seconds of the server's start, from which a duration in EXPIRES counts; by default
            now.
        rules_given: whether rules come from code: FILE, RULES and RULE_* are then neither read nor required.
        forced: whether to read on as if ENABLED were 1; ENABLED=0 still switches off.

    Raises:
        ConfigurationError: has every mistake, with its variable.
    """
    diagnosis = Diagnosis()
    enabled = _enabled(environ, diagnosis)
    environment = Environment(forced or None if enabled is None else enabled)
    if environment.enabled:
        check_known(environ, diagnosis)
        place = value_of(environ, "FAULTINJECT_CONTROL")
        if place is not None:
            from faultinject.rules.control import read_control

            environment.control = read_control(place, environ, diagnosis)
        if rules_given:
            environment.seed = read_seed(environ, diagnosis)
            environment.abort = read_abort(environ, diagnosis)
        else:
            rules, seed, abort = read_variables(environ, diagnosis)
            environment.scenario = scenario = Scenario.of_rules(rules, seed, abort)
            environment.seed = scenario.seed
            # The file's `abort` is valid only while the file's scenario is.
            environment.abort = abort if value_of(environ, "FAULTINJECT_ABORT") is not None else None
            rules_elsewhere = environment.control is not None or _has_rules_elsewhere(environ)
            if not scenario.rules and not diagnosis and not rules_elsewhere:
                diagnosis.add(
                    "faultinject is on and has no rule: set FAULTINJECT_RULES, "
                    "such as FAULTINJECT_RULES=cos:SlowDown,probability=0.1"
                )
        _read_settings(environment, environ, diagnosis)
        _read_expiry(environment, environ, now, started, diagnosis)
        environment.elsewhere = _read_only_where(environ, diagnosis)
        _check_on_request(environment, environ, diagnosis)
    diagnosis.close()
    return environment


def _enabled(environ: Mapping[str, str], diagnosis: Diagnosis) -> bool | None:
    text = value_of(environ, "FAULTINJECT_ENABLED")
    enabled = None
    if text is not None:
        try:
            enabled = values.yes_no(text)
        except Mistake as mistake:
            diagnosis.add(f"{mistake.message}; use 1 or 0", "FAULTINJECT_ENABLED")
    if enabled is None and value_of(environ, "FAULTINJECT_SESSION") is not None:
        return True
    return enabled


def _read_settings(environment: Environment, environ: Mapping[str, str], diagnosis: Diagnosis) -> None:
    for name, read in _SETTINGS.items():
        variable = f"FAULTINJECT_{name.upper()}"
        text = value_of(environ, variable)
        value = None if text is None else diagnosis.read(read, text, variable)
        if value is not None:
            setattr(environment, name, value)
    environment.journal = value_of(environ, "FAULTINJECT_JOURNAL")
    environment.session = value_of(environ, "FAULTINJECT_SESSION")
    environment.endpoints = _endpoints(value_of(environ, "FAULTINJECT_ENDPOINT") or "", diagnosis)


def _has_rules_elsewhere(environ: Mapping[str, str]) -> bool:
    """Whether rules come from a session or from requests."""
    on_request = (value_of(environ, "FAULTINJECT_ON_REQUEST") or "no").lower()
    return value_of(environ, "FAULTINJECT_SESSION") is not None or on_request not in values.NO


def _check_on_request(environment: Environment, environ: Mapping[str, str], diagnosis: Diagnosis) -> None:
    """Refuse settings by which faults could reach clients other than those that ask for them."""
    if not environment.on_request:
        return
    if not environment.header:
        diagnosis.add(
            "a cache might keep an answer without Cache-Control, and give it to others;"
            " leave FAULTINJECT_HEADER=0 out",
            "FAULTINJECT_ON_REQUEST",
        )
    reason = production_reason(environ) if environment.production_allowed else None
    if reason is not None:
        diagnosis.add(
            f"{visible(reason)} looks like production, where no client may ask for faults; leave it out",
            "FAULTINJECT_ON_REQUEST",
        )


def _read_only_where(environ: Mapping[str, str], diagnosis: Diagnosis) -> str:
    text = value_of(environ, "FAULTINJECT_ONLY_WHERE") or ""
    name, equals, value = text.partition("=")
    if text and not (name and equals and value):
        diagnosis.add(f"{shown(text)} is not NAME=value, such as APP_ENV=staging", "FAULTINJECT_ONLY_WHERE")
    if not text or environ.get(name) == value:
        return ""
    differs = "has another value" if name in environ else "is not set"
    return (
        f"faults are only where {visible(text)} (FAULTINJECT_ONLY_WHERE), and {visible(name)} {differs} here"
    )


def _endpoints(text: str, diagnosis: Diagnosis) -> tuple[str, ...]:
    suffixes = []
    for word in text.replace(",", " ").split():
        suffix = word.lower().removeprefix(".").removesuffix(".")
        message = _wrong_suffix(suffix)
        if message is not None:
            diagnosis.add(f"{shown(word)} {message}", "FAULTINJECT_ENDPOINT")
        suffixes.append(suffix)
    # Suffixes with most labels are tried first, as a host may end with several.
    return tuple(sorted(suffixes, key=lambda suffix: -suffix.count(".")))


def _wrong_suffix(suffix: str) -> str | None:
    """The mistake in a host suffix, in words, or None."""
    letters = suffix.translate({ord(sign): "" for sign in "-_.*"})
    if not (letters.isascii() and letters.isalnum()):
        return "is not a host suffix such as storage.example.com, without scheme, port and path"
    labels = suffix.split(".")
    if not all(labels):
        return "has nothing between two dots"
    if any("*" in label[:-1] for label in labels):
        return (
            "has a * that is neither a whole label nor the end of one,"
            " as in cos.*.example.com and oss-*.example.com"
        )
    return None


def _read_expiry(
    environment: Environment,
    environ: Mapping[str, str],
    now: float,
    started: Callable[[], float] | None,
    diagnosis: Diagnosis,
) -> None:
    text = value_of(environ, "FAULTINJECT_EXPIRES")
    seconds_left = None
    if text is not None:
        try:
            if text.rstrip("hms").replace(".", "").isdecimal():
                seconds_left = values.duration(text)
                environment.expires = (now if started is None else started()) + seconds_left
            else:
                environment.expires = _moment(text)
                seconds_left = environment.expires - now
        except Mistake as mistake:
            diagnosis.note(mistake, "FAULTINJECT_EXPIRES")
            seconds_left = 0.0
    allow = value_of(environ, "FAULTINJECT_PRODUCTION")
    if allow is None:
        return
    if allow.lower() != "allow":
        diagnosis.add(f"{shown(allow)} is not allow", "FAULTINJECT_PRODUCTION")
    elif seconds_left is None or seconds_left > DAY:
        diagnosis.add("allow needs FAULTINJECT_EXPIRES of at most 24h", "FAULTINJECT_PRODUCTION")
    else:
        environment.production_allowed = True


def _moment(text: str) -> float:
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Mistake(
            f"{shown(text)} is not a duration such as 2h or an ISO time with zone"
            " such as 2030-01-31T12:00:00Z"
        ) from None
    if moment.tzinfo is None:
        raise Mistake(f"{shown(text)} has no zone; did you mean {text}Z?")
    return moment.timestamp()
