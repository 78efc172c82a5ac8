"""Backblaze's own test modes, `X-Bz-Test-Mode`, as its SDK meets them: by HTTP, against the store."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
import requests
from b2sdk.v3 import B2Api, B2HttpApiConfig, InMemoryAccountInfo
from b2sdk.v3.exception import B2Error, InvalidAuthToken

from faultinject import Injector, install
from faultinject.retry_tests import b2_modes
from faultinject.retry_tests.b2_modes import CAP, EXPIRE, FAIL, B2ModesFace
from faultinject.server.connections import Server
from faultinject.store.b2 import B2Store


class Mode:
    """What b2sdk calls before each request: it puts the header there, as its other SDKs do by a setting."""

    def __init__(self, mode):
        self.mode = mode

    def pre_request(self, method, url, headers):
        if self.mode:
            headers["X-Bz-Test-Mode"] = self.mode

    def post_request(self, method, url, headers, response):
        pass


def api_of(url, mode):
    """The SDK, authorized, with that mode in each of its requests."""
    api = B2Api(InMemoryAccountInfo(), api_config=B2HttpApiConfig(install_clock_skew_hook=False))
    api.session.raw_api.b2_http.add_callback(Mode(mode))
    api.authorize_account("id", "key", realm=url)
    return api


class Bench:
    """B2's SDK, and the store with the test modes in front."""

    def __init__(self, rules=()):
        self.injector = Injector(rules, seed=1, environ={}, record_all=True)
        store = install(B2Store(), injector=self.injector, enabled=True)
        self.server = Server(B2ModesFace(store, self.injector))

    def api(self, mode):
        return api_of(self.server.url, mode)

    @property
    def seen(self):
        """What was asked, and the rule that answered."""
        return [
            (each.operation, each.rule if each.injected else None) for each in self.injector.journal.outcomes
        ]


@pytest.fixture
def bench():
    found = Bench()
    with found.server:
        yield found


@pytest.fixture
def patient(monkeypatch):
    """The SDK's waits between retries take no time."""
    monkeypatch.setattr("time.sleep", lambda _: None)


def read(bucket, name):
    got = io.BytesIO()
    bucket.download_file_by_name(name).save(got)
    return got.getvalue()


def test_without_a_mode_nothing_fails(bench):
    """Buckets, uploads, listings and downloads."""
    api = bench.api(None)
    made = api.create_bucket("photos", "allPrivate")
    for number in range(5):
        made.upload_bytes(b"meow", f"cats/{number}.jpg")
    bucket = api.get_bucket_by_name("photos")
    assert read(bucket, "cats/3.jpg") == b"meow"
    assert [each.file_name for each, _ in bucket.ls("cats", recursive=True)] == [
        f"cats/{each}.jpg" for each in range(5)
    ]
    assert [each.name for each in api.list_buckets()] == ["photos"]
    assert {rule for _, rule in bench.seen} == {None}


def test_some_uploads_fail(bench, patient):
    """The SDK asks for a new address and uploads again, until it passes; the share is that of the rule, by the seed."""
    bucket = bench.api(FAIL).create_bucket("photos", "allPrivate")
    for number in range(40):
        bucket.upload_bytes(b"meow", f"{number}.jpg")
    assert len(list(bucket.ls())) == 40
    uploads = [rule for operation, rule in bench.seen if operation == "b2_upload_file"]
    failed = uploads.count(FAIL)
    assert len(uploads) == 40 + failed
    assert 8 <= failed <= 30
    others = {operation: rule for operation, rule in bench.seen if rule is not None}
    assert others == {"b2_upload_file": FAIL}
    asked = [operation for operation, _ in bench.seen]
    after = [asked[at + 1] for at, (_, rule) in enumerate(bench.seen) if rule == FAIL]
    assert after == ["b2_get_upload_url"] * failed


def test_tokens_expire(bench):
    """Each when it has served two calls; the SDK asks for another one and goes on."""
    api = bench.api(EXPIRE)
    bucket = api.create_bucket("photos", "allPrivate")
    bucket.upload_bytes(b"meow", "cat.jpg")
    assert [read(bucket, "cat.jpg") for _ in range(5)] == [b"meow"] * 5
    told = [(operation, rule) for operation, rule in bench.seen if operation != "b2_upload_file"]
    expired = [at for at, (_, rule) in enumerate(told) if rule == EXPIRE]
    assert expired == [3, 7, 11]
    assert [told[at + 1][0] for at in expired] == ["b2_authorize_account"] * 3
    assert ("b2_upload_file", None) in bench.seen


