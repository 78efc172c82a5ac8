"""Warnings about methods that almost no request has, and about keys that do nothing.

Nothing is said of other values.
"""

from faultinject import Rule, vendors
from faultinject.rules.triggers import TRIGGERS
from faultinject.rules.values import listed
from faultinject.vendors.operations import operations_of
from tests.house import rooms
from tests.rows import each_row

METHODS = {
    *"ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY DELETE GET HEAD LABEL LINK LOCK MERGE "
    "MKACTIVITY MKCALENDAR".split(),
    *"MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PRI PROPFIND PROPPATCH "
    "PUT REBIND REPORT".split(),
    *"SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL QUERY".split(),
}
"""Those of IANA's registry but CONNECT."""
COUNTING = listed(key for key, trigger in TRIGGERS.items() if trigger.counts)


def test_a_doubt_says_what_may_be_meant(golden):
    """Each doubt has its exact words (`doubts.txt`), behind `unless.` too."""

    def doubt(text):
        key, _, value = text.partition("=")
        [told] = Rule("http:503", **{key: [value, "GET"]}).doubts()
        assert Rule("http:503", unless={key: value}).doubts() == [f"unless.{told}"]
        return told

    golden("doubts.txt", doubt)


def nowhere(fault, places):
    """The doubt of a rule whose conditions and those of its error exclude each other."""
    return f"the service answers with {fault} only where {places}, and the rule meets no such request"


@each_row(
    ("fault", "keys", "doubts"),
    [
        ("http:503", {"method": "P*", "host": "*.example.com", "bucket": "photos-*"}, []),
        ("http:503", {"path": ["/a%2Fb", "/100%", "/a?b", "=/a?x=1", "**/x"], "key": "a%2Fb"}, []),
        ("http:503", {"header": {"x": "http://a%20b"}, "query": {"a": "b/c"}, "client": "testclient", "size": "1.."}, []),
        ("http:503", {"host": ["h:*", "https://h/x"], "key": "/a/b", "query": {"c%20": "%20"}, "client": "localhost", "bucket": "a/b"}, []),
        ("http:503", {"path": ["/a%20b", "http://h/a", "/a?x=1"]}, []),
        ("http:503", {"per": "call"}, [f"per has no effect without {COUNTING}"]),
        ("http:503", {"hint": "date"}, ["hint has no effect without retry_after"]),
        ("http:503", {"per": "call", "times": 1, "hint": "date", "retry_after": "1s"}, []),
        ("http:503", {"per": "key", "above": "5/s"}, []),
        ("http:503", {"per": "rule", "hint": "seconds"}, []),
        # Azure waits by a header of its own: there `seconds` is another form.
        ("azure-blob:ServerBusy", {"hint": "x-ms-retry-after-ms"}, []),
        ("azure-blob:ServerBusy", {"hint": "seconds"}, ["hint has no effect without retry_after"]),
        # S3 names it by bucket and key, COS in an element of its own.
        ("s3:SlowDown", {"resource": "/a"}, ["resource has no effect: errors of s3 name none"]),
        ("cos:SlowDown", {"resource": "/a"}, []),
        ("s3:AccessForbidden", {"method": "GET"}, [nowhere("s3:AccessForbidden", "method=OPTIONS")]),
        ("s3:AccessForbidden", {"method": "options"}, []),
        ("s3:AccessForbidden", {"path": "photos/"}, []),
        ("s3:BucketNotEmpty", {"key": "a.jpg"}, [nowhere("s3:BucketNotEmpty", "operation=DeleteBucket,unless.key=**")]),
        ("s3:BucketNotEmpty", {"operation": "Delete*", "unless": {"key": "a.jpg"}}, []),
        ("s3:BucketNotEmpty", {"unless": {"operation": "DeleteBucket"}}, [nowhere("s3:BucketNotEmpty", "operation=DeleteBucket,unless.key=**")]),
        ("minio:XMinioAdminNoSuchUser", {"operation": "GetObject"}, [nowhere("minio:XMinioAdminNoSuchUser", "path=minio/admin/,unless.key=**")]),
        ("oss:CpuLimitExceeded", {"operation": "GetObject"}, []),
        ("gcs:conflict", {"operation": "storage.objects.insert"}, [nowhere("gcs:conflict", "operation=storage.buckets.insert,unless.key=**")]),
        ("gcs:Gone", {"operation": "storage.objects.rewrite"}, []),
        ("gcs:Gone", {"method": "GET"}, [nowhere("gcs:Gone", "operation=storage.objects.insert,query.uploadType=resumable or operation=storage.objects.rewrite")]),
        ("qingstor:@client", {"operation": "PutObject"}, []),
        ("qingstor:@throttle", {"operation": "PutObject"}, [nowhere("qingstor:@throttle", "operation=FetchObject,operation=GetObject")]),
    ],
)  # fmt: skip
def test_a_key_that_does_nothing_is_doubted_and_nothing_else(fault, keys, doubts):
    """A key that does nothing gets a warning, and no other key does.

    A rule with `per=call` alone looks like one fault a call, and faults every attempt. A false warning is worse than
    none.
    """
    assert Rule(fault, **keys).doubts() == doubts


def test_a_rule_without_such_a_key_is_asked_less():
    """A rule without such a key is examined less: installing 10,000 rules asks each.

    Almost none has a key that may do nothing.
    """
    usual = Rule("cos:SlowDown", method="PUT", times=2, retry_after="1s")
    odd = Rule("cos:SlowDown", method="PUT", resource="/a")
    assert len(rooms(usual.doubts)) < len(rooms(odd.doubts))


def test_no_method_of_the_registry_is_doubted():
    """In any case, all forty."""
    assert len(METHODS) == 39
    assert [method for method in METHODS if Rule("http:503", method=method.lower()).doubts()] == []


def test_every_operation_comes_with_a_method_of_the_registry():
    """Or the tables would be doubted."""
    for name in vendors.names():
        assert {each.method for each in operations_of(vendors.get(name)).rows} <= METHODS | {"CONNECT"}
