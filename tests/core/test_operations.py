"""Operations, recognised in what a real client serialises: botocore, for every call that it knows."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import botocore.config
import botocore.session
import pytest

from faultinject.core import operations
from faultinject.core.reading import Reading
from faultinject.core.request import WSGIRequest

# Deprecated calls that have the very form of another, and those of services beside S3 itself.
SAME_FORM = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
    "ListDirectoryBuckets": "ListBuckets",
}
OF_ANOTHER_SERVICE = {"WriteGetObjectResponse"}
# A browser's form, for which no SDK has a call.
BY_HAND = {"PostObject"}


class SentError(Exception):
    """Instead of being sent."""

    def __init__(self, request):
        self.request = request


def keep(request, **_):
    raise SentError(request)


def client_of(style):
    config = botocore.config.Config(
        s3={"addressing_style": style}, retries={"total_max_attempts": 1}, parameter_validation=False
    )
    client = botocore.session.Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url="http://storage.example",
        aws_access_key_id="id",
        aws_secret_access_key="key",
        config=config,
    )
    client.meta.events.register("before-send.s3", keep)
    return client


@pytest.fixture(scope="module", params=["path", "virtual"])
def client(request):
    """botocore, with requests that end before they are sent."""
    return client_of(request.param)


MODEL = botocore.session.Session().get_service_model("s3")


def value_of(shape, name=""):
    """The least value of a type that can be serialised."""
    if name == "Bucket":
        return "some-bucket"
    if name in ("Key", "CopySource", "RenameSource"):
        return "a/key.jpg" if name == "Key" else "other/key"
    if shape.type_name == "structure":
        return {each: value_of(shape.members[each], each) for each in shape.required_members}
    if shape.type_name == "list":
        return [value_of(shape.member)]
    if shape.type_name == "string" and shape.enum:
        return shape.enum[0]
    return {
        "string": "x", "integer": 1, "long": 1, "boolean": True, "timestamp": 1_700_000_000, "blob": b"x", "map": {"a": "b"},
    }[shape.type_name]  # fmt: skip


def serialised(client, name):
    """The request of an operation with the parameters that it must have."""
    shape = MODEL.operation_model(name).input_shape
    keys = {each: value_of(shape.members[each], each) for each in shape.required_members} if shape else {}
    with pytest.raises(SentError) as sent:
        client._make_api_call(name, keys)
    return sent.value.request


def view(prepared, body=None):
    """What a server makes of it."""
    parts = urlsplit(prepared.url)
    return WSGIRequest(
        {
            "REQUEST_METHOD": prepared.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(parts.path).encode().decode("latin-1"),
            "RAW_URI": parts.path,
            "QUERY_STRING": parts.query,
            "HTTP_HOST": parts.netloc,
            **{
                f"HTTP_{name.upper().replace('-', '_')}": value.decode()
                if isinstance(value, bytes)
                else str(value)
                for name, value in prepared.headers.items()
            },
        }
    )


READING = Reading(None, ("storage.example",))


def test_the_operations_are_botocores():
    """Every name that S3's own model has, but for those that have the form of another."""
    assert (
        set(operations.names()) - BY_HAND
        == set(MODEL.operation_names) - OF_ANOTHER_SERVICE - SAME_FORM.keys()
    )


@pytest.mark.parametrize("name", sorted(set(MODEL.operation_names) - OF_ANOTHER_SERVICE))
def test_an_operation_is_recognised(client, name):
    """Each call of botocore, serialised by botocore, path style and virtual-host style."""
    request = view(serialised(client, name))
    assert READING.operation(request) == SAME_FORM.get(name, name)
    takes = MODEL.operation_model(name).input_shape
    members = takes.members if takes else {}
    bucket = "some-bucket" if "Bucket" in members else None
    assert READING.read_address(request) == (bucket, "a/key.jpg" if "Key" in takes.required_members else None)


