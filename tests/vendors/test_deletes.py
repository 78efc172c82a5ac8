"""The answers to a DeleteObjects, byte for byte."""

import re

from faultinject import vendors
from tests.rows import each_row

DELETED = [("a", None), ("<b>", "v1")]
FAILED = [("c&", None), ("d", "v2")]
S3_START = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
)
S3_DELETED = "<Deleted><Key>a</Key></Deleted><Deleted><Key>&lt;b&gt;</Key><VersionId>v1</VersionId></Deleted>"
S3_ERRORS = (
    "<Error><Key>c&amp;</Key><Code>X</Code><Message>m</Message></Error>"
    "<Error><Key>d</Key><VersionId>v2</VersionId><Code>X</Code><Message>m</Message></Error>"
)
ANSWERS = {
    "s3": f"{S3_START}{S3_DELETED}{S3_ERRORS}</DeleteResult>",
    "minio": (
        f"{S3_START}{S3_DELETED}"
        "<Error><Code>X</Code><Message>m</Message><Key>c&amp;</Key><VersionId></VersionId></Error>"
        "<Error><Code>X</Code><Message>m</Message><Key>d</Key><VersionId>v2</VersionId></Error></DeleteResult>"
    ),
    "rgw": (
        S3_START.replace("\n", "")
        + "<Error><Key>c&amp;</Key><VersionId></VersionId><Code>X</Code><Message>m</Message></Error>"
        "<Deleted><Key>a</Key></Deleted>"
        "<Error><Key>d</Key><VersionId>v2</VersionId><Code>X</Code><Message>m</Message></Error>"
        "<Deleted><Key>&lt;b&gt;</Key><VersionId>v1</VersionId></Deleted></DeleteResult>"
    ),
    "obs": (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        '<DeleteResult xmlns="http://obs.region.myhuaweicloud.com/doc/2015-06-30/"><EncodingType>url</EncodingType>'
        f"{S3_DELETED}{S3_ERRORS}</DeleteResult>"
    ),
    "gcs-xml": (
        "<?xml version='1.0' encoding='UTF-8'?><DeleteResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'>"
        f"{S3_DELETED}{S3_ERRORS}</DeleteResult>"
    ),
    "cos": """<?xml version='1.0' encoding='utf-8' ?>
<DeleteResult>
	<Deleted>
		<Key>a</Key>
	</Deleted>
	<Deleted>
		<Key>&lt;b&gt;</Key>
		<VersionId>v1</VersionId>
	</Deleted>
	<Error>
		<Key>c&amp;</Key>
		<Code>X</Code>
		<Message>m</Message>
	</Error>
	<Error>
		<Key>d</Key>
		<VersionId>v2</VersionId>
		<Code>X</Code>
		<Message>m</Message>
	</Error>
</DeleteResult>
""",
    "qingstor": (
        '{"deleted":[{"key":"a"},{"key":"<b>"}],'
        '"errors":[{"key":"c&","code":"X","message":"m"},{"key":"d","code":"X","message":"m"}]}'
    ),
    "tos": (
        '{"Deleted":[{"Key":"a"},{"Key":"<b>","VersionId":"v1"}],"Error":[{"Code":"X","Message":"m","Key":"c&"},'
        '{"Code":"X","Message":"m","Key":"d","VersionId":"v2"}]}'
    ),
    "bos": '{"errors":[{"key":"c&","code":"X","message":"m"},{"key":"d","code":"X","message":"m"}]}',
}
NOTHING_FAILED = {
    "s3": f"{S3_START}</DeleteResult>",
    "cos": "<?xml version='1.0' encoding='utf-8' ?>\n<DeleteResult>\n</DeleteResult>\n",
    "qingstor": '{"errors":[]}',
    "tos": '{"Error":[]}',
    "bos": "",
}


# The failed are named first, and among the deleted.
MIXED = [(FAILED[0], True), (DELETED[0], False), (FAILED[1], True), (DELETED[1], False)]


def write(name, objects, **how):
    vendor = vendors.get(name)
    return vendor.deletes.write(vendor.escape, objects, ("X", "m"), **how).decode()


@each_row("name", ANSWERS)
def test_an_answer(name):
    """Deleted keys come before failed ones, or both as named, with versions if named."""
    assert write(name, MIXED, encoding="url") == ANSWERS[name]


@each_row("name", NOTHING_FAILED)
def test_a_quiet_answer_without_errors(name):
    """A quiet answer without errors has the vendor's own form."""
    assert write(name, [(each, False) for each in DELETED], quiet=True) == NOTHING_FAILED[name]


def test_a_quiet_answer_of_ceph_keeps_the_order():
    """Of the errors alone."""
    assert re.findall("<Deleted>|<Key>.*?<", write("rgw", MIXED, quiet=True)) == ["<Key>c&amp;<", "<Key>d<"]


def test_an_error_without_message_says_its_code():
    """As Ceph, whose rows have none."""
    vendor = vendors.get("rgw")
    said = vendor.deletes.write(vendor.escape, [(("k", None), True)], ("InternalError", ""))
    assert b"<Code>InternalError</Code><Message>InternalError</Message>" in said
