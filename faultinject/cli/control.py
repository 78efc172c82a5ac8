"""`faultinject control`: shows and changes a running server's faults by its control API."""

from __future__ import annotations

import http.client
import json
import os
import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import click
from msgspec import MsgspecError, Struct
from msgspec.json import decode

from faultinject.cli import layout, listening
from faultinject.cli.rules import read_rules_of
from faultinject.control.api import LARGEST as MOST_SENT
from faultinject.control.calls import RuleState, ScenarioInForce, ServerState
from faultinject.engine.shown import quoted
from faultinject.exceptions import ConfigurationError, ConflictError, Problem, plain
from faultinject.rules.control import CONTROL, HOSTS, TOKEN, read_address, read_tokens
from faultinject.rules.descriptions import count
from faultinject.rules.values import Mistake, visible
from faultinject.rules.variables import value_of

PATIENCE = 10.0
"""Seconds to wait for an answer."""
AGENT = "faultinject-control"
TOKENS = re.compile("[!-~]+")
URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[\da-f:.]+(%[\w.~-]+)?\]|[\w.~-]+)(:(?P<port>\d{1,5}))?"
    r"(?P<mount>(/[!-\"$->@-~]*)?)",
    re.ASCII | re.IGNORECASE,
)
NO_API = f"A server has no control API unless it was started with `--control` or {CONTROL}"
"""The hint if the user may address a server that nobody can control."""
USUAL_PORTS = {"http": 80, "https": 443}
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked, not bound
"""The loopback addresses that reach a server which listens on all addresses."""


T = TypeVar("T")


class LatestOutcomes(Struct):
    """The latest requests.

    Attributes:
        outcomes: The requests in order, as lines of a journal with `injected`: whether it got a fault.
        cursor: The place from which a later call goes on.
        dropped: The number of older requests that are no longer kept.
        v: The version of the format.
    """

    outcomes: list[dict[str, Any]]
    cursor: str
    dropped: int
    v: int = 1


