"""The drivers: each SDK does all its calls against the store that plays its service."""

import re

import pytest

from faultinject.conformance.driving import run
from faultinject.conformance.plan import PHASES
from faultinject.conformance.sdks import SDKS
from faultinject.server.certificates import certificate
from tests.documents import PAGES
from tests.pairs import fewest

from .conftest import short

ALL = ("get", "put", "post", "complete")
CALLS = [*short("cal", calls=tuple((kind, 1) for kind in ALL)), *short("denied", calls=(("get", 1),))]
KINDS = {
    **dict.fromkeys(
        "b2 obstore opendal opendal-retry pyarrow qiniu swift qiniu-js rclone s3cmd".split(),
        ("get", "put"),
    ),
    **dict.fromkeys(("azure-blob", "azure-blob-js"), ("get", "put", "complete")),
    **dict.fromkeys(("gcs", "gcs-js"), ("get", "put", "post")),
    "restic": ("put",),
}
"""The calls of clients that cannot make all kinds."""
REQUESTS = {
    "bos": {"denied-001": 2},
    "pyarrow": {"cal-001": 2},
    "rclone": {"cal-002": 3},
    "restic": {"cal-002": 3},
    "s3cmd": {"cal-001": 2},
    "stamina": {"denied-001": 3},
    "tenacity": {"denied-001": 3},
}
"""Calls with several requests.

Some clients ask for the size of a file first, and some repeat a forbidden request.
"""
REFUSED = ("403", "denied", "forbidden", "not authorized", "sse-c")
"""Words in an error about a refusal; b2sdk takes it for a wrong key of encryption."""
QUICK = ("cos", "requests", "curl")
"""An SDK, a client that is none, and a program that is not Python."""
BESIDE = {"s3cmd", "rclone", "restic"}
"""Clients whose calls also send requests to the bucket."""


def installed(sdk):
    """The SDK, or a skip of the test where it is not installed."""
    if sdk.version is None:
        pytest.skip(f"{sdk.package} is not installed")
    return sdk


@pytest.mark.parametrize("name", QUICK)
def test_an_sdk_does_its_calls(name):
    """Every call succeeds and has its key in each request's path; an error is reported."""
    sdk = installed(SDKS[name])
    check_calls(sdk, run(sdk.command, name=sdk.name, vendor=sdk.vendor, phases=CALLS))


WITHOUT_TLS = {"aws-java", "aws-java-2", "awscrt", "cos-js", "oss-js"}
"""Clients that do not accept the certificate (docs/how-to/judge-a-client.md lists them).

They trust a list of their own, or ask for hosts that the certificate is not for.
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "sdk", fewest(SDKS.values(), lambda sdk: [(sdk.home, sdk.package)]), ids=lambda sdk: sdk.name
)
def test_an_sdk_does_its_calls_over_tls(sdk):
    """The calls succeed over TLS with a trusted certificate, but for clients on the page's list."""
    pytest.importorskip("trustme")
    with certificate() as made:
        done = run(installed(sdk).command, name=sdk.name, vendor=sdk.vendor, phases=CALLS, certificate=made)
    if sdk.name in WITHOUT_TLS:
        assert done.outcomes == []
        assert f" {sdk.name} " in re.sub(r"[,\s]+", " ", PAGES["docs/how-to/judge-a-client.md"])
        done = run(sdk.command, name=sdk.name, vendor=sdk.vendor, phases=CALLS)
    check_calls(sdk, done)


def check_calls(sdk, done):
    """Whether those calls came about as the tables here say."""
    keys = [f"cal-{ALL.index(kind) + 1:03}" for kind in KINDS.get(sdk.name, ALL)]
    assert [(each.key, each.returned, each.error) for each in done.windows if each.key in keys] == [
        (each, True, None) for each in keys
    ]
    if "get" in KINDS.get(sdk.name, ALL):
        keys.append("denied-001")
        assert (done.windows[-1].key, done.windows[-1].returned) == ("denied-001", False)
        assert any(each in done.windows[-1].error.lower() for each in REFUSED)
    found = [[key for key in keys if key in each.path.split("/")] for each in done.outcomes]
    if sdk.name in BESIDE:
        found = [each for each in found if each]
    wanted = dict.fromkeys(keys, 1) | REQUESTS.get(sdk.name, {})
    assert sorted(found) == [[key] for key, number in wanted.items() for _ in range(number)]


@pytest.mark.slow
def test_what_the_user_has_set_for_aws_is_not_the_clients(monkeypatch):
    """The user's settings for AWS are ignored, and a client is judged by its own defaults.

    A call that gets one error is repeated.
    """
    sdk = installed(SDKS["boto3"])
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    done = run(sdk.command, name=sdk.name, vendor=sdk.vendor, phases=short("one", calls=(("put", 1),)))
    assert ([(each.key, each.returned) for each in done.windows], len(done.outcomes)) == (
        [("one-001", True)],
        2,
    )


MINUTE = 60.0
"""Seconds; clients that need longer are not waited for here."""
# Each vendor by each kind of driver, and each deadline; with `pytest --whole` all of them.
PLANNED = fewest(
    [each for each in SDKS.values() if each.deadline <= MINUTE],
    lambda sdk: [(sdk.home, sdk.vendor), (sdk.home, sdk.deadline)],
)


@pytest.mark.slow
@pytest.mark.parametrize("sdk", PLANNED, ids=lambda sdk: sdk.name)
def test_an_sdk_is_through_in_its_time(sdk):
    """The plan ends within the deadline of `clients.toml`, with no open call.

    One SDK leaves its cut downloads open.
    """
    done = run(installed(sdk).command, name=sdk.name, vendor=sdk.vendor, aws=sdk.aws, deadline=sdk.deadline)
    assert done.seconds < sdk.deadline
    left = [each.name for each in done.windows if each.ended is None]
    # @google-cloud/storage 7.22.0 waits for ever for the rest of a download whose object was replaced: there are four.
    assert left == (["replaced"] * 4 if sdk.name == "gcs-js" else [])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["restic", "aws-java", "aws-java-2"])
def test_a_client_that_signs_its_chunks_sends_the_same_bytes(name):
    """Each attempt has other signatures within the body, and the same content."""
    sdk = installed(SDKS[name])
    phases = [each for each in PHASES if each.name in {"one", "lost"}]
    done = run(sdk.command, name=sdk.name, vendor=sdk.vendor, phases=phases)
    assert [each.verdict for each in done.judgement.findings if each.check == "same bytes"] == ["PASS"]


def test_the_page_tells_how_each_is_installed():
    """`docs/how-to/clients-of-every-language.md` names each client of npm and of the machine."""
    page = PAGES["docs/how-to/clients-of-every-language.md"]
    told = {word for block in re.findall(r"```text\n(.*?)```", page, re.DOTALL) for word in block.split()}
    homes = [each for each in SDKS.values() if each.home in ("npm", "program")]
    assert [each.name for each in homes if not told.issuperset((each.packages or each.package).split())] == []
    jars = [each for each in SDKS.values() if each.home == "jar"]
    assert [each.name for each in jars if f"`{each.package}-VERSION.jar`" not in page] == []
