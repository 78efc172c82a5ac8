"""Operations are recognised in botocore's requests, for every call that it knows."""

import botocore
import botocore.config
import botocore.session
import pytest
from packaging.version import Version

from faultinject.vendors.operations import operations_of
from tests.engine.conftest import Reading
from tests.rows import each_row
from tests.slowly import slowly

from .sent import keep, place_of, sent_by

# Deprecated calls that have the very form of another.
SAME_FORM = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}
# Forms for which no SDK has a call: a browser's upload, and its question before.
BY_HAND = {"PostObject", "OptionsObject"}


SESSION = botocore.session.Session()


@pytest.fixture(scope="module", params=["path", "virtual"])
def client(request):
    """botocore, with requests that end before they are sent."""
    config = botocore.config.Config(
        s3={"addressing_style": request.param},
        retries={"total_max_attempts": 1},
        parameter_validation=False,
        signature_version="s3v4",
    )
    client = SESSION.create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url="http://storage.example",
        aws_access_key_id="id",
        aws_secret_access_key="key",
        config=config,
    )
    client.meta.events.register("before-send.s3", keep)
    return client


MODEL = SESSION.get_service_model("s3")
READ = (1, 44, 5)
"""The newest botocore whose operations are all in the table; a later one may have more."""
CALLS = [each for each in MODEL.operation_names if each in operations_of(None).names]
NAMED = {"Bucket": "some-bucket", "Key": "a/key.jpg", "CopySource": "other/key", "RenameSource": "other/key"}


def value_of(shape, *, record_all=False, depth=0):
    """A value of a type that can be serialised: the least, or one with all members."""
    if shape.type_name == "structure":
        # Deeper inside is the body's own affair.
        chosen = shape.members if record_all and depth < 2 else shape.required_members
        return {
            each: NAMED.get(each)
            if depth == 0 and each in NAMED
            else value_of(shape.members[each], record_all=record_all, depth=depth + 1)
            for each in chosen
        }
    if shape.type_name == "list":
        return [value_of(shape.member, record_all=record_all, depth=depth + 1)]
    if shape.type_name == "string" and shape.enum:
        return shape.enum[0]
    return {
        "string": "x", "integer": 1, "long": 1, "boolean": True, "timestamp": 1_700_000_000, "blob": b"x", "map": {"a": "b"},
    }[shape.type_name]  # fmt: skip


def keys_of(name, *, record_all=False):
    """The arguments of an operation."""
    shape = MODEL.operation_model(name).input_shape
    return value_of(shape, record_all=record_all) if shape else {}


def serialised(client, name, keys):
    """The request that botocore would send."""
    return sent_by(getattr(client, botocore.xform_name(name)), **keys)


READING = Reading(None, ("storage.example",))


def named_in(name):
    """Bucket and key of a call of that name."""
    takes = MODEL.operation_model(name).input_shape
    members = takes.members if takes else {}
    return [
        "some-bucket" if "Bucket" in members else None,
        "a/key.jpg" if takes and "Key" in takes.required_members else None,
    ]


def misread(requests):
    """Requests whose operation, bucket or key is misread, with the reading."""
    wrong = {}
    for name, request in requests.items():
        operation, *place = place_of(READING, request)
        # An answer to S3 Object Lambda goes to a host of its own, which has no bucket.
        expected = place if name == "WriteGetObjectResponse" else named_in(name)
        if (operation, place) != (SAME_FORM.get(name, name), expected):
            wrong[name] = operation, *place
    return wrong


def test_the_operations_are_botocores():
    """Every name that S3's own model has, and two for what no SDK does."""
    names = operations_of(None).names
    assert names - BY_HAND == set(CALLS) and names > BY_HAND
    assert len(CALLS) >= 116
    if Version(botocore.__version__).release <= READ:
        assert MODEL.operation_names == CALLS


def test_a_deprecated_twin_means_its_successor():
    """On the wire they are one; a rule may name either."""
    known = operations_of(None)
    assert {name: known.twin(name) for name in known.names if known.twin(name)} == SAME_FORM
    assert known.recognised_for(["GetBucketLifecycle", "=PutBucketNotification", "GetBucketNoti*"]) == {
        "GetBucketLifecycleConfiguration",
        "PutBucketNotificationConfiguration",
        "GetBucketNotificationConfiguration",
    }


# In S3 itself the wire form is that of ListBuckets, but for the host.
PLAIN = {"ListDirectoryBuckets": ("ListBuckets", None, None)}