class ControlClient:
    """A client of one control API.

    Args:
        url: the address, such as `http://127.0.0.1:8765`, with the path of the API if an app has it; None: the
            address in FAULTINJECT_CONTROL.
        environ: the environment, which has the token.
        patience: seconds to wait for an answer.

    Attributes:
        url: the address without any password.

    Raises:
        ConfigurationError: the address or the token is missing or wrong.
    """

    def __init__(
        self, url: str | None, environ: Mapping[str, str] = os.environ, *, patience: float = PATIENCE
    ) -> None:
        self._patience = patience
        option = "--url" if url is not None else CONTROL
        parts = URL.fullmatch(_url(url, environ))
        scheme = parts["scheme"].lower() if parts else "http"
        port = int(parts["port"] or USUAL_PORTS[scheme]) if parts else 0
        if parts is None or port > 65535:
            # The message does not show it: it may contain a password.
            raise _wrong(option, f"this is not a URL such as http://127.0.0.1:8765; the token is in {TOKEN}")
        if port == 0:
            raise _wrong(
                option, "port 0 lets the server take a free one: add --url and the address that its log says"
            )
        self._host, self._port = parts["host"].strip("[]"), port
        self._secure = scheme == "https"
        self._mount = parts["mount"].rstrip("/")
        self.url = f"{scheme}://{parts['host'].lower()}:{port}{self._mount}"
        token = value_of(environ, TOKEN)
        if token is None:
            raise ConfigurationError(
                f"{TOKEN} is not set: set it to the server's token, which is in the server's log if nobody"
                f" chose one. {NO_API}"
            )
        if not TOKENS.fullmatch(token):
            raise _wrong(TOKEN, "a token has visible ASCII characters alone")
        names = read_tokens(token)
        if len(names) > 1:
            raise _wrong(TOKEN, "it has several tokens: set it to your own")
        self._token = names[0][1]

    def state(self) -> ServerState:
        """The switch, the rules with their counts, and the limits."""
        return self._call("GET", "/state", ServerState)

    def scenario(self) -> ScenarioInForce:
        """The rules in force, as a file of rules in JSON has them."""
        return self._call("GET", "/rules", ScenarioInForce)

    def journal(self, after: str, limit: int) -> LatestOutcomes:
        """The outcomes of requests from a cursor on, and the next cursor."""
        return self._call("GET", f"/journal?{urlencode({'after': after, 'limit': limit})}", LatestOutcomes)

    def change(self, method: str, path: str, body: object, generation: int | None = None) -> ServerState:
        """Change something, and return the new state.

        Args:
            method: the HTTP method.
            path: the path below the address.
            body: the body as plain data.
            generation: the generation that must be in force, or None.

        Raises:
            ConflictError: another generation is in force.
        """
        return self._call(method, path, ServerState, body, generation)

    def _call(
        self, method: str, path: str, form: type[T], body: object = None, generation: int | None = None
    ) -> T:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/json",
            "User-Agent": AGENT,
        }
        data = None
        if method != "GET":
            headers["Content-Type"] = "application/json"
            data = json.dumps({} if body is None else body).encode()
            if len(data) > MOST_SENT:
                # The server would close the connection before it has read the body, and its answer might be lost.
                raise ConfigurationError(
                    f"{len(data)} bytes of rules are too many: a control API takes {MOST_SENT}"
                )
        if generation is not None:
            headers["If-Match"] = f'"{generation}"'
        connection = (
            http.client.HTTPSConnection(self._host, self._port, timeout=self._patience)
            if self._secure
            else http.client.HTTPConnection(self._host, self._port, timeout=self._patience)
        )
        try:
            connection.request(method, f"{self._mount}{path}", data, headers)
            answer = connection.getresponse()
            return self._read(answer, answer.read(), form)
        except ConnectionRefusedError:
            address = f"{visible(self._host)}:{self._port}"
            # Below a path, the address is that of the app itself.
            place = visible(self._mount) or address
            reason = (
                f"nothing listens on {address}: start the app with {CONTROL}={place}, or name another address"
                " with --url"
            )
        except TimeoutError:
            reason = f"{self.url} did not answer within {self._patience:.0f} s"
        except http.client.IncompleteRead:
            reason = f"{self.url} broke off its answer"
        except http.client.HTTPException:
            reason = f"{self.url} does not answer as HTTP does: name the address of a control API with --url"
        except (OSError, UnicodeError) as error:  # the host name may be impossible
            reason = f"{self.url} cannot be reached: {getattr(error, 'strerror', None) or error}"
        finally:
            connection.close()
        raise ConfigurationError(reason)

    def _read(self, answer: http.client.HTTPResponse, data: bytes, form: type[T]) -> T:
        if answer.status not in (200, 201):
            self._refuse(answer, data)
        try:
            return decode(data, type=form)
        except (ValueError, MsgspecError, RecursionError):
            # Another server may answer with any JSON.
            raise self._not_a_control_api(answer) from None

    def _refuse(self, answer: http.client.HTTPResponse, data: bytes) -> None:
        """Raise the server's error, with advice for the user.

        Raises:
            ConflictError: another generation is in force.
            ConfigurationError: any other error.
        """
        try:
            error = json.loads(data)["error"]
            message, problems = str(error["message"]), error.get("problems") or []
            mistakes = [
                Problem(
                    str(problem["message"]),
                    where=str(problem.get("where", "")),
                    excerpt="\n".join(filter(None, (problem.get("excerpt"), problem.get("caret")))),
                )
                for problem in problems
            ]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise self._not_a_control_api(answer) from None
        status = answer.status
        if status == 412:
            raise ConflictError(f"nothing was changed: {message}")
        if status == 401:
            message = f"{self.url} refuses the token in {TOKEN}: {message}"
        elif status == 421:
            message = (
                f"{self.url} does not go by this name ({message}): start the app with"
                f" {HOSTS}={visible(self._host)}"
            )
        raise ConfigurationError(mistakes or [message])

    def _not_a_control_api(self, answer: http.client.HTTPResponse) -> ConfigurationError:
        kind = visible(answer.headers.get("content-type", "") or "nothing")
        return ConfigurationError(
            f"{self.url} is no control API of faultinject: it answers {answer.status} with {kind};"
            " an app has its own at the path that it names, such as --url http://127.0.0.1:8000/_faultinject."
            f" {NO_API}"
        )


