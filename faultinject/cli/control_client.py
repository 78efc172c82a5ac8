"""What asks the control API of a server: one call a connection, each with an end; no proxy, no redirect, no token in a URL."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from faultinject.control.api import LARGEST as MOST_SENT
from faultinject.exceptions import ConfigurationError, Conflict, Problem
from faultinject.rules.control import CONTROL, HOSTS, TOKEN, read_address
from faultinject.rules.values import Mistake, visible
from faultinject.rules.variables import value_of

PATIENCE = 10.0
"""Seconds in which a call is answered."""
AGENT = "faultinject-control"
USUAL_PORTS = {"http": 80, "https": 443}
STATE = frozenset(
    "generation on enabled until expires now seed production store max_active active refused undecided failures disarmed rules"
    " totals".split()
)
SCENARIO = frozenset(("seed", "rules"))
JOURNAL = frozenset(("outcomes", "cursor", "dropped"))
"""What the answers have that are shown; without it a server is another one, whatever its JSON."""
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked, not bound
"""Where a server that listens on all addresses is asked on this machine."""


class ControlClient:
    """The control API at one address.

    Args:
        url: where it is, such as `http://127.0.0.1:8765`, or with the path at which an app has it; None: FAULTINJECT_CONTROL says it.
        environ: the environment, which has the token.
        patience: seconds in which a call is answered.

    Attributes:
        url: where it is, fit for messages.

    Raises:
        ConfigurationError: nobody says where it is, or there is no token.
    """

    def __init__(
        self, url: str | None, environ: Mapping[str, str] = os.environ, *, patience: float = PATIENCE
    ) -> None:
        self._patience = patience
        option = "--url" if url is not None else CONTROL
        text = _url(url, environ)
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in USUAL_PORTS or not parts.hostname or not _can_be_sent(text, parts.path):
            raise _wrong(option, f"{_without_password(text)} is not a URL such as http://127.0.0.1:8765")
        if port == 0:
            raise _wrong(
                option, "port 0 lets the server take a free one: add --url and the address that its log says"
            )
        if parts.username is not None or parts.query or parts.fragment:
            raise _wrong(option, f"a URL has no name, no password and no query here: the token is in {TOKEN}")
        self._host, self._port = parts.hostname, port or USUAL_PORTS[parts.scheme]
        self._secure = parts.scheme == "https"
        self._mount = parts.path.rstrip("/")
        name = f"[{self._host}]" if ":" in self._host else self._host
        self.url = visible(f"{parts.scheme}://{name}:{self._port}{self._mount}")
        token = value_of(environ, TOKEN)
        if token is None:
            raise _wrong(
                TOKEN, "it is not set: set it to what the server has, or has told its log at the start"
            )
        if not (token.isascii() and token.isprintable()):
            raise _wrong(TOKEN, "a token has visible ASCII characters alone")
        self._token = token

    def state(self) -> dict[str, Any]:
        """The switch, the rules with their counts, and the limits."""
        return self._call("GET", "/state", STATE)

    def scenario(self) -> dict[str, Any]:
        """The rules in force, as a file of rules in JSON has them."""
        return self._call("GET", "/rules", SCENARIO)

    def journal(self, after: str, limit: int) -> dict[str, Any]:
        """What happened to requests from a cursor on, and the next cursor."""
        return self._call("GET", f"/journal?{urlencode({'after': after, 'limit': limit})}", JOURNAL)

    def text(self, path: str, **query: str) -> str:
        """What a path shows that is no JSON."""
        answer, data = self._ask("GET", f"{path}?{urlencode(query)}")
        if answer.status != 200 or "application/toml" not in answer.headers.get("content-type", ""):
            self._refuse(answer, data)
        return data.decode("utf-8", "replace")

    def change(self, method: str, path: str, body: object, generation: int | None = None) -> dict[str, Any]:
        """Change something; the new state.

        Args:
            method: of HTTP.
            path: below the address.
            body: plain data.
            generation: what must be in force for that, or None.

        Raises:
            Conflict: something else is in force.
        """
        return self._call(method, path, STATE, body, generation)

    def _call(
        self, method: str, path: str, has: frozenset[str], body: object = None, generation: int | None = None
    ) -> dict[str, Any]:
        answer, data = self._ask(method, path, body, generation)
        if answer.status not in (200, 201):
            self._refuse(answer, data)
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            raise self._stranger(answer) from None
        if not isinstance(found, dict) or not found.keys() >= has:
            raise self._stranger(answer)
        return found

    def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        generation: int | None = None,
    ) -> tuple[http.client.HTTPResponse, bytes]:
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
                # A server answers before it has read all, and ends the connection: often its answer is lost.
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
            return answer, answer.read()
        except ConnectionRefusedError:
            why = (
                f"nothing listens on {visible(self._host)}:{self._port}: start the app with"
                f" {CONTROL}={visible(self._host)}:{self._port}, or name another address with --url"
            )
        except TimeoutError:
            why = f"{self.url} did not answer within {self._patience:.0f} s"
        except http.client.IncompleteRead:
            why = f"{self.url} broke off its answer"
        except http.client.HTTPException:
            why = f"{self.url} does not answer as HTTP does: name the address of a control API with --url"
        except (OSError, UnicodeError) as error:  # of a host's name that cannot be one
            why = f"{self.url} cannot be reached: {getattr(error, 'strerror', None) or error}"
        finally:
            connection.close()
        raise ConfigurationError(why)

    def _refuse(self, answer: http.client.HTTPResponse, data: bytes) -> None:
        """Tell what the server has against a call, and what to do.

        Raises:
            Conflict: something else is in force.
            ConfigurationError: else.
        """
        try:
            error = json.loads(data)["error"]
            message, problems = str(error["message"]), error.get("problems") or []
            found = [
                Problem(
                    str(each["message"]),
                    where=str(each.get("where", "")),
                    excerpt="\n".join(filter(None, (each.get("excerpt"), each.get("caret")))),
                )
                for each in problems
            ]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise self._stranger(answer) from None
        status = answer.status
        if status == 412:
            raise Conflict(f"nothing was changed: {message}")
        if status == 401:
            message = f"{self.url} refuses the token in {TOKEN}: {message}"
        elif status == 421:
            message = f"{self.url} does not go by this name ({message}): start the app with {HOSTS}={visible(self._host)}"
        raise ConfigurationError(found or [message])

    def _stranger(self, answer: http.client.HTTPResponse) -> ConfigurationError:
        kind = visible(answer.headers.get("content-type", "") or "nothing")
        return ConfigurationError(
            f"{self.url} is no control API of faultinject: it answers {answer.status} with {kind};"
            " an app has its own at the path that it names, such as --url http://127.0.0.1:8000/_faultinject"
        )


def _url(url: str | None, environ: Mapping[str, str]) -> str:
    if url is not None:
        return url if "://" in url else f"http://{url}"
    text = value_of(environ, CONTROL)
    if text is None:
        raise ConfigurationError(
            f"nobody says where the control API is: add --url http://127.0.0.1:8765, or set {CONTROL}=127.0.0.1:8765"
        )
    if text.startswith("/"):
        raise _wrong(
            CONTROL, f"{visible(text)} is a path of the app: add --url http://HOST:PORT{visible(text)}"
        )
    return _asked(text)


def _asked(address: str) -> str:
    """The URL at which a server is asked that listens on an address."""
    try:
        host, port = read_address(address)
    except Mistake as mistake:
        raise mistake.error([Problem(mistake.message, where=CONTROL)]) from None
    host = ANY_ADDRESS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _can_be_sent(url: str, path: str) -> bool:
    return url.isprintable() and " " not in url and path.isascii()


def _without_password(text: str) -> str:
    """What was given as a URL, fit for a message."""
    before, at, rest = text.rpartition("@")
    scheme, colon, _ = before.rpartition("//")
    return visible(f"{scheme}{colon}…@{rest}" if at else text)


def _wrong(where: str, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(message, where=where)])
