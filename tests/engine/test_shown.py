"""Paths, queries and targets are shown with documented values only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultinject.engine.shown import shown_target
from tests.engine.conftest import Reading
from tests.rows import each_row

JOURNAL = Reading()


def line(path="/b/k", query="", **more):
    """The journal's line of a request."""
    return JOURNAL.outcome({"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query, **more})


def shown_query(query):
    return line(query=query.encode().decode("latin-1")).query


def shown_path(path):
    return line(path.encode().decode("latin-1")).path


def credential(text):
    return line(HTTP_AUTHORIZATION=text).credential


SECRET = "S3cr3tT0k3nValue"
ENDS = [";", "?", "=", "#", "@", "%26", "%3D", "%3d", "%3F", "%3f", "%3B", "%2526", "%253F", "&"]


@each_row(
    "query",
    [
        "partNumber=3&uploadId=2~abc-DEF_0.1&x-id=UploadPart", "acl", "uploads=", "list-type=2&prefix=photos/a%20b&max-keys=7",
        "comp=list&restype=container&include=metadata%2Csnapshots%2ctags,copy", "snapshot=2026-11-20T12%3A00%3A00.0000000Z",
        "snapshot=2026-11-20T12%3a00%3a00Z", "no-cache", "read_only", "versions=true", "blockid=QUFBQQ%3D%3D&comp=block", "uploadId=QUFB==", "ifGenerationMatch=-1", "download", "",
        "upload_id=cf0b4f0a3a1e4f1b9b2f0d7c9e6c4b1d", "x-oss-process=csv/select", "a&&b&",
        "bucket=photos&prefix=a/&limit=3", "tbl=photos",
        # As long as a word, a number or a time may be.
        "abcdefghijkl", f"partNumber={'1' * 64}", f"snapshot={'2' * 40}", "partNumber=3", "snapshot=2026", "upload_id=cf0b",
    ],
)  # fmt: skip
def test_what_is_documented_is_shown(query):
    """Names, ids, keys, numbers and words, also with the signs that fill up base64."""
    assert shown_query(query) == query


@pytest.mark.parametrize(
    "name", ["session", "mirror", "fetch", "location", "prevsnapshot", "policy", "website"]
)
def test_a_flag_has_no_value_to_show(name):
    """No vendor documents one."""
    assert shown_query(f"{name}={SECRET}&acl") == f"{name}=…&acl"


@each_row(
    ("name", "value"),
    [
        *((name, value) for name in ("mine", "x-y_z.0", "n" * 40) for value in (SECRET, "X", "x=", "=x")),
        # Of a known one that is too long, or has other signs than a number, a time or an id.
        ("partNumber", "1" * 65),
        ("snapshot", "2" * 41),
        ("partNumber", "X3"),
        ("snapshot", "X2026"),
        ("upload_id", "Xcf0b"),
    ],
)
def test_a_value_that_nobody_documents_is_not_shown(name, value):
    """Of a name its letters, digits and what joins them, and no more of them than a token has."""
    assert shown_query(f"{name}={value}") == f"{name}=…"


@pytest.mark.parametrize(
    "query",
    [
        *(f"{name}=x" for name in ("n" * 41, "-", "_", ".", "ü", "n+", "")),
        *("abcdefghijklm", "abc1", "Abc", "ABC", "12", "abcü", "--"),
    ],
)
def test_what_may_be_no_name_and_no_word_is_not_shown(query):
    """A checksum stands for it and its value; words are short, of small letters."""
    shown = shown_query(query)
    assert shown[0] == "…" and len(shown) == 5


@each_row("end", ENDS)
def test_nothing_behind_another_parameter(end):
    """However another parameter is glued to one that is shown."""
    for before in ("uploadId=abc", "partNumber=3", "comp=list", "acl", "prefix=photos/", "mine=x", ""):
        for name in ("X-Amz-Signature=", "X-Amz-Signature%3D", "sig%253D", ""):
            assert SECRET not in shown_query(f"{before}{end}{name}{SECRET}")


@pytest.mark.parametrize(
    "query", [SECRET, f"{SECRET}=", f"{SECRET}==", f"acl&{SECRET}", f"prefix=https://u:{SECRET}@h"]
)
def test_a_token_that_stands_alone(query):
    """A name without a value may be the secret itself."""
    assert SECRET not in shown_query(query)


def test_what_is_kept_back_is_told_apart():
    """Two listings of other partitions, or two keys, do not look like one request made twice."""
    assert len({shown_query(f"prefix=year%3D{year}/") for year in range(50)}) == 50
    assert len({shown_path(f"/b/{key}?token=x") for key in "abc"} | {shown_path("/b/a?token=y")}) == 4


@each_row(
    ("target", "kept"),
    [
        ("http://u:p@h:1/b/k@x?y", "http://h:1/b/k@x?y"),
        ("https://u:p@w@h", "https://h"),
        ("HTTP://u@h#f", "HTTP://h#f"),
        ("http://h/u:p@x", "http://h/u:p@x"),
        ("http://h/a@b/c", "http://h/a@b/c"),
        ("http:///a@b", "http:///a@b"),
        ("http://u:p@h/http://x@y", "http://h/http://x@y"),
        ("h@x:443", "h@x:443"),
        ("/a/http://u:p@h", "/a/http://u:p@h"),
        ("*", "*"),
    ],
)
def test_name_and_password_are_no_part_of_a_target(target, kept):
    """In absolute form they stand before the host."""
    assert shown_path(target) == kept


def test_a_path_with_a_query_in_it():
    """A presigned URL that was encoded as a whole is a path."""
    asked = (f"={SECRET}", f"%3D{SECRET}", f"%3d{SECRET}", f"={SECRET}?x=1")
    assert SECRET not in "".join(shown_path(f"/b/k?X-Amz-Signature{each}") for each in asked)
    assert shown_path("/b/what?") == "/b/what?"


@pytest.mark.parametrize("mark", ["%3F", "%3f"])
@each_row("sign", ["=", "%3D", "%3d"])
@pytest.mark.parametrize("before", ["/b/k", ""])
def test_a_target_with_a_query_in_its_path(before, mark, sign):
    """However it was encoded, and with a query of its own."""
    shown = shown_target(f"{before}{mark}X-Amz-Signature{sign}{SECRET}?acl&sig={SECRET}")
    path = shown_path(f"{before}?X-Amz-Signature{sign}{SECRET}")
    assert shown == f"{path}?acl&sig=…" and path.startswith(f"{before}?…")
    more = shown_target(f"{before}{mark}X-Amz-Signature{sign}{SECRET}{mark}x=1")
    assert SECRET not in shown + more


@pytest.mark.parametrize("target", ["/b/k", "/b/what%3F", "%3f", "/why%3Fa%3F?acl", "*"])
def test_a_target_without_secrets(target):
    """It stays as it was sent."""
    assert shown_target(target) == target


@pytest.mark.parametrize("end", ENDS[:-1])
@each_row("value", ["{end}{secret}", "a{end}{secret}{end}b"])
def test_a_name_ends_at_the_first_sign(end, value):
    """Whatever stands behind it, and where there is nothing before it."""
    shown = shown_query("prefix=" + value.format(end=end, secret=SECRET))
    assert SECRET not in shown and shown.partition("…")[0] in ("prefix=", "prefix=a")


def test_a_credential_is_what_stays_the_same():
    """The constant part of a credential identifies its client.

    The user of Basic, the nonce of Digest, the token of any other scheme; in any case of the scheme's name.
    """
    same = [
        ("Basic Y2F0OjE=", "bASIC Y2F0OjI="),
        ('Digest username="cat", nonce="1", uri="/a"', 'digest uri="/b", nonce="1", cnonce="x"'),
        ("Bearer abc", "bearer abc"),
    ]
    others = [
        "Basic ZG9nOjE=",
        'Digest username="cat", nonce="2", uri="/a"',
        "Bearer abd",
        "Digest",
        "Token abc",
    ]
    assert [credential(one) for one, _ in same] == [credential(other) for _, other in same]
    assert len({credential(each) for each in [*(one for one, _ in same), *others]}) == 8


@given(
    before=st.text("abcAcl&=;?%26D3F/ .", max_size=30),
    end=st.sampled_from(ENDS),
    name=st.sampled_from(["sig", "X-Amz-Signature", "token", "session", ""]),
    after=st.text(max_size=10),
)
def test_fuzz_a_secret_behind_any_beginning(before, end, name, after):
    """Whatever stands before it, the value of a parameter that nobody documents is not shown."""
    assert SECRET not in shown_query(f"{before}{end}{name}={SECRET}{after}")