def _url(url: str | None, environ: Mapping[str, str]) -> str:
    if url is not None:
        return url if "://" in url else f"http://{url}"
    text = value_of(environ, CONTROL)
    if text is None:
        raise ConfigurationError(
            f"the address of the control API is missing: add --url http://127.0.0.1:8765, or set"
            f" {CONTROL}=127.0.0.1:8765"
        )
    if text.startswith("/"):
        raise _wrong(
            CONTROL, f"{visible(text)} is a path of the app: add --url http://HOST:PORT{visible(text)}"
        )
    return _url_of_listener(text)


def _url_of_listener(address: str) -> str:
    """The URL of a server that listens on an address."""
    try:
        host, port = read_address(address)
    except Mistake as mistake:
        raise mistake.error([Problem(mistake.message, where=CONTROL)]) from None
    host = ANY_ADDRESS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _wrong(where: str, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(message, where=where)])


COLUMNS = ("time", "method", "path", "did", "status", "fault", "rule")
_WIDTHS = (12, 6, 0, 10, 6, 0, 0)


def show_state(state: ServerState, url: str) -> None:
    """Print whether faults are on, the rules in force, and their counts."""
    click.echo(f"{url}: {_switch(state)}")
    header = [
        f"generation {state.generation}",
        f"seed {quoted(state.seed)}",
        f"store {quoted(state.store)}",
    ]
    if state.abort is not None:
        header.append(f"abort {quoted(state.abort)}")
    total = [
        f"{state.totals.injected} injected of {count(state.totals.matched, 'request')} that matched a rule"
    ]
    for number, meaning in (
        (state.refused, "not injected because as many as allowed were under way"),
        (state.undecided, "passed because the store of counts did not answer"),
        (state.failures, "errors in faultinject"),
    ):
        if number:
            total.append(f"{number} {meaning}")
    # Processes with shared counts share all numbers but this one.
    active = f"{state.active} of at most {state.max_active} faults under way"
    if state.shared:
        counted = f"in all processes: {', '.join(total)}; in the process that answers: {active}"
    else:
        counted = f"in the process that answers: {', '.join([*total, active])}"
    click.echo(f"  {', '.join(header)}; {counted}")
    show_rules(state.rules)


def show_rules(rules: Sequence[RuleState]) -> None:
    """Print a row for each rule."""
    if not rules:
        click.echo("  no rules, so no faults")
        return
    rows = [
        (
            quoted(rule.name),
            _state_of_rule(rule),
            str(rule.injected),
            str(rule.matched),
            plain(quoted(rule.text)),
        )
        for rule in rules
    ]
    layout.show(("name", "state", "injected", "matched", "rule"), rows)


def journal_row(outcome: Mapping[str, Any]) -> tuple[str, ...]:
    """The cells of one request's row."""
    moment = time.strftime("%H:%M:%S", time.localtime(outcome["time"]))
    return (
        f"{moment}.{int(outcome['time'] % 1 * 1000):03}",
        *(plain(quoted("-" if outcome[name] is None else str(outcome[name])), 200) for name in COLUMNS[1:]),
    )


def show_journal(outcomes: Sequence[Mapping[str, Any]], dropped: int) -> None:
    """Print a row for each request."""
    if dropped:
        click.echo(f"{dropped} older ones are no longer kept")
    if outcomes:
        layout.show(COLUMNS, [journal_row(outcome) for outcome in outcomes])
    else:
        click.echo("no request has matched a rule so far")


def _switch(state: ServerState) -> str:
    if state.production:
        return f"off, {quoted(state.production)} looks like production"
    if state.elsewhere:
        return f"off: {quoted(state.elsewhere)}"
    if not state.on:
        reason = f": {quoted(state.disarmed)}" if state.disarmed else ""
        return f"off{reason}"
    ends = [end for end in (state.until, state.expires) if end is not None]
    if not state.enabled:
        over = bool(ends) and min(ends) <= state.now
        return f"off, {'its time is over' if over else 'the environment of the app switches it off'}"
    if not ends:
        return "on"
    seconds_left = max(0, round(min(ends) - state.now))
    now, end = time.localtime(state.now), time.localtime(min(ends))
    # A time without a date means today.
    form = "%H:%M:%S" if end[:3] == now[:3] else "%Y-%m-%d %H:%M:%S"
    return f"on for another {_duration(seconds_left)}, until {time.strftime(form, end)}"


def _duration(seconds: int) -> str:
    """Seconds in words.

    >>> _duration(59), _duration(60), _duration(3599), _duration(3600)
    ('59 s', '1 min 0 s', '59 min 59 s', '1 h 0 min')
    """
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def _state_of_rule(rule: RuleState) -> str:
    if not rule.enabled:
        return "disabled"
    return "used up" if rule.spent else "on"


