"""Whether a client retries: `retries`, `permanent`, `gives up`."""

import pytest

from faultinject.audit.evidence import Contrast
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, WARN
from faultinject.journal.calls import FINGERPRINT, SDK_ID

from .made import (
    DENIED,
    FINE,
    HIDDEN,
    INTERNAL,
    LOST,
    RESET,
    SLOW_DOWN,
    call,
    calls,
    finding,
    findings,
    verdict,
)

PLAIN = {"fault": "http:429", "status": 429, "did": "answered"}
ODD = {"fault": "http:599", "status": 599, "did": "answered"}
OWN = {"fault": "jss:InvalidCallback", "status": 567, "did": "answered"}
NO_VERSION = {"fault": "http:505", "status": 505, "did": "answered"}
NOT_BUILT = {"fault": "cos:NotImplemented", "status": 501, "did": "answered"}
LET_BE = {"fault": "qiniu-mix:OperationAborted", "status": 409, "did": "answered"}
TOKEN = {"fault": "b2:expired_auth_token", "status": 401, "did": "answered"}
REFRESH = {"fault": "gcs:authError", "status": 401, "did": "answered"}
CONFLICT = {"fault": "gcs:conflict", "status": 409, "did": "answered"}
REFETCH = {"fault": "r2:PreconditionFailed", "status": 412, "did": "answered"}
LOOK = {"fault": "azure-blob:OperationTimedOut", "status": 500, "did": "answered"}
HUNG = {"fault": "hang", "status": None, "did": "closed"}
FORM = {"user_agent": "QiniuPython/7.18.0", "method": "POST"}


@pytest.mark.parametrize(
    ("again", "not_again", "expected"),
    [
        (2, 0, INCONCLUSIVE),
        (3, 0, PASS),
        (0, 3, FAIL),
        (0, 2, INCONCLUSIVE),
        (9, 1, PASS),
        (8, 2, INCONCLUSIVE),
    ],
)
def test_a_documented_throttle_is_tried_again_by_nine_of_ten(again, not_again, expected):
    """3 calls decide: 90 % pass, none fails, anything between is not decided."""
    found = [*calls(not_again), *calls(again, 0.5)]
    assert verdict("retries", found) == expected


RETRIED = {"fault": "cos:ServiceUnavailable", "status": 503, "did": "answered"}
"""An answer that the client does try again after, where it gives up after another one."""


def test_a_client_that_tries_nothing_again_fails():
    """To find it is what people come for; the one finding names all that it got."""
    found = finding("retries", calls(2), calls(2, kind=INTERNAL), calls(2, kind=RESET), calls(5, kind=DENIED))
    assert (found.verdict, found.n, found.subject) == (FAIL, 4, None)
    assert found.message == (
        "the client never retries: 0 of 4 calls retried after 503 SlowDown (2), 500 InternalError (2), reset (2), "
        "although the vendor documents it as retryable"
    )


def test_a_client_that_gives_up_after_one_code_is_warned_of():
    """It does try again, but for that."""
    found = {
        each.subject: each.verdict for each in findings("retries", calls(3), calls(3, 0.5, kind=RETRIED))
    }
    assert found == {"503 SlowDown": WARN, "503 ServiceUnavailable": PASS}


def test_lost_connections_alone_do_not_show_that_nothing_is_tried_again():
    """They are no answers: the client may be right not to send some of them twice."""
    assert verdict("retries", calls(5, kind=RESET)) == WARN


def test_a_call_under_way_that_was_tried_again_shows_that_the_client_does_so():
    """Nobody who has tried one again is told that nothing ever is."""
    going_on = calls(1, 0.5, about={"closed": False})
    assert verdict("retries", calls(5), open=going_on) == INCONCLUSIVE


@pytest.mark.parametrize(
    ("reason", "expected"), [("shared", INCONCLUSIVE), ("followed", INCONCLUSIVE), ("open", FAIL)]
)
def test_calls_that_nobody_can_tell_apart_may_hold_the_retries(reason, expected):
    """What was left out may show that the client does try again."""
    assert verdict("retries", calls(5), left_out={reason: 1}) == expected


@pytest.mark.parametrize(("asked", "expected"), [(5.0, FAIL), (5.1, INCONCLUSIVE)])
def test_who_is_asked_to_wait_long_may_give_up(asked, expected):
    """Five seconds are what a client that tries again waits."""
    assert verdict("retries", calls(5, hint=asked, hint_form="seconds")) == expected


