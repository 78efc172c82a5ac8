"""Google's SDK reads every row of the JSON API, as JSON or as text.

Calls for metadata give reason and message; downloads and uploads give the whole body as their message. It makes no
HEAD request.
"""

import json
from html import unescape

import pytest
import requests
from google.api_core.exceptions import GoogleAPICallError
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY

from faultinject import RuleCounts, vendors

from .told import BUCKET, KEY, of_each_row, raised

ROWS = vendors.get("gcs").errors
LOCATED = {
    "authError": {"locationType": "header", "location": "Authorization"},
    "required/2": {"locationType": "header", "location": "Authorization"},
    "accountDisabled": {"locationType": "header", "location": "Authorization"},
    "conditionNotMet": {"locationType": "header", "location": "If-Match"},
}
OF_OBJECTS = (
    f"The object {BUCKET}/{KEY} exceeded the rate limit for object mutation operations (create, update, and delete). "
    "Please reduce your request rate. See https://cloud.google.com/storage/docs/gcs429."
)
"""The message for too many requests to one object; the row's is for a project."""
QUICK = DEFAULT_RETRY.with_delay(initial=0.001, maximum=0.001)


@pytest.fixture(scope="module")
def client(server):
    with requests.Session() as session:
        yield storage.Client(
            project="project",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": server.url},
            _http=session,
        )


@pytest.fixture(scope="module")
def blob(client):
    return client.bucket(BUCKET).blob(KEY)


def expected_errors(row, message=None):
    """The `errors` of a row: one entry, or none if the answer is not JSON."""
    if row.form in ("html", "empty") or row.status == 304:
        return []
    domain = "usageLimits" if row.code == "rateLimitExceeded" else "global"
    reason = "backendError" if row.form == "gone" else row.code
    located = LOCATED.get(row.label, {})
    return [{"message": message or row.message, "domain": domain, "reason": reason, **located}]


def expected_text(row):
    """The SDK's message for a body that is not JSON."""
    if row.form == "html":
        return f"<p>{row.message}<p>Please try again in 30 seconds."
    return "unknown error"


def sent_once(server, row, call):
    """The error of a call, whose status and id are those that were sent."""
    error, sent = raised(GoogleAPICallError, call), server.last
    assert (error.code, sent.status, sent.fault) == (row.status, row.status, row.address)
    assert error.response.headers["X-GUploader-UploadID"] == sent.request_id
    return error


METADATA = {
    "reload": lambda blob: blob.reload(retry=None),
    "patch": lambda blob: blob.patch(retry=None),
    "delete": lambda blob: blob.delete(retry=None),
}
CONTENT = {
    "download": lambda blob: blob.download_as_bytes(retry=None),
    "upload": lambda blob: blob.upload_from_string(b"x" * 100, retry=None),
}


@pytest.mark.slow
@pytest.mark.parametrize("call", METADATA)
@of_each_row(ROWS)
def test_rows_of_metadata_calls(row, call, server, blob):
    """Status, reason, domain, location, message and id of every row, from three calls."""
    error = sent_once(server, row, lambda: METADATA[call](blob))
    assert (server.last.bucket, server.last.key) == (BUCKET, KEY)
    message = OF_OBJECTS if row.code == "rateLimitExceeded" else text_of(row)
    wanted = expected_errors(row, message)
    assert list(error.errors) == wanted
    assert (message if wanted else expected_text(row)) in error.message


def text_of(row):
    """The message for an object, as JSON or as a download's text."""
    return f"No such object: {BUCKET}/{KEY}" if row.code == "notFound" else row.message


@pytest.mark.slow
@pytest.mark.parametrize("call", CONTENT)
@of_each_row(ROWS)
def test_rows_of_downloads_and_uploads(row, call, server, blob):
    """The message of a download or an upload is the body; of a download that is a text."""
    error = sent_once(server, row, lambda: CONTENT[call](blob))
    wanted = expected_errors(row)
    headers, body = error.response.headers, error.response.text
    if wanted and call == "download" and row.form != "gone":
        kind = headers["Content-Type"], "Pragma" in headers
        assert (*kind, unescape(body)) == ("text/html; charset=UTF-8", False, text_of(row))
    elif wanted:
        document = json.loads(body)["error"]
        code = 503 if row.form == "gone" else row.status  # as captured
        assert document == {"code": code, "message": row.message, "errors": wanted}
    elif row.form == "html":
        assert expected_text(row) in body
    else:
        assert body == ""
    assert f": {body}" in error.message


def test_lists(server, client):
    """A listing has a bucket and no key."""
    server.use("gcs:notFound")
    error = raised(GoogleAPICallError, lambda: list(client.list_blobs(BUCKET, retry=None)))
    assert (error.errors[0]["reason"], server.last.bucket, server.last.key) == ("notFound", BUCKET, None)


@pytest.mark.parametrize(
    "label", ["backendError/2", "rateLimitExceeded", "BadGateway", "uploadBrokenConnection"]
)
def test_its_own_retries(label, server, blob):
    """With a quick policy the SDK survives two retryable errors, and reaches the app."""
    server.use(f"gcs:{label}", times=2)
    raised(requests.JSONDecodeError, blob.reload, retry=QUICK)  # the app's answer is no metadata
    assert server.counts() == RuleCounts(3, 2)


def test_client_errors_are_not_retried(server, blob):
    server.use("gcs:forbidden", times=2)
    assert raised(GoogleAPICallError, blob.reload, retry=QUICK).code == 403
    assert server.counts() == RuleCounts(1, 1)
