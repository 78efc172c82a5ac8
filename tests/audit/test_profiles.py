"""What clients promise, as data."""

import pytest

from faultinject.audit import profiles
from faultinject.exceptions import ConfigurationError

BOTO3 = "Boto3/{0} md/Botocore#{0} ua/2.1 os/linux lang/python#3.11.7 m/E,b cfg/retry-mode#{1} Botocore/{0}"

MINE = """
title = "Ours"
reference = "the handbook"
attempts = 5
budget = true
distribution = "uniform"
[waits.throttle]
base = "1s"
factor = 3
cap = "5s"
[waits.any]
shortest = ["100ms"]
longest = ["200ms", "400ms"]
[quota]
any = 7
[hints]
seconds = "10s"
[[clients]]
user-agent = "ours/"
since = "2.1"
below = "3"
"""


@pytest.mark.parametrize("name", profiles.names())
def test_every_profile_says_who_promises_what(name):
    """A title for people, a reference to look up, nothing that makes no sense."""
    profile = profiles.get(name)
    assert (profile.name, profile.title != name, profile.reference != "") == (name, True, True)
    for kind in ("throttle", "server", "transport"):
        for retry in range(1, 40):
            low, high = profile.bounds(kind, retry) or (0, 0)
            assert 0 <= low <= high


def test_the_profiles_that_come_along():
    """Names are what scripts are written with."""
    known = {"rfc", "aws-2026", "aws-legacy", "gcs", "azure", "sre", "cos", "qingstor"}
    assert known <= set(profiles.names())


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (BOTO3.format("1.44.5", "standard"), "aws-2026"),
        (BOTO3.format("2.0.0", "standard"), "aws-2026"),
        (BOTO3.format("1.43.117", "standard"), "aws-legacy"),
        (BOTO3.format("1.44.5", "legacy"), "botocore-legacy"),
        (BOTO3.format("1.44.5", "adaptive"), "rfc"),
        (BOTO3.format("dev", "standard"), "rfc"),
        ("cos-python-sdk-v5.1.9.44", "cos"),
        ("qingstor-sdk-python/2.6.0  (Python v3.11.7; linux)", "qingstor"),
        ("gcloud-python/3.17.1  gl-python/3.11.7 gax/2.44.0 gccl/3.17.1 ", "gcs"),
        ("azsdk-python-storage-blob/12.31.1 Python/3.11.7", "azure"),
        ("curl/8.5.0", "rfc"),
        ("", "rfc"),
        (None, "rfc"),
    ],
)
def test_a_client_is_known_by_its_user_agent(user_agent, expected):
    """By name, version and mode; who is not known is held to the RFCs."""
    assert profiles.detect(user_agent).name == expected


def test_bounds_of_the_new_and_the_old_aws_rules():
    """A throttle waits as before, everything else begins at 50 ms; 20 s are the end."""
    new, old = profiles.get("aws-2026"), profiles.get("aws-legacy")
    assert [new.bound("throttle", each) for each in (1, 2, 5, 6, 99)] == [1, 2, 16, 20, 20]
    assert [new.bound("server", each) for each in (1, 2, 3)] == [0.05, 0.1, 0.2]
    assert [old.bound("server", each) for each in (1, 2, 3)] == [1, 2, 4]
    assert [profiles.get("cos").bounds("server", each) for each in (1, 2, 3, 4)] == [
        (1, 1),
        (2, 2),
        (3, 3),
        (3, 3),
    ]
    assert profiles.get("rfc").bounds("server", 1) is profiles.get("rfc").bound("server", 1) is None


def test_a_profile_of_ones_own(tmp_path):
    """A file says all that the built-in ones can say."""
    (tmp_path / "ours.toml").write_text(MINE)
    found = profiles.get(str(tmp_path / "ours.toml"))
    assert (found.name, found.title, found.reference, found.attempts, found.most) == (
        "ours",
        "Ours",
        "the handbook",
        5,
        5,
    )
    assert [found.bound("throttle", each) for each in (1, 2, 3)] == [1, 3, 5]
    assert [found.bounds("server", each) for each in (1, 2, 3)] == [(0.1, 0.2), (0.1, 0.4), (0.1, 0.4)]
    assert (found.outage_retries("server"), found.hints, found.budget) == (7, {"seconds": 10.0}, True)
    fits = found.marks[0].fits
    assert [fits(f"ours/{each}") for each in ("2.0.9", "2.1", "2.1rc1", "2.10", "3.0", "x")] == [
        False, True, True, True, False, False,
    ]  # fmt: skip


def test_every_mistake_of_a_profile_is_told(tmp_path):
    """With its place, and the nearest key."""
    path = tmp_path / "bad.toml"
    path.write_text(
        """
title = "two\\nlines"
attempt = 2
attempts = true
most_attempts = 0
budget = "yes"
distribution = "normal"
quota = 3
waits.serve.base = "1s"
waits.server = 1
waits.throttle.cap = "1s"
waits.transport = {base = 1, factor = 0.5, longest = []}
waits.any = {base = "1 parsec", cap = "2s", longest = ["1s", 2]}
hints.seconds = 1
[[clients]]
since = "1"
"""
    )
    with pytest.raises(ConfigurationError) as caught:
        profiles.get(str(path))
    assert [str(each).removeprefix(f"{path}: ") for each in caught.value.problems] == [
        "title: must be a text of one line",
        "attempt: there is no such key; did you mean attempts?",
        "attempts: must be a number of at least 1",
        "most_attempts: must be a number of at least 1",
        "budget: must be true or false",
        "distribution: normal is not known; there is uniform",
        "quota: must be a table",
        "waits.serve: there is no such key; did you mean server?",
        "waits.server: must be a table",
        'waits.throttle: needs base = "1s", or longest = ["1s", "2s"]',
        'waits.transport.base: must be a duration such as "1s"',
        "waits.transport.factor: must be a number between 1 and 1000",
        'waits.transport.longest: must be a list of durations such as ["1s", "2s"]',
        'waits.transport: needs base = "1s", or longest = ["1s", "2s"]',
        "waits.any.base: 1 parsec is not a duration such as 200ms, 5s, 10m or 1h",
        'waits.any.longest: must be a duration such as "1s"',
        'waits.any: needs base = "1s", or longest = ["1s", "2s"]',
        'hints.seconds: must be a duration such as "1s"',
        'clients.0: needs user-agent = "Name/"',
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("attempts = ", "not TOML: Invalid value (at end of document)"),
        ("clients = 3", "clients: must be a list of tables: write [[clients]]"),
        ("clients = [3]", "clients: must be a table"),
    ],
)
def test_what_is_no_profile_is_refused(tmp_path, text, expected):
    """With what would be right."""
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        profiles.get(str(path))
    assert str(caught.value) == f"{path}: {expected}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("aws-2025", "aws-2025 is not a profile; did you mean aws-2026?"),
        ("nothing", "nothing is not a profile; there are aws-2026, aws-legacy, azure,"),
        ("no/such/file", "no/such/file: cannot read it: No such file or directory"),
    ],
)
def test_a_profile_that_is_not_there_is_named(name, expected):
    """With the nearest one, or all."""
    with pytest.raises(ConfigurationError) as caught:
        profiles.get(name)
    assert str(caught.value).startswith(expected)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    """Bytes that are no UTF-8."""
    path = tmp_path / "bad.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="cannot read it"):
        profiles.get(str(path))