def test_the_first_ten_calls_tell_what_a_client_does_with_a_code():
    """A budget that ran dry later is no reason to say that the client does not try again."""
    later = [call(at=100 + each) for each in range(90)]
    assert verdict("retries", calls(10, 0.5), later) == PASS
    assert verdict("retries", calls(9, 0.5), later) == INCONCLUSIVE


def test_each_answer_has_a_finding_with_its_numbers():
    """The message tells code and counts by itself, and the finding holds the calls that show it."""
    found = findings("retries", calls(4, 0.5), calls(3, kind=PLAIN), calls(3, 0.1, kind=RESET, last=FINE))
    assert {each.subject: (each.verdict, each.n) for each in found} == {
        "503 SlowDown": (PASS, 4),
        "429": (WARN, 3),
        "reset": (PASS, 3),
    }
    assert found[0].message == "503 SlowDown: 4 of 4 calls retried"
    assert found[1].message == "429: 0 of 3 calls retried, although such failures are transient"
    assert len(found[0].calls) == 4


def test_the_vendors_word_is_given_as_the_reason():
    """A row that says "slow down" is more than a status."""
    assert finding("retries", calls(3)).message.endswith("although the vendor documents it as retryable")


@pytest.mark.parametrize(
    "kind", [NOT_BUILT, OWN, NO_VERSION, DENIED, HIDDEN, HUNG], ids=lambda kind: kind["fault"]
)
def test_what_nobody_calls_worth_another_try_is_no_fault_when_it_gets_none(kind):
    """Neither a 501, a 505, nor a status that its vendor says nothing of, a 403, an error in a 200, an endless wait."""
    assert (finding("retries", calls(5, kind=kind)).verdict, finding("retries").n) == (INCONCLUSIVE, 0)


@pytest.mark.parametrize("kind", [OWN, NOT_BUILT, LET_BE, HUNG], ids=lambda kind: kind["fault"])
def test_what_is_tried_again_nevertheless_is_shown(kind):
    """Also where only the vendor's document, or nobody, asks for it."""
    assert verdict("retries", calls(3, 0.5, kind=kind)) == PASS


def test_a_conflict_that_the_vendor_calls_passing_ought_to_be_tried_again():
    """`Try again.` in a document holds for a 409 too."""
    assert verdict("retries", calls(3, kind=LET_BE)) == FAIL


@pytest.mark.parametrize("kind", [TOKEN, REFRESH, CONFLICT], ids=lambda kind: kind["fault"])
def test_what_is_sent_again_after_a_step_of_its_own_is_no_fault_either_way(kind):
    """Its document says how: with a new token, with care. Who does that is right, and nobody has to."""
    assert finding("permanent", calls(3, 0.5, kind=kind), driven=True).n == 0
    assert finding("permanent", calls(3, kind=kind), driven=True).n == 0
    assert verdict("retries", calls(3, 0.5, kind=kind)) == PASS
    assert (verdict("retries", calls(10, kind=kind)), finding("retries").n) == (INCONCLUSIVE, 0)


def test_who_was_told_to_look_first_and_asks_blindly_again():
    """R2 says of a 412 to fetch anew: the very same request is none. Azure's SDK repeats a 500 all the same."""
    assert verdict("permanent", calls(3, 0.5, kind=REFETCH), driven=True) == FAIL
    assert finding("retries").n == 0
    assert verdict("retries", calls(3, 0.5, kind=LOOK)) == PASS
    assert finding("retries", calls(10, kind=LOOK)).n == 0


def test_a_503_that_a_document_says_nothing_more_of_ought_to_be_tried_again():
    """Its status says it."""
    kind = {"fault": "qingstor:upstream_failed", "status": 503, "did": "answered"}
    assert verdict("retries", calls(3, kind=kind)) == FAIL


def test_a_server_error_of_no_known_document_ought_to_be_tried_again():
    """599 and 573 are what services say that have a number of their own."""
    assert verdict("retries", calls(3, kind=ODD)) == FAIL


def test_a_post_that_is_not_tried_again_counts_for_nothing():
    """No client has to repeat a POST."""
    assert verdict("retries", calls(5, method="POST")) == INCONCLUSIVE
    assert verdict("retries", calls(5, method="POST"), calls(3, 0.5)) == PASS


def test_a_post_counts_where_a_storage_client_repeats_others():
    """An SDK that uploads by POST and repeats that for one code is asked about the others as well."""
    found = findings("retries", calls(3, 0.5, **FORM), calls(3, kind=PLAIN, **FORM))
    assert [each.verdict for each in found] == [PASS, WARN]


