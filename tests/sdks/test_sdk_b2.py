"""b2sdk makes the same of an answer as of the row itself: status, code and message.

It hides: most codes, behind a class of their own; on HEAD all but the status. B2's errors carry no id.
"""

import inspect
import io
import json

import pytest
from b2sdk.v3 import B2Http, B2RawHTTPApi, FileRetentionSetting, LegalHold, RetentionMode
from b2sdk.v3.exception import B2Error, SSECKeyError, interpret_b2_error

from faultinject import vendors

from .told import KEY, of_each_row, raised

# The SDK warns of each 400 whose code it does not know: invalid_bucket_id, too_many_buckets and others.
pytestmark = pytest.mark.filterwarnings("ignore:bad request exception with an unknown `code`:UserWarning")

ROWS = vendors.get("b2").errors
SHA1 = "4a0a19218e082a343a1b17e5333409af9d98f0f5"


class Once(B2Http):
    """The SDK's connections, which ask once and keep each answer."""

    def __init__(self):
        super().__init__()
        self.got = []
        self.session.hooks["response"].append(lambda answer, **_: self.got.append(answer))

    def request(self, method, url, headers, data=None, try_count=1, params=None, **options):
        return super().request(method, url, headers, data, 1, params, **options)


@pytest.fixture(scope="module")
def http():
    once = Once()
    with once.session:
        yield once


@pytest.fixture(scope="module")
def api(http):
    return B2RawHTTPApi(http)


def list_buckets(api, url):
    return api.list_buckets(url, "token", "account")


def upload(api, url):
    at = f"{url}/b2api/v4/b2_upload_file/4a48fe8875c6214145260818/c001_v0001007_t0042"
    return api.upload_file(at, "token", KEY, 1, "text/plain", SHA1, {}, io.BytesIO(b"x"))


def download(api, url):
    with api.download_file_from_url("token", api.get_download_url_by_name(url, "photos", KEY)) as answer:
        return b"".join(answer.iter_content())


def told(row):
    """The message of a download's error; of an invalid token there is none."""
    return "" if row.status == 401 else row.message


CALLS = {
    "b2_list_buckets": (list_buckets, None, None),
    "b2_upload_file": (upload, "4a48fe8875c6214145260818", KEY),
    "b2_download_file_by_name": (download, "photos", KEY),
}


@of_each_row(ROWS, CALLS)
def test_rows(row, call, server, api, http):
    """Class and text of the SDK's error are the row's; the body is the row, to the byte."""
    ask, bucket, key = CALLS[call]
    server.use(row.address, operation=call)
    http.got.clear()
    error = raised(B2Error, ask, api, server.url)
    [answer] = http.got
    message = told(row) if call == "b2_download_file_by_name" else row.message
    sent = {"code": row.code, "message": message, "status": row.status}
    asked = json.loads(answer.request.body) if call == "b2_list_buckets" else None
    meant = interpret_b2_error(row.status, row.code, message, answer.headers, asked)
    if (call, row.code) == ("b2_download_file_by_name", "access_denied"):
        meant = SSECKeyError()  # which is what a download makes of it
    found = (type(error), str(error), answer.text, answer.headers["Content-Type"])
    expected = (type(meant), str(meant), json.dumps(sent, indent=2), "application/json;charset=utf-8")
    place = (server.last.operation, server.last.bucket, server.last.key)
    assert (found, place) == (expected, (call, bucket, key))


@of_each_row(ROWS)
def test_head(row, server, api, http):
    """On HEAD the SDK knows the status alone; the headers are GET's, and there is no body."""
    http.got.clear()
    error = raised(B2Error, api.get_file_info_by_name, server.url, "token", "photos", KEY)
    [answer] = http.got
    sent = json.dumps({"code": row.code, "message": told(row), "status": row.status}, indent=2)
    meant = interpret_b2_error(row.status, None, None, answer.headers)
    length = answer.headers["Content-Length"]
    found = answer.status_code, answer.content, length, "Retry-After" in answer.headers
    assert found == (row.status, b"", str(len(sent)), row.status == 429)
    # a 404 is an error of the download's own
    assert row.status == 404 or str(error) == str(meant)


def test_upload_asks_for_a_new_address(server, api, http):
    """A 503 at an upload says to the SDK that it is to upload elsewhere."""
    server.use("b2:service_unavailable")
    assert raised(B2Error, upload, api, server.url).should_retry_upload()
    assert len(http.got) >= 1


FILE, BUCKET_ID = "4_za71f544e781e6891531b001a_f200ec353a2184825_d20160409_m004829_c000_v0001016_t0028", "b1"
# what the SDK calls otherwise than the service; it has no call for b2_download_file_by_id's HEAD
NAMES = {
    "get_file_info_by_id": "b2_get_file_info",
    "get_file_info_by_name": "b2_download_file_by_name",
    "download_file_from_url": "b2_download_file_by_id",
}
ARGUMENTS = {
    **dict.fromkeys(("api_url", "realm_url", "download_url"), str),
    "upload_url": lambda url: f"{url}/b2api/v4/b2_upload_part/{FILE}/0008/x",
    "url": lambda url: f"{url}/b2api/v4/b2_download_file_by_id?fileId={FILE}",
    "data_stream": lambda _: io.BytesIO(b"x"),
    "file_info": lambda _: {},
    "capabilities": lambda _: ["listFiles"],
    "part_number": lambda _: 1,
    "content_length": lambda _: 1,
    "part_sha1_array": lambda _: [SHA1],
    "file_retention": lambda _: FileRetentionSetting(RetentionMode.NONE),
    "legal_hold": lambda _: LegalHold.ON,
    "rules": lambda _: [],
    "bucket_type": lambda _: "allPrivate",
    "valid_duration_in_seconds": lambda _: 60,
}


OFFERED = ("api_url", "realm_url", "download_url", "bucket_type")
"""Arguments that are given even where they have a default."""


def test_operations(server, api):
    """Every call to the service is recognised under the service's own name."""
    found, meant = {}, {}
    for name, call in inspect.getmembers(api, inspect.ismethod):
        parameters = inspect.signature(call).parameters.values()
        asks = any(each.name.endswith("url") for each in parameters)
        if name[0] == "_" or not asks or "download_url_by" in name:
            continue
        wanted = [each.name for each in parameters if each.default is each.empty or each.name in OFFERED]
        given = {each: ARGUMENTS.get(each, lambda _: "x")(server.url) for each in wanted}
        server.use("b2:internal_error")
        with pytest.raises(B2Error):
            if name == "download_file_from_url":
                call(**given).__enter__()
            elif name == "upload_file":
                upload(api, server.url)
            else:
                call(**given)
        found[name], meant[name] = server.last.operation, NAMES.get(name, f"b2_{name}")
    assert (found, len(found)) == (meant, 31)