PAGE = 5_000
"""The most outcomes in one answer."""
PAUSE, GIVES_UP = 1.0, 30.0
"""Seconds between two calls for the journal, and until a silent server is an error."""


def show_status(*, url: str | None, as_json: bool) -> int:
    """Write the state, and return 0."""
    client = ControlClient(url)
    return _show(client, client.state(), as_json=as_json)


def show_rules_in_force(*, url: str | None, as_json: bool) -> int:
    """Write the rules, and return 0."""
    client = ControlClient(url)
    if as_json:
        layout.print_json(client.scenario())
    else:
        show_rules(client.state().rules)
    return 0


def replace_rules(rules: Sequence[str], file: str | None, seed: str | None, **options: Any) -> int:
    """Put other rules in force, and return 0."""
    body: dict[str, Any]
    if file is None:
        layout.refuse({"there is no rule: give one, such as cos:SlowDown,times=2, or --file FILE": not rules})
        # The server reads them: it may have vendors and faults that are not installed here.
        body = {"text": "\n".join(rules)}
    else:
        scenario = read_rules_of(rules, file)
        assert scenario is not None
        body = json.loads(scenario.to_json())
    if seed is not None:
        body["seed"] = seed
    return change("PUT", "/rules", body, **options)


def show_outcomes(*, follows: bool, limit: int, url: str | None, as_json: bool) -> int:
    """Write the latest requests, and return 0."""
    client = ControlClient(url)
    latest = _latest(client, limit)
    if follows:
        _follow(client, latest, as_json=as_json)
    elif as_json:
        layout.print_json(latest)
    elif limit:
        show_journal(latest.outcomes, latest.dropped)
    return 0


def change(
    method: str,
    path: str,
    body: object = None,
    *,
    rule: str = "",
    url: str | None,
    as_json: bool,
    generation: int | None,
) -> int:
    """Change something, show the new state, and return 0; `NAME` in the path stands for `rule`."""
    client = ControlClient(url)
    path = path.replace("NAME", quote(rule, safe="", errors="surrogateescape"))
    return _show(client, client.change(method, path, body, generation), as_json=as_json)


def _show(client: ControlClient, state: ServerState, *, as_json: bool) -> int:
    if as_json:
        layout.print_json(state)
    else:
        show_state(state, client.url)
    return 0


def _latest(client: ControlClient, limit: int) -> LatestOutcomes:
    """The last `limit` requests."""
    outcomes: dict[tuple[int, int], dict[str, Any]] = {}
    cursor, dropped = "", 0
    while True:
        page = client.journal(cursor, PAGE)
        # The end of a request is a second outcome, which replaces the first.
        outcomes |= {(outcome["pid"], outcome["seq"]): outcome for outcome in page.outcomes}
        cursor = page.cursor
        dropped += page.dropped
        if len(page.outcomes) < PAGE:
            return LatestOutcomes([*deque(outcomes.values(), limit)], cursor, dropped)


def _follow(client: ControlClient, latest: LatestOutcomes, *, as_json: bool) -> None:
    """Write each outcome as a line, and ask for further ones each second, until Ctrl-C.

    Raises:
        ConfigurationError: the server has not answered for half a minute.
    """
    listening.handle_signals()
    alive, lost = time.monotonic(), False
    printed: deque[str] = deque(maxlen=PAGE)
    while True:
        for outcome in latest.outcomes:
            line = json.dumps(outcome) if as_json else layout.in_columns(journal_row(outcome), _WIDTHS)
            # The end of a request is printed only if its line differs from that of the beginning.
            if not outcome.get("final") or line not in printed:
                click.echo(line)
                printed.append(line)
        time.sleep(PAUSE)
        latest.outcomes = []
        try:
            latest = client.journal(latest.cursor, PAGE)
        except ConfigurationError:
            if time.monotonic() - alive > GIVES_UP:
                raise
            if not lost:
                lost = True
                click.echo(f"faultinject: the connection to {client.url} is lost; trying again", err=True)
            continue
        alive, lost = time.monotonic(), False
        if latest.dropped:
            click.echo(f"faultinject: missing requests: {latest.dropped}", err=True)