def test_an_sdk_that_repeats_no_post_need_not_begin_with_it():
    """Its other requests are tried again, which says nothing of uploads by POST."""
    found = findings("retries", calls(3, 0.5, user_agent=FORM["user_agent"]), calls(3, kind=PLAIN, **FORM))
    assert [each.subject for each in found] == ["503 SlowDown"]


def test_a_lost_post_that_is_not_tried_again_counts_for_nothing_at_all():
    """An SDK that repeats harmless POSTs is right to leave those alone that may have taken effect."""
    harmless, lost = calls(3, 0.5, kind=HIDDEN, last=FINE, **FORM), calls(4, kind=LOST, **FORM)
    assert verdict("retries", harmless, lost, calls(3, 0.5, kind=RESET)) == PASS


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (calls(5, 0.5, 0.5, kind=INTERNAL), WARN),
        ([*calls(3, 0.5, 0.5, kind=INTERNAL), *calls(3, kind=INTERNAL)], INCONCLUSIVE),
        ([*calls(3, 0.5, 0.5, kind=INTERNAL), *calls(3, kind=INTERNAL, method="POST")], WARN),
        ([*calls(3, 0.5, 0.5, kind=INTERNAL), *calls(3, 0.5, kind=INTERNAL, last=DENIED)], WARN),
    ],
    ids=["all are tried again alike", "less and less", "a POST is left alone", "another answer ended it"],
)
def test_a_budget_that_others_used_up_may_be_why_a_code_is_not_tried_again(before, expected):
    """Calls of the same client, just before, that were tried again less than others of their kind."""
    for at, then in ((10.0, expected), (59.0, expected), (61.0, WARN)):
        found = findings("retries", before, calls(3, at=at))
        assert {each.subject: each.verdict for each in found}["503 SlowDown"] == then


@pytest.mark.parametrize(("number", "expected"), [(8, WARN), (9, INCONCLUSIVE)])
def test_half_of_a_promised_quota_may_be_all_that_is_left(number, expected):
    """AWS: 35 retries after server errors; 18 of them make a doubt."""
    before, late = calls(number, 0.5, 0.5, kind=INTERNAL), calls(3, at=10.0)
    found = findings("retries", before, late, profile="aws-2026")
    assert [each.verdict for each in found if each.subject == "503 SlowDown"] == [expected]


def test_the_phases_of_a_driver_have_clients_of_their_own():
    """What one spends is not missing in another."""
    spent = [*calls(3, 0.5, 0.5, kind=INTERNAL), *calls(3, kind=INTERNAL)]
    for each in spent:
        each.name = "out"
    late = calls(3, at=10.0, about={"name": "thr"})
    found = findings("retries", spent, late, driven=True)
    assert {each.subject: each.verdict for each in found}["503 SlowDown"] == WARN


def test_an_unreadable_hint_has_a_check_of_its_own():
    """A client that stops there is not said to give up on the code."""
    junk = calls(5, hint_form="unreadable")
    assert verdict("retries", calls(10, 0.5, apart=0), junk) == PASS


@pytest.mark.parametrize(
    ("again", "once", "expected"), [(0, 2, INCONCLUSIVE), (0, 3, PASS), (1, 2, FAIL), (3, 0, FAIL)]
)
def test_a_permanent_answer_is_asked_for_once(again, once, expected):
    """One call in three that repeats a 403 is one too many."""
    assert verdict("permanent", calls(again, 0.5, kind=DENIED), calls(once, kind=DENIED)) == expected


def test_which_answers_are_permanent():
    """Neither a throttle with status 400 nor a conflict that the vendor calls passing nor the app's own 404.

    A 401 of which the document says no more than that it is one is permanent.
    """
    missing = {"fault": "b2:missing_auth_token", "status": 401, "did": "answered"}
    assert verdict("permanent", calls(3, 0.5, kind=missing)) == FAIL
    jss = {"fault": "jss:SlowDown", "status": 400, "did": "answered"}
    own = FINE | {"status": 404}
    for kind in (jss, LET_BE, own, {"fault": "http:418", "status": 418, "did": "answered"}):
        assert finding("permanent", calls(3, 0.5, kind=kind)).n == 0
    for status in (400, 401, 403, 404, 405, 409, 412):
        kind = {"fault": f"http:{status}", "status": status, "did": "answered"}
        assert verdict("permanent", calls(3, 0.5, kind=kind)) == FAIL


