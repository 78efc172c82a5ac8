"""What retries do to the data: `same bytes`, `non-idempotent retry`, `error in 200`."""

import pytest

from faultinject.audit.checks.questions import is_storage_call, lost_write
from faultinject.audit.evidence import Contrast
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, WARN
from faultinject.journal.calls import FINGERPRINT, RETRY_MARK, SDK_ID, TOLD

from .made import FINE, HIDDEN, LOST, RESET, attempt, call, calls, finding, verdict

NOTHING = {"request_bytes": 0, "request_digest": None}
LESS = {"request_bytes": 40, "request_digest": "e"}
OTHER = {"request_digest": "e"}
TO_STORAGE = {"operation": "CreateMultipartUpload"}


def again(number, *bodies, signal=FINGERPRINT, **more):
    """Calls whose second attempt has another body."""
    return calls(number, 0.5, signal=signal, last=FINE, every=[{}, *bodies], **more)


@pytest.mark.parametrize(("number", "expected"), [(2, INCONCLUSIVE), (3, PASS)])
def test_calls_that_send_the_same_bytes_pass(number, expected):
    """Three with a body and a second attempt decide."""
    assert verdict("same bytes", again(number)) == expected


@pytest.mark.parametrize(
    ("body", "signal", "expected"),
    [
        (NOTHING, FINGERPRINT, WARN),
        (NOTHING, SDK_ID, FAIL),
        (LESS, FINGERPRINT, WARN),
        (LESS, SDK_ID, FAIL),
        (LESS, RETRY_MARK, FAIL),
        (LESS, TOLD, FAIL),
        (OTHER, SDK_ID, FAIL),
    ],
)
def test_other_bytes_fail_unless_looks_alone_joined_the_attempts(body, signal, expected):
    """A shorter body of the same looks may be another call; one of none may clear what was there."""
    assert verdict("same bytes", again(2), again(1, body, signal=signal)) == expected


@pytest.mark.parametrize(("body", "expected"), [(NOTHING, FAIL), (LESS, WARN)])
def test_no_body_at_all_is_no_other_call_where_what_succeeds_is_not_asked_for_again(body, expected):
    """A client that uploads each thing once does not clear three of them."""
    found = again(3, body)
    assert verdict("same bytes", found, contrast=Contrast({"PUT": (0, 3)})) == expected


def test_the_same_length_proves_nothing():
    """What the app reads is on record where every request is; else the length alone."""
    unread = {"request_digest": None, "body_complete": None}
    assert verdict("same bytes", again(3, unread, signal=SDK_ID)) == INCONCLUSIVE
    assert "Of 3 others the journal has only the length" in finding("same bytes", again(3, unread)).message
    assert verdict("same bytes", again(3, unread), again(3)) == PASS
    twice = calls(3, 0.5, 0.5, last=FINE, every=[{}, {}, unread])
    assert verdict("same bytes", twice) == PASS


def test_other_bytes_of_a_call_under_way_have_been_sent():
    """They need no end."""
    going_on = again(3, OTHER, signal=SDK_ID, about={"closed": False})
    assert verdict("same bytes", [], open=going_on) == FAIL


def test_a_driver_knows_which_attempts_belong_together():
    """Looks are enough then."""
    assert verdict("same bytes", again(2), again(1, LESS), driven=True) == FAIL


def test_what_was_sent_the_second_time_is_told():
    """Nothing, or other bytes."""
    nothing = again(4, NOTHING, signal=SDK_ID)
    assert finding("same bytes", again(52), nothing).message == "4 of 56 retried calls sent 0 bytes on retry"
    assert finding("same bytes", again(52), again(4, OTHER, signal=SDK_ID)).message == (
        "4 of 56 retried calls sent different bytes on retry"
    )


def test_bodies_that_were_not_read_or_are_not_there_are_not_compared():
    """A body cut on its way, one of unknown length, and a GET."""
    cut = again(3, {"body_complete": False, "request_bytes": 3, "request_digest": None}, signal=SDK_ID)
    unknown = again(3, {"request_bytes": None, "request_digest": None}, signal=SDK_ID)
    empty = calls(3, 0.5, method="GET", **NOTHING)
    assert finding("same bytes", cut, unknown, empty, calls(3)).n == 0


def test_one_told_call_is_proof_enough():
    """A test makes one call, and says where it ends."""
    told = {"about": {"name": "upload", "returned": True}}
    assert verdict("same bytes", again(1, NOTHING, signal=TOLD, **told)) == FAIL
    assert verdict("same bytes", again(1, LESS, signal=TOLD, **told)) == FAIL
    assert verdict("same bytes", again(1, LESS, **told)) == INCONCLUSIVE
    assert verdict("same bytes", again(1, NOTHING)) == INCONCLUSIVE
    assert verdict("same bytes", again(1, NOTHING, **told), driven=True) == INCONCLUSIVE


def lost(number, *gaps, last=FINE, **more):
    """POST requests whose answer is lost after the app has run."""
    return calls(number, *gaps, kind=LOST, last=last if gaps else None, method="POST", **more)