def test_a_token_that_has_expired_stays_so(bench):
    """Who asks again with the same one gets nowhere."""
    api = bench.api(EXPIRE)
    raw, info = api.session.raw_api, api.account_info
    asked = info.get_api_url(), info.get_account_auth_token(), info.get_account_id()
    for _ in range(2):
        raw.list_buckets(*asked)
    for _ in range(4):
        with pytest.raises(InvalidAuthToken, match="Authorization token has expired"):
            raw.list_buckets(*asked)


def test_the_cap_is_exceeded(bench):
    """Each call that has to do with uploads; what is there can be read."""
    bench.api(None).create_bucket("photos", "allPrivate").upload_bytes(b"meow", "cat.jpg")
    bucket = bench.api(CAP).get_bucket_by_name("photos")
    with pytest.raises(B2Error, match="cap"):
        bucket.upload_bytes(b"meow", "dog.jpg")
    assert read(bucket, "cat.jpg") == b"meow"
    assert [each for each in bench.seen if each[1]] == [("b2_get_upload_url", CAP)]


def test_another_mode_is_refused(bench):
    """With 400; whatever it is, the answer repeats no more of it than it must."""
    answer = requests.get(
        f"{bench.server.url}/b2api/v4/b2_list_buckets", headers={"X-Bz-Test-Mode": "x" * 100}, timeout=10
    )
    assert answer.status_code == 400
    assert answer.json() == {
        "code": "bad_request",
        "message": f"Invalid X-Bz-Test-Mode: {'x' * 64}",
        "status": 400,
    }


def test_rules_for_everybody(patient):
    """They are not asked about a request that the mode has a rule for; others get them."""
    bench = Bench("b2:bad_request,operation=b2_get_upload_url,operation=b2_list_file_names")
    with bench.server:
        bucket = bench.api(CAP).create_bucket("photos", "allPrivate")
        with pytest.raises(B2Error, match="cap"):
            bucket.upload_bytes(b"meow", "cat.jpg")
        with pytest.raises(B2Error, match="wrong fields"):
            list(bucket.ls())
    assert [rule for _, rule in bench.seen if rule] == [CAP, "rule-1"]


def test_faults_that_are_switched_off(bench):
    """The header means nothing then."""
    bench.injector.disable()
    api = bench.api(CAP)
    api.create_bucket("photos", "allPrivate").upload_bytes(b"meow", "cat.jpg")


def test_tokens_that_are_forgotten(bench, monkeypatch):
    """Of too many the one that was used longest ago serves anew."""
    monkeypatch.setattr(b2_modes, "MOST_TOKENS", 2)

    def ask(token):
        headers = {"X-Bz-Test-Mode": EXPIRE, "Authorization": token}
        return requests.get(
            f"{bench.server.url}/b2api/v4/b2_list_buckets", headers=headers, timeout=10
        ).status_code

    assert [ask(each) for each in "aaab"] == [200, 200, 401, 200]
    assert ask("a") == 401
    assert [ask("c"), ask("b"), ask("a")] == [200, 200, 200]


def test_wrong_documents(bench):
    """A body that is no JSON object, and a file that is not there."""
    url = f"{bench.server.url}/b2api/v4/b2_list_buckets"
    wrong = [requests.post(url, data=each, timeout=10) for each in (b"{", b"[]", b"[" * 100_000)]
    said = {"code": "bad_json", "message": "the request's body is no JSON object", "status": 400}
    assert [(each.status_code, each.json()) for each in wrong] == [(400, said)] * 3
    assert requests.get(f"{bench.server.url}/file/photos/none", timeout=10).status_code == 404
    assert requests.get(f"{url}?bucketName=cats", timeout=10).json()["buckets"][0]["bucketId"] == "cats"


@pytest.mark.live
def test_the_sdk_against_serve():
    """`faultinject serve --vendor b2` has all of it."""
    serve = [sys.executable, "-m", "faultinject", "serve", "--vendor", "b2", "--port", "0", "--seed", "1"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as process:
        try:
            head = [process.stdout.readline().rstrip("\n") for _ in range(4)]
            url = head[0].rpartition(" on ")[2]
            assert head == [
                f"the embedded object store (Backblaze B2 (native API)) on {url}",
                "  no rules, so no faults; give some with -r, such as -r b2:too_many_requests,probability=0.3",
                "  X-Bz-Test-Mode: the failures that Backblaze has for tests, for requests with this header",
                "Ctrl-C ends it.",
            ]
            api = api_of(url, EXPIRE)
            bucket = api.create_bucket("photos", "allPrivate")
            bucket.upload_bytes(b"meow", "cat.jpg")
            assert [read(bucket, "cat.jpg") for _ in range(3)] == [b"meow"] * 3
            assert (
                process.stdout.readline()
                == f"GET /file/photos/cat.jpg -> b2:expired_auth_token (401) by {EXPIRE}\n"
            )
        finally:
            process.terminate()
            process.communicate(timeout=20)