LOOKS = {"signal": FINGERPRINT}


def test_several_callers_may_be_refused_the_same():
    """Three tests want their 403: looks alone cannot tell them from a client that asks again, a driver can."""
    found = [*calls(2, 0.5, kind=DENIED, **LOOKS), *calls(1, kind=DENIED, **LOOKS)]
    told = "2 of 3 calls retried after 403 AccessDenied, or several callers sent the request."
    assert finding("permanent", found).message.startswith(told)
    assert verdict("permanent", found) == INCONCLUSIVE
    assert finding("permanent", found, driven=True).message == "2 of 3 calls retried after 403 AccessDenied"
    assert verdict("permanent", found, driven=True) == FAIL
    assert verdict("permanent", [*calls(1, 0.5, kind=DENIED), *calls(2, kind=DENIED)]) == FAIL


def test_three_things_that_are_asked_for_again_are_worth_a_question():
    """Several callers that are refused the same three things are seldom."""
    found = finding("permanent", calls(3, 0.5, kind=DENIED, **LOOKS))
    assert (found.verdict, found.message) == (
        WARN,
        "3 of 3 calls retried after 403 AccessDenied, or several callers sent the request",
    )
    found = finding("permanent", calls(3, 0.5, kind=DENIED, about={"alone": True}, **LOOKS))
    assert found.verdict == FAIL
    assert found.message.endswith("but no other request came between those to 3 objects")


@pytest.mark.parametrize("changed", [{"credential": "b"}, {"precondition": "b"}])
def test_who_changes_what_he_asks_with_asks_for_something_else(changed):
    """A new token after a 401, a new If-Match after a 412."""
    found = calls(3, 0.5, kind=DENIED, every=[{}, changed])
    assert verdict("permanent", found) == PASS
    assert verdict("permanent", calls(3, 0.5, 0.5, kind=DENIED, every=[{}, changed, changed])) == FAIL


def test_the_apps_own_refusal_behind_a_delay_is_none_that_was_injected():
    """`latency` delays whatever the app says."""
    late = {"fault": "latency", "status": 404, "did": "delayed"}
    assert finding("permanent", calls(3, 0.5, kind=late)).n == 0


def test_a_refusal_that_was_asked_for_again_needs_no_end():
    """It has happened."""
    assert verdict("permanent", [], open=calls(3, 0.5, kind=DENIED, about={"closed": False})) == FAIL
    assert verdict("permanent", [], open=calls(3, kind=DENIED, about={"closed": False})) == INCONCLUSIVE


def above(things, pause, *, signal=SDK_ID, **more):
    """Two calls of an SDK for each thing, one `pause` seconds after the other."""
    return [
        call(kind=DENIED, at=at, path=f"/bucket/{each}", signal=signal, **more)
        for each in range(things)
        for at in (each, each + pause)
    ]


@pytest.mark.parametrize(
    ("things", "pause", "expected", "driven"),
    [
        (3, 0.5, WARN, FAIL),
        (2, 0.5, INCONCLUSIVE, FAIL),
        (3, 1.1, INCONCLUSIVE, FAIL),  # a waiter asks every five seconds whether an object is there
        (3, 10, INCONCLUSIVE, FAIL),
        (3, 10.1, PASS, PASS),
        (3, 0.0005, PASS, PASS),
    ],
)
def test_a_layer_above_the_sdk_that_asks_again_is_seen(things, pause, expected, driven):
    """SDK calls for one thing, one after the other: a driver knows that there is one caller; else it may be several."""
    assert verdict("permanent", above(things, pause)) == expected
    assert verdict("permanent", above(things, pause), driven=True) == driven


def test_a_layer_above_is_seen_by_the_ids_of_the_sdk_only():
    """Without them every such call may be a caller of its own; a driver knows that there is one caller."""
    assert verdict("permanent", above(3, 0.5, signal="fingerprint")) == PASS
    assert verdict("permanent", above(2, 0.5), driven=True) == FAIL


@pytest.mark.parametrize(
    ("attempts", "expected"), [(1, PASS), (3, PASS), (10, PASS), (11, WARN), (20, WARN), (21, FAIL)]
)
def test_a_call_ends_soon(attempts, expected):
    """Up to 10 attempts are fine, up to 20 many, more are without end."""
    assert verdict("gives up", calls(3, *[0.1] * (attempts - 1))) == expected