@pytest.mark.parametrize(
    ("repeated", "left", "expected"),
    [(0, 3, PASS), (1, 2, FAIL), (3, 0, FAIL), (2, 0, INCONCLUSIVE), (0, 2, INCONCLUSIVE)],
)
def test_a_lost_post_is_not_sent_again(repeated, left, expected):
    """One in three is one too many."""
    assert verdict("non-idempotent retry", lost(repeated, 0.5), lost(left)) == expected


@pytest.mark.parametrize(
    ("method", "expected"), [("PATCH", FAIL), ("PUT", INCONCLUSIVE), ("DELETE", INCONCLUSIVE)]
)
def test_what_is_idempotent_may_be_sent_again(method, expected):
    """A PUT that came twice changes nothing."""
    assert verdict("non-idempotent retry", calls(3, 0.5, kind=LOST, last=FINE, method=method)) == expected


def test_a_key_or_a_precondition_makes_a_repetition_safe():
    """The server can tell that it has done it."""
    found = finding("non-idempotent retry", lost(3, 0.5, guarded=True))
    assert (found.verdict, found.message) == (
        PASS,
        "0 of 3 lost POSTs were retried without an Idempotency-Key or a precondition",
    )
    assert finding("non-idempotent retry", lost(3)).message == "0 of 3 lost POSTs were retried"


def test_an_answer_that_was_lost_before_the_app_ran_did_no_harm():
    """Only what took effect can take effect twice."""
    assert finding("non-idempotent retry", calls(3, 0.5, kind=RESET, last=FINE, method="POST")).n == 0


def test_effects_are_counted():
    """The second time it may fail."""
    refused = FINE | {"status": 409}
    found = finding(
        "non-idempotent retry", lost(3, 0.5), lost(1, 0.5, last=refused), lost(1, 0.5, last=RESET)
    )
    assert found.message == "5 of 5 lost POSTs were retried, 3 took effect twice"
    assert finding("non-idempotent retry", lost(3, 0.5, last=LOST)).message == (
        "3 of 3 lost POSTs were retried, 3 took effect twice"
    )


@pytest.mark.parametrize(
    "fields",
    [
        TO_STORAGE,
        {"operation": "CompleteMultipartUpload"},
        {"path": "/upload/storage/v1/b/bucket/o", "operation": None},
        {"user_agent": "QiniuPython/7.18.0 (Linux; x86_64; ) Python/3.11.7"},
        {"user_agent": "aliyun-sdk-python/2.19.1(Linux/6.1/x86_64;3.11.7)"},
        {"user_agent": "obs-sdk-python/3.24.6"},
        {"user_agent": "backblaze-b2/2.13.1 python/3.11.7"},
        {"user_agent": "python-swiftclient-4.8.0"},
        {"user_agent": "bce-sdk-python/0.9.79/3.11.7/linux"},
        {"user_agent": "ve-tos-python-sdk/2.9.3(linux/x86_64;3.11.7)"},
        {"user_agent": "Boto3/1.44.5 md/Botocore#1.44.5", "operation": "PostObject"},
    ],
)
def test_requests_that_storage_sdks_repeat_are_a_warning(fields):
    """The service allows it; what is left is an upload that nobody knows of."""
    assert verdict("non-idempotent retry", lost(3, 0.5, **fields)) == WARN
    assert is_storage_call(attempt(**fields))


def test_a_post_to_a_path_that_looks_like_a_bucket_is_no_request_of_storage():
    """`POST /orders` reads as the upload of a form; only a storage SDK means that."""
    assert verdict("non-idempotent retry", lost(3, 0.5, operation="PostObject")) == FAIL
    assert verdict("non-idempotent retry", lost(3, 0.5, **TO_STORAGE), lost(1, 0.5)) == FAIL


def test_a_second_request_whose_answer_is_not_on_record_took_effect():
    """Nothing was done to it; the app ran."""
    found = finding("non-idempotent retry", lost(3, 0.5, last=FINE | {"status": None}))
    assert found.message == "3 of 3 lost POSTs were retried, 3 took effect twice"


def test_one_told_post_that_took_effect_twice_is_proof_enough():
    """A test makes one call."""
    told = {"name": "order", "returned": True}
    assert verdict("non-idempotent retry", lost(1, 0.5, about=told)) == FAIL
    assert verdict("non-idempotent retry", lost(1, 0.5, about=told, last=RESET)) == INCONCLUSIVE


def test_another_key_does_not_make_a_repetition_safe():
    """The server cannot know that both are of one call; that the client meant one, looks alone say."""
    keyed = lost(3, guarded=True, about={"followed": "other key"})
    found = finding("non-idempotent retry", keyed)
    assert (found.verdict, found.message) == (
        WARN,
        "3 of 3 lost POSTs were retried with another Idempotency-Key",
    )
    unclear = lost(3, about={"followed": "other body"})
    assert verdict("non-idempotent retry", [], open=unclear) == INCONCLUSIVE


