"""The control API's variables: its place, and the clients that may use it."""

from __future__ import annotations

import pytest

from faultinject import Injector
from faultinject.exceptions import ConfigurationError
from tests.rows import each_row


@each_row(
    ("variables", "message"),
    [
        (
            {"FAULTINJECT_CONTROL": "0.0.0.0:80"},
            "FAULTINJECT_CONTROL: 0.0.0.0 is not loopback, so others could reach it",
        ),
        ({"FAULTINJECT_CONTROL": "db:80"}, "FAULTINJECT_CONTROL: db is not loopback"),
        ({"FAULTINJECT_CONTROL": "/"}, "/ would be the whole app; use a path such as /_faultinject"),
        ({"FAULTINJECT_CONTROL": "/a//b"}, "a path has letters, digits"),
        ({"FAULTINJECT_CONTROL": "/a/../b"}, "a path has letters, digits"),
        ({"FAULTINJECT_CONTROL": "_faultinject"}, "did you mean /_faultinject?"),
        ({"FAULTINJECT_CONTROL": "127.0.0.1"}, "127.0.0.1 has no port; did you mean 127.0.0.1:8765?"),
        (
            {"FAULTINJECT_CONTROL": "what else?"},
            "give a path such as /_faultinject or an address such as 127.0.0.1:8765",
        ),
        ({"FAULTINJECT_CONTROL": "8765"}, "did you mean 127.0.0.1:8765?"),
        ({"FAULTINJECT_CONTROL": ":8765"}, "did you mean 127.0.0.1:8765?"),
        ({"FAULTINJECT_CONTROL": "http://localhost:8765/"}, "did you mean localhost:8765?"),
        ({"FAULTINJECT_CONTROL": "localhost:99999"}, "99999 is not a port, 0 to 65535"),
        ({"FAULTINJECT_CONTROL": "::1:8765"}, "an IPv6 address stands in brackets, such as [::1]:8765"),
        ({"FAULTINJECT_CONTROL": "[::x]:8765"}, "::x is neither a name nor an IP address"),
        (
            {"FAULTINJECT_TOKEN": "two words"},
            "FAULTINJECT_TOKEN: a token has only visible ASCII characters, and no blank",
        ),
        ({"FAULTINJECT_TOKEN": "x" * 1025}, "FAULTINJECT_TOKEN: a token has at most 1024 characters"),
        ({"FAULTINJECT_TOKEN": "x" * 7}, "FAULTINJECT_TOKEN: a token has at least 8 characters"),
        (
            {"FAULTINJECT_TOKEN": "x" * 15, "FAULTINJECT_CONTROL_REMOTE": "allow"},
            "a token has at least 8 characters, with FAULTINJECT_CONTROL_REMOTE=allow 16: leave it out",
        ),
        ({"FAULTINJECT_CONTROL_REMOTE": "yes"}, "FAULTINJECT_CONTROL_REMOTE: yes is not allow"),
        (
            {"FAULTINJECT_CONTROL_HOSTS": "*"},
            "FAULTINJECT_CONTROL_HOSTS: * is not a host such as staging.example.com",
        ),
        ({"FAULTINJECT_CONTROL_HOSTS": "https://a.example:80/"}, "did you mean a.example?"),
        ({"FAULTINJECT_CONTROL_HOSTS": "http://a.example:1:2"}, "did you mean a.example?"),
        ({"FAULTINJECT_CONTROLS": "/x"}, "did you mean FAULTINJECT_CONTROL?"),
    ],
)
def test_wrong_settings_stop_the_start(variables, message):
    """Each with its variable, and without the token."""
    with pytest.raises(ConfigurationError) as caught:
        Injector("http:503", environ={"FAULTINJECT_ENABLED": "1", "FAULTINJECT_CONTROL": "/x", **variables})
    assert message in str(caught.value)
    assert "two words" not in str(caught.value)


def test_settings_that_are_right():
    """As they are read."""
    environ = {
        "FAULTINJECT_ENABLED": "1",
        "FAULTINJECT_CONTROL": "[::]:0",
        "FAULTINJECT_CONTROL_REMOTE": "Allow",
        "FAULTINJECT_CONTROL_HOSTS": "A.example. [::2],b.example",
    }
    found = Injector(environ=environ).control
    assert (found.host, found.port, found.path) == ("::", 0, "")
    assert (found.hosts, found.remote) == (("a.example", "::2", "b.example"), True)
    assert found.place == "[::]:0"
    path = Injector(environ={"FAULTINJECT_ENABLED": "1", "FAULTINJECT_CONTROL": "/a/b/"}).control
    assert path.path == "/a/b"
    for token, remote in (("x" * 8, ""), ("x" * 16, "allow"), ("x" * 1024, "")):
        found = Injector(
            environ={
                "FAULTINJECT_ENABLED": "1",
                "FAULTINJECT_CONTROL": "/a",
                "FAULTINJECT_TOKEN": token,
                "FAULTINJECT_CONTROL_REMOTE": remote,
            }
        ).control
        assert (found.path, found.tokens, found.remote) == ("/a", {"": token}, bool(remote))
    assert path.place == "/a/b"


def tokens(text):
    """The tokens of the environment, by name."""
    return Injector(
        environ={"FAULTINJECT_ENABLED": "1", "FAULTINJECT_CONTROL": "/a", "FAULTINJECT_TOKEN": text}
    ).control.tokens


def test_tokens_with_names():
    """One for each person; a single one may hold the sign of equality at its end."""
    assert tokens("alice=open-sesame, bob=shut-sesame") == {"alice": "open-sesame", "bob": "shut-sesame"}
    assert tokens("alice=open-sesame=") == {"alice": "open-sesame="}
    assert tokens("b3BlbnNlc2FtZQ==") == {"": "b3BlbnNlc2FtZQ=="}


@each_row(
    ("text", "message"),
    [
        ("alice=open-sesame,shut-sesame", "each name has a token"),
        ("alice=open-sesame,b ob=shut-sesame", "each name has a token"),
        ("alice=open-sesame,bob=short", "FAULTINJECT_TOKEN: bob: a token has at least 8 characters"),
        ("alice=open-sesame,alice=shut-sesame", "a name or a token is there twice"),
        ("alice=open-sesame,bob=open-sesame", "a name or a token is there twice"),
    ],
)
def test_wrong_tokens_with_names(text, message):
    """The message names the person and no token."""
    with pytest.raises(ConfigurationError) as caught:
        tokens(text)
    assert message in str(caught.value)
    assert "sesame" not in str(caught.value)