def test_how_often_and_how_long_is_told():
    """Also where all is well: the number is what people look for."""
    assert finding("gives up", calls(3, 1, 1.9)).message == "at most 3 attempts per call, within 2.90 s"
    assert finding("gives up", calls(3, *[0.1] * 29), driven=True).message == "up to 30 attempts per call"


@pytest.mark.parametrize(("number", "expected"), [(2, INCONCLUSIVE), (3, PASS)])
def test_calls_that_fail_to_the_end_tell_whether_they_stop(number, expected):
    """Those that succeed, and those that are forbidden and not repeated, show no end."""
    others = [*calls(5, 0.5, last=FINE), *calls(5, kind=DENIED)]
    assert verdict("gives up", calls(number, 0.5), others) == expected


def test_a_call_that_another_answer_ended_rightly_is_no_failed_call():
    """A throttle and then a conflict: nobody asks again. A forbidden request that was repeated is one."""
    assert finding("gives up", calls(5, 0.5, last=DENIED)).n == 0
    assert finding("gives up", calls(5, 0.5, kind=DENIED)).n == 5


def test_a_call_without_end_needs_no_end():
    """A driver's time is over before an endless client's."""
    endless = calls(3, *[0.1] * 20, about={"closed": False})
    assert verdict("gives up", open=endless) == FAIL
    assert verdict("gives up", open=calls(3, *[0.1] * 19, about={"closed": False})) == INCONCLUSIVE


@pytest.mark.parametrize(
    ("profile", "attempts", "expected"),
    [("sre", 3, PASS), ("sre", 4, FAIL), ("cos", 4, PASS), ("cos", 5, FAIL)],
)
def test_a_profile_sets_the_limit(profile, attempts, expected):
    """What is promised, or asked for, holds before the general limit."""
    assert verdict("gives up", calls(3, *[1] * (attempts - 1)), profile=profile) == expected


def test_a_client_that_says_its_limit_is_held_to_that():
    """A user may set more attempts than the SDK makes by itself, but the general limit stays."""
    told = {"attempt_hint": {"max": 5}}
    assert verdict("gives up", calls(3, *[1] * 4, **told), profile="aws-2026") == PASS
    assert verdict("gives up", calls(3, *[1] * 5, **told), profile="aws-2026") == FAIL
    assert verdict("gives up", calls(3, *[1] * 20, attempt_hint={"max": 50}), profile="aws-2026") == FAIL
    assert verdict("gives up", calls(3, *[1] * 4, **told), profile="sre") == FAIL
    assert finding("gives up", calls(3, *[1] * 3), profile="sre").message.endswith("; sre allows 3")


ALONE = {"about": {"alone": True}}


@pytest.mark.parametrize(
    ("more", "contrast", "expected", "why"),
    [
        ({}, {}, WARN, "a caller that repeats its call looks the same"),
        ({}, {"PUT": (0, 2)}, WARN, "a caller that repeats its call looks the same"),
        ({}, {"PUT": (0, 3)}, FAIL, "but of 3 successful requests the client repeated none"),
        ({}, {"PUT": (4, 40)}, FAIL, "but of 40 successful requests the client repeated 4"),
        ({}, {"PUT": (5, 40)}, WARN, "a caller that repeats its call looks the same"),
        ({}, {"GET": (0, 40)}, WARN, "a caller that repeats its call looks the same"),
        (ALONE, {}, FAIL, "but no other request came between those to 3 objects"),
    ],
)
def test_looks_alone_prove_what_cannot_be_explained_otherwise(more, contrast, expected, why):
    """The message says which explanation is ruled out, or is not."""
    endless = calls(3, *[0.1] * 25, signal=FINGERPRINT, **more)
    said = finding("gives up", endless, contrast=Contrast(contrast))
    assert (
        said.verdict,
        said.message.partition("; the attempts were grouped by fingerprint alone")[2].lstrip(",: "),
    ) == (
        expected,
        why,
    )


def test_two_things_may_be_alone_by_chance():
    """Three are needed; one that the SDK's ids join needs no more."""
    assert verdict("gives up", calls(2, *[0.1] * 25, signal=FINGERPRINT, **ALONE), calls(1)) == WARN
    assert verdict("gives up", calls(3, *[0.1] * 25)) == FAIL


def test_lost_answers_and_server_errors_count_like_throttles():
    """Whatever may pass and did not is a failed call."""
    assert (
        finding("gives up", calls(1, 1, kind=INTERNAL), calls(1, 1, kind=LOST), calls(1, 1, kind=SLOW_DOWN)).n
        == 3
    )