def test_the_lost_request_of_a_single_call_is_found():
    """Exploration judges call by call."""
    [found] = lost(1, 0.5)
    assert lost_write(found) is found.first
    assert lost_write(lost(1, 0.5, guarded=True)[0]) is None
    assert lost_write(lost(1)[0]) is None


def hidden(number, *gaps, returned=None, last=FINE):
    """Calls that get an error in a 200."""
    about = {"returned": returned}
    return calls(number, *gaps, kind=HIDDEN, last=last if gaps else None, about=about)


@pytest.mark.parametrize(
    ("swallowed", "raised", "unsaid", "repeated", "expected"),
    [
        (0, 0, 0, 3, PASS),
        (0, 3, 0, 0, PASS),
        (0, 0, 1, 2, WARN),
        (1, 0, 2, 0, FAIL),
        (0, 0, 0, 2, INCONCLUSIVE),
        (0, 0, 2, 0, INCONCLUSIVE),
    ],
)
def test_an_error_in_a_200_is_taken_for_what_it_is(swallowed, raised, unsaid, repeated, expected):
    """Tried again or raised; only the caller's side shows that it was swallowed."""
    found = [
        *hidden(swallowed, returned=True),
        *hidden(raised, returned=False),
        *hidden(unsaid),
        *hidden(repeated, 0.1),
    ]
    assert verdict("error in 200", found) == expected


@pytest.mark.parametrize(
    ("fault", "example"),
    [
        ("oss:InternalError", "oss:InternalError"),
        ("jss:InternalError", "s3:InternalError"),
        (None, "s3:InternalError"),
    ],
)
def test_what_would_show_more_is_an_error_of_the_vendor_seen(fault, example):
    """Where that vendor documents errors in a 200; else one of S3."""
    found = calls(1, fault=fault) if fault else []
    assert (
        f"Send more, for example {example},status=200,times=1,per=call"
        in finding("error in 200", found).message
    )


def test_what_the_caller_saw_is_told():
    """An error for an answer and a success for the caller."""
    assert finding("error in 200", hidden(3, returned=True)).message == (
        "3 of 3 errors in a 200 were reported to the caller as success"
    )


def test_a_retry_that_ends_in_another_error_in_200_counts_by_its_last_answer():
    """Tried again, and then believed."""
    assert verdict("error in 200", hidden(3, 0.1, returned=True, last=HIDDEN)) == FAIL
    assert verdict("error in 200", hidden(3, 0.1, returned=True)) == PASS


def test_one_told_call_that_swallows_an_error_is_proof_enough():
    """A driver makes three, and is held to that."""
    assert verdict("error in 200", hidden(1, returned=True)) == FAIL
    assert verdict("error in 200", hidden(1, returned=True), driven=True) == INCONCLUSIVE
    assert verdict("error in 200", [call()]) == INCONCLUSIVE


def of_part(text, **more):
    """An attempt that says which part of a body it is of."""
    return {"attempt_hint": {"part": text}, **more}


WHOLE_OF_IT = of_part("bytes 0-899/900", request_bytes=900, request_digest="all")
ASKED = of_part("bytes */900", request_bytes=0, request_digest="none")
REST = of_part("bytes 300-899/900", request_bytes=600, request_digest="rest")


@pytest.mark.parametrize("signal", [SDK_ID, FINGERPRINT])
def test_a_resumed_upload_is_no_upload_of_other_bytes(signal):
    """It asks how far it came, and sends the rest, which says so; the rest sent twice is the same rest."""
    begun = of_part("bytes 0-899/900", request_bytes=300, request_digest="cut", body_complete=False)
    broken = calls(3, 0.5, 0.5, signal=signal, last=FINE, every=[begun, ASKED, REST])
    whole = calls(3, 0.5, 0.5, signal=signal, last=FINE, every=[WHOLE_OF_IT, ASKED, REST])
    assert finding("same bytes", broken, whole).n == 0
    twice = calls(3, 0.5, 0.5, signal=signal, last=FINE, every=[WHOLE_OF_IT, REST, REST])
    assert all(each.resumed and each.same_bytes is None for each in twice)
    other = calls(
        3, 0.5, 0.5, signal=SDK_ID, last=FINE, every=[WHOLE_OF_IT, REST, {**REST, "request_digest": "x"}]
    )
    assert verdict("same bytes", other) == FAIL


def test_a_repeat_of_the_same_part_is_held_against_it():
    """It carries what the first one did, or it does not."""
    same = calls(3, 0.5, signal=SDK_ID, last=FINE, every=[WHOLE_OF_IT, WHOLE_OF_IT])
    assert verdict("same bytes", same) == PASS
    assert not any(each.resumed for each in same)
    emptied = {**WHOLE_OF_IT, "request_bytes": 0, "request_digest": "none"}
    assert (
        verdict("same bytes", calls(3, 0.5, signal=SDK_ID, last=FINE, every=[WHOLE_OF_IT, emptied])) == FAIL
    )