@pytest.mark.parametrize(
    ("record_all", "wrong", "with_query"),
    [pytest.param(False, PLAIN, 70, id="least"), pytest.param(True, {}, 90, id="fullest")],
)
def test_every_operation_is_recognised(client, view, record_all, wrong, with_query):
    """Each call of botocore with what it must have, signed, serialised by botocore.

    So with all members that the model has: none of them is another operation's mark.
    """
    calls = {name: serialised(client, name, keys_of(name, record_all=record_all)) for name in CALLS}
    requests = {name: view(each.method, each.url, each.headers) for name, each in calls.items()}
    assert misread(requests) == wrong
    assert all("Authorization" in each.headers for each in calls.values())
    assert sum("?" in each.url for each in calls.values()) > with_query


@pytest.mark.parametrize("client", ["virtual", slowly("path")], indirect=True)
def test_every_operation_is_recognised_when_it_is_presigned(client, view):
    """Presigning's parameters are no mark of an operation.

    Headers are sent as they were signed.
    """
    requests = {}
    for name in CALLS:
        try:
            url = client.generate_presigned_url(botocore.xform_name(name), keys_of(name))
        except ValueError:
            continue  # botocore itself fails to presign a request with an XML document
        assert "X-Amz-Signature=" in url
        headers = {
            key: value
            for key, value in serialised(client, name, keys_of(name)).headers.items()
            if key.lower().startswith("x-amz-")
        }
        requests[name] = view(MODEL.operation_model(name).http["method"], url, headers)
    assert misread(requests) == PLAIN
    assert len(requests) > 80


def test_directory_buckets_are_told_by_their_host():
    """`s3express-control` lists them, every other host lists buckets."""
    hosts = {
        "s3express-control.us-west-2.amazonaws.com": "ListDirectoryBuckets",
        "S3Express-Control.us-west-2.amazonaws.com:443": "ListDirectoryBuckets",
        "s3express-control-fips.dualstack.us-east-1.amazonaws.com": "ListDirectoryBuckets",
        "s3express-controlroom.example.com": "ListBuckets",
        "s3.us-west-2.amazonaws.com": "ListBuckets",
    }
    assert {host: READING.operation(of("GET", "/", host=host)) for host in hosts} == hosts


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


@each_row(("name", "keys"), OPTIONAL)
def test_optional_parameters_do_not_mislead(client, view, name, keys):
    """Not even those whose name is another operation's mark, or part of it."""
    sent = serialised(client, name, keys)
    assert READING.operation(view(sent.method, sent.url, sent.headers)) == name


def of(method, path, query="", host="127.0.0.1:8000", **headers):
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_HOST": host,
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }


@each_row("prefix", ["amz", "cos", "qs", "jss", "qiniu", "oss", "obs", "tos", "bce", "goog"])
@pytest.mark.parametrize(
    ("query", "plain", "copy"),
    [("", "PutObject", "CopyObject"), ("partNumber=1&uploadId=u", "UploadPart", "UploadPartCopy")],
)
def test_each_vendors_copies_are_told_by_its_own_header(prefix, query, plain, copy):
    """Each vendor's renamed header marks a copy; a fault of no vendor accepts all of them."""
    assert READING.operation(of("PUT", "/b/k", query)) == plain
    assert READING.operation(of("PUT", "/b/k", query, **{f"x_{prefix}_copy_source": "/c/l"})) == copy


@each_row(
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
        ("OPTIONS", "/b/k", "", "OptionsObject"),
        ("OPTIONS", "/b", "", "OptionsObject"),
        ("OPTIONS", "/", "", None),
        ("GET", "/b/k", "upload%49d=u", "ListParts"),
        ("GET", "/b", "list%2Dtype=%32", "ListObjectsV2"),
        ("GET", "/b", "list-type=2&list-type=1", "ListObjects"),
        ("GET", "/b/k", "&&=&=x&uploadId", "ListParts"),
        ("GET", "/b/k", "%FF=%FF", "GetObject"),
        ("PUT", "/b", "tagging&policy", "PutBucketTagging"),
        ("PUT", "/b", "policy&tagging", "PutBucketTagging"),
    ],
)
def test_what_has_no_sdk_is_read_by_its_form(method, path, query, name):
    """Requests by hand, in any case; a request of no form has no operation."""
    assert READING.live(of(method, path, query)).operation == name


@each_row(
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
        """cos:SlowDown,operation=PutObject,name=put
        cos:SlowDown,operation=UploadPart,operation=UploadPartCopy,name=part
        http:503,operation=List*,name=lists"""
    )
    assert made.ask(f"{method} {path}?{query}") == hit
    assert [each.operation for each in made.outcomes] == (
        [READING.operation(of(method, path, query))] if hit else []
    )
