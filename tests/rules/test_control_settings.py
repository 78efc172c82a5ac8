"""The control API's variables: its place, and the clients that may use it."""

from faultinject import Injector
from tests.refusals import refusal
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
    environ = {"FAULTINJECT_ENABLED": "1", "FAULTINJECT_CONTROL": "/x", **variables}
    told = str(refusal(Injector, "http:503", environ=environ))
    assert message in told
    assert "two words" not in told


def settings(**variables):
    """The settings of the control API, of these variables."""
    given = {f"FAULTINJECT_{name.upper()}": value for name, value in variables.items()}
    return Injector(environ={"FAULTINJECT_ENABLED": "1", "FAULTINJECT_CONTROL": "/a", **given}).control


@each_row(
    ("variables", "said"),
    [
        (
            {"control": "[::]:0", "control_remote": "Allow", "control_hosts": "A.example. [::2],b.example"},
            {"host": "::", "port": 0, "path": "", "hosts": ("a.example", "::2", "b.example"), "remote": True, "place": "[::]:0"},
        ),
        ({"control": "/a/b/"}, {"path": "/a/b", "place": "/a/b"}),
        *(
            ({"token": token, "control_remote": remote}, {"path": "/a", "tokens": {"": token}, "remote": bool(remote)})
            for token, remote in (("x" * 8, ""), ("x" * 16, "allow"), ("x" * 1024, ""))
        ),
        # Each person may have a token; a single one may hold the sign of equality at its end.
        ({"token": "alice=open-sesame, bob=shut-sesame"}, {"tokens": {"alice": "open-sesame", "bob": "shut-sesame"}}),
        ({"token": "alice=open-sesame="}, {"tokens": {"alice": "open-sesame="}}),
        ({"token": "b3BlbnNlc2FtZQ=="}, {"tokens": {"": "b3BlbnNlc2FtZQ=="}}),
    ],
)  # fmt: skip
def test_settings_that_are_right(variables, said):
    """As they are read."""
    found = settings(**variables)
    assert {name: getattr(found, name) for name in said} == said


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
    told = str(refusal(settings, token=text))
    assert message in told
    assert "sesame" not in told