OPTIONAL = [
    # Parameters beside those that an operation must have change nothing.
    (
        "PutObject",
        {"Bucket": "b", "Key": "k", "ACL": "private", "Body": b"x", "Tagging": "a=b", "ContentType": "x/y"},
    ),
    ("GetObject", {"Bucket": "b", "Key": "k", "VersionId": "v", "PartNumber": 3, "Range": "bytes=0-1"}),
    ("GetObject", {"Bucket": "b", "Key": "k", "ResponseContentType": "text/plain"}),
    ("HeadObject", {"Bucket": "b", "Key": "k", "PartNumber": 1}),
    ("DeleteObject", {"Bucket": "b", "Key": "k", "VersionId": "v"}),
    ("CopyObject", {"Bucket": "b", "Key": "k", "CopySource": {"Bucket": "c", "Key": "l"}}),
    ("ListObjects", {"Bucket": "b", "Prefix": "p/", "Delimiter": "/", "Marker": "m", "MaxKeys": 3}),
    ("ListObjectsV2", {"Bucket": "b", "Prefix": "uploads", "StartAfter": "x", "FetchOwner": True}),
    ("ListObjectVersions", {"Bucket": "b", "KeyMarker": "k", "VersionIdMarker": "v"}),
    ("ListMultipartUploads", {"Bucket": "b", "UploadIdMarker": "u", "KeyMarker": "k"}),
    ("ListParts", {"Bucket": "b", "Key": "k", "UploadId": "u", "PartNumberMarker": 2}),
    ("UploadPart", {"Bucket": "b", "Key": "k", "UploadId": "u", "PartNumber": 2, "Body": b"x"}),
    ("UploadPartCopy", {"Bucket": "b", "Key": "k", "UploadId": "u", "PartNumber": 2, "CopySource": "c/l"}),
    ("GetObjectTagging", {"Bucket": "b", "Key": "k", "VersionId": "v"}),
    ("ListBucketInventoryConfigurations", {"Bucket": "b", "ContinuationToken": "t"}),
    ("ListBuckets", {"Prefix": "p", "MaxBuckets": 3}),
]


@pytest.mark.parametrize(("name", "keys"), OPTIONAL)
def test_optional_parameters_do_not_mislead(client, name, keys):
    """Not even those whose name is another operation's mark, or part of it."""
    with pytest.raises(SentError) as sent:
        client._make_api_call(name, keys)
    assert READING.operation(view(sent.value.request)) == name


def of(method, path, query="", host="127.0.0.1:8000", **headers):
    return WSGIRequest(
        {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "HTTP_HOST": host,
            **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
        }
    )


@pytest.mark.parametrize("prefix", ["amz", "cos", "qs", "jss", "qiniu"])
@pytest.mark.parametrize(
    ("query", "plain", "copy"),
    [("", "PutObject", "CopyObject"), ("partNumber=1&uploadId=u", "UploadPart", "UploadPartCopy")],
)
def test_each_vendors_copies_are_told_by_its_own_header(prefix, query, plain, copy):
    """The founding vendors kept S3's forms and renamed the headers."""
    assert READING.operation(of("PUT", "/b/k", query)) == plain
    assert READING.operation(of("PUT", "/b/k", query, **{f"x_{prefix}_copy_source": "/c/l"})) == copy


@pytest.mark.parametrize(
    ("method", "path", "query", "name"),
    [
        ("GET", "/", "", "ListBuckets"),
        ("put", "/b", "", "CreateBucket"),
        ("PUT", "/b/", "", "CreateBucket"),
        ("PUT", "/b/k/", "", "PutObject"),
        ("PUT", "/b//", "", "PutObject"),
        ("POST", "/b", "", "PostObject"),
        ("POST", "/b", "delete", "DeleteObjects"),
        ("POST", "/b", "delete=", "DeleteObjects"),
        ("GET", "/b", "list-type=2&prefix=x", "ListObjectsV2"),
        ("GET", "/b", "list-type=1", "ListObjects"),
        ("GET", "/b/k", "uploadId=u", "ListParts"),
        ("GET", "/b/uploads", "", "GetObject"),
        ("GET", "/b/k", "X-Amz-Signature=s&x-id=GetObject", "GetObject"),
        ("POST", "/b/k", "", None),
        ("BREW", "/b/k", "", None),
        ("POST", "/", "", None),
        ("PATCH", "/b/k", "", None),
        ("OPTIONS", "/b/k", "", None),
    ],
)
def test_what_has_no_sdk_is_read_by_its_form(method, path, query, name):
    """Requests by hand, in any case; a request of no form has no operation."""
    assert READING.operation(of(method, path, query)) == name


@pytest.mark.parametrize(
    ("method", "path", "query", "hit"),
    [
        ("PUT", "/b/k", "", "put"),
        ("PUT", "/b/k", "partNumber=1&uploadId=u", "part"),
        ("GET", "/b/k", "uploadId=u", "lists"),
        ("GET", "/b", "list-type=2", "lists"),
        ("GET", "/", "", "lists"),
        ("GET", "/b/k", "", None),
        ("POST", "/b/k", "", None),
    ],
)
def test_rules_go_by_operation(site, method, path, query, hit):
    """Through the middleware; the journal says which it was."""
    made = site(
        """cos:SlowDown,operation=PutObject,name=put cos:SlowDown,operation=UploadPart,operation=UploadPartCopy,name=part
        http:503,operation=List*,name=lists"""
    )
    assert made.ask(f"{method} {path}?{query}") == hit
    assert [each.operation for each in made.outcomes] == (
        [READING.operation(of(method, path, query))] if hit else []
    )
