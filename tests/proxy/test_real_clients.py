"""Requests of SDKs in every language, and the answers, pass unchanged: signatures hold."""

import re
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from faultinject.conformance import driving, plan, sdks
from faultinject.conformance.driving import run
from faultinject.conformance.plan import Phase
from faultinject.proxy.app import Proxy
from faultinject.proxy.target import Target
from tests.pairs import fewest

from .conftest import running
from .tap import Tap, messages

pytestmark = [pytest.mark.live, pytest.mark.slow]

CALLS = [
    Phase("cal", "", tuple((kind, 1) for kind in plan.KINDS), "nothing is done"),
    Phase("slo", "{throttled}", (("get", 1), ("put", 1)), "the first attempts are throttled"),
]
AS_HTTP_PROXY = {"cos-js": "http://myqcloud.com"}
"""Clients that take the service's own hosts, and this proxy as their HTTP_PROXY: the hosts."""
FULL_URL = re.compile(rb"(?<= )http://[^/ ]+")


@pytest.mark.parametrize(
    "sdk", fewest(sdks.SDKS.values(), lambda sdk: [(sdk.home, sdk.package)]), ids=lambda sdk: sdk.name
)
def test_nothing_is_changed(sdk, monkeypatch):
    """Lines, their case and order, bodies and the number of connections are the same both ways."""
    if sdk.version is None:
        pytest.skip(f"{sdk.package} is not installed")
    taps = []
    real = driving.serving

    @contextmanager
    def serving(*arguments, **named):
        with (
            real(*arguments, **named) as found,
            Tap(urlsplit(found.url).port) as behind,
            running(Proxy(Target(behind.url)), Target(AS_HTTP_PROXY.get(sdk.name, behind.url))) as (_, port),
            Tap(port) as before,
        ):
            taps.extend((before, behind))
            found.url = before.url
            yield found

    monkeypatch.setattr(driving, "serving", serving)
    done = run(sdk.command, name=sdk.name, vendor=sdk.vendor, phases=CALLS)
    assert [each for each in done.windows if each.key.startswith("cal") and not each.returned] == []
    assert sum(map(len, taps[0].said)) > 100
    came, went = (
        sorted(talk(said, told) for said, told in zip(tap.said, tap.answered, strict=True) if said)
        for tap in taps
    )
    if sdk.name in AS_HTTP_PROXY:
        came = [
            ([(FULL_URL.sub(b"", head, count=1), *rest) for head, *rest in said], told) for said, told in came
        ]
    assert came == went


def talk(said, answered):
    """The messages of one connection, either way."""
    asked = messages(said)
    return asked, messages(answered, [head.partition(b" ")[0] for head, *_ in asked])
