"""Attempts are joined to calls, and what cannot be told apart is said to be shared."""

from __future__ import annotations

import json
from weakref import WeakSet

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultinject.audit import grouping
from faultinject.audit.grouping import Grouper, group
from faultinject.journal.attempts import Attempt
from faultinject.journal.call_window import CallWindow
from faultinject.journal.calls import FINGERPRINT, RETRY_MARK, SDK_ID, TOLD

from .traffic import by_beginning, fields, grouped, line, request, shape


class Watched(Attempt):
    """One that can be seen to be gone."""

    __slots__ = ("__weakref__",)


def one(calls):
    [call] = calls
    return call


def told(name, began, ended, **more):
    return CallWindow(name, 1000.0 + began, None if ended is None else 1000.0 + ended, **more)


# By looks


def test_a_retry_goes_on_with_the_call_that_failed():
    """The everyday case: the same request again, until it succeeds; the next one is another call."""
    calls = grouped(request(0, "503"), request(1, "503"), request(3), request(3.1))
    assert shape(calls) == ["503 503 200", "200"]
    assert {call.signal for call in calls} == {FINGERPRINT}
    assert not any(call.shared or call.cut for call in calls)
    assert all(call.closed and call.inferred for call in calls)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "GET"},
        {"path": "/photos/dog.jpg"},
        {"query": "partNumber=2"},
        {"client": "10.0.0.1"},
        {"user_agent": "downloader/1.0"},
        {"principal": "b" * 16},
        {"test": "test_other"},
        {"clock": 1},
        {"body": "other"},
        {"request_bytes": 50},
    ],
    ids=str,
)
def test_another_look_is_another_call(change):
    """Whatever tells two requests apart tells their calls apart."""
    body = {"body": "bytes"} if change.keys() & {"body", "request_bytes"} else {}
    clock = change.pop("clock", 0)
    other = request(1, "503", **{**body, **change})
    other.clock = clock
    assert shape(grouped(request(0, "503", **body), other)) == ["503", "503"]


@pytest.mark.parametrize("change", [{"host": "backup.example"}, {"connection": 40_001}, {"pid": 8}], ids=str)
def test_where_it_goes_does_not_tell_calls_apart(change):
    """A retry may go to a backup host, on a new connection, and meet another worker."""
    assert shape(grouped(request(0, "503"), request(1, **change))) == ["503 200"]


def test_words_of_a_user_agent_that_change_are_not_looked_at():
    """botocore puts the features that one request used into its user agent."""
    first = request(0, "503", user_agent="Boto3/1.44.5 m/Z,b cfg/retry-mode#standard")
    second = request(1, user_agent="Boto3/1.44.5 m/Z,b,E cfg/retry-mode#standard")
    assert shape(grouped(first, second)) == ["503 200"]


def test_digests_of_two_seeds_are_not_compared():
    """Principal and body digests are keyed with the seed, so that another one says nothing."""
    first = request(0, "503", body="bytes")
    same = request(1, "503", principal="b" * 16, request_bytes=5, request_digest="other", seed="1")
    assert shape(grouped(first, same)) == ["503 503"]


def test_a_request_that_passes_is_told_by_its_length():
    """Of the app's own answers no digest of the request is known."""
    first = request(0, "503", body="12345")
    assert shape(grouped(first, request(1, body="12345"))) == ["503 200"]
    assert shape(grouped(first, request(1, body="123456"))) == ["503", "200"]
    assert shape(grouped(first, request(1, request_bytes=None))) == ["503 200"]


def test_a_body_that_was_cut_is_no_other_body():
    """What was not read to its end has no length to compare."""
    first = request(0, "503", request_bytes=3, request_digest="part", body_complete=False)
    assert shape(grouped(first, request(1, body="12345"))) == ["503 200"]


def test_a_body_that_was_not_rewound_is_the_same_call():
    """A shorter body on the same key, with one call waiting there: the client did not rewind."""
    first = request(0, "503", body="12345")
    call = one(grouped(first, request(1, "503"), request(2, "503", body="12345")))
    assert [each.request_bytes for each in call.attempts] == [5, 0, 5]
    assert call.same_bytes is False


def test_a_shorter_body_beside_two_waiting_calls_is_a_call_of_its_own():
    """Nobody knows which of the two was not rewound."""
    calls = grouped(request(0, "503", body="12345"), request(0.1, "503", body="123456"), request(1, "503"))
    assert shape(calls) == ["503", "503", "503"]


@pytest.mark.parametrize("answer", ["200", "503"])
def test_a_shorter_body_is_doubted_when_the_whole_one_comes_again(answer):
    """Who sends the whole body again rewinds it: the shorter one was another thread's."""
    attempts = [request(0, "503", body="12345"), request(0.1, answer, body="1234")]
    assert [call.shared for call in grouped(*attempts)] == [False]
    assert {call.shared for call in grouped(*attempts, request(1, body="12345"))} == {True}


def test_a_shorter_body_is_doubted_when_it_has_been_another_call_s():
    """What comes twice, each time behind another failure, is a call of its own."""
    first = [request(0, "503", body="123456"), request(0.1, "503", body="1234"), request(1, body="123456")]
    second = [request(2, "503", body="12345"), request(2.1, body="1234")]
    assert {call.shared for call in grouped(*first, *second)} == {True}


def test_a_shorter_body_is_doubted_when_a_third_one_comes():
    """Who sends many bodies for one key may have sent the shorter one for another call."""
    attempts = [request(0, "503", body="12345"), request(0.1, "503", body="123")]
    assert shape(grouped(*attempts)) == ["503 503"]
    calls = by_beginning(grouped(*attempts, request(0.2, "503", body="1234567"), request(1, body="1234567")))
    assert [(len(call.attempts), call.shared) for call in calls] == [(2, True), (2, False)]


def test_a_like_request_after_a_minute_is_another_call():
    """No retry comes so late."""
    assert shape(grouped(request(0, "503"), request(60, "503"))) == ["503 503"]
    assert shape(grouped(request(0, "503"), request(60.2, "503"))) == ["503", "503"]


@pytest.mark.parametrize("answer", ["503", "500", "reset", "hidden", "404"])
def test_after_a_failure_it_is_a_retry(answer):
    """Whatever the client took for an error, an error of the app's own included."""
    assert len(grouped(request(0, answer), request(1))) == 1


def test_after_an_answer_that_nobody_saw_it_is_no_retry():
    """A journal that does not hold every answer cannot tell."""
    assert shape(grouped(request(0, "?"), request(1))) == ["?", "200"]


def test_who_hung_may_come_again_before_the_end():
    """The client gives up when it likes; the server learns of it later, or never."""
    call = one(grouped(request(0, "hang", took=None), request(2, "503"), request(3)))
    assert not call.shared
    assert call.gaps[0] is None
    assert call.gaps[1] == pytest.approx(0.999)


# Shared


def test_a_request_while_another_is_under_way_shares_the_key():
    """Rule a: two callers, or a hedge; without a plan nobody can tell."""
    calls = grouped(request(0, "503", took=0.4), request(0.2), request(1))
    assert all(call.shared for call in calls)


def test_a_request_while_another_is_delayed_shares_the_key():
    """The answer has not begun when the line is written."""
    calls = grouped(request(0, "slow", took=None), request(0.2))
    assert all(call.shared for call in calls)


def test_two_failed_calls_that_wait_at_once_share_the_key():
    """Rule b, here by a mark that begins a second call; which of them goes on nobody can tell."""
    marked = [request(-9, "503"), request(-8, retry=True)]
    calls = grouped(*marked, request(0, "503"), request(0.1, "503"), request(1, retry=True))
    assert [call.shared for call in by_beginning(calls)] == [True, True, True]


def test_a_request_at_once_on_another_connection_shares_the_key_when_the_first_lives_on():
    """Rule c, learnt after the call was told."""
    first = request(0, "503", connection=1)
    second = request(0.01, connection=2)
    alone = request(0.3, connection=2, path="/other")
    again = request(0.4, connection=1, path="/third")
    assert [call.shared for call in by_beginning(grouped(first, second, alone))] == [False, False]
    assert [call.shared for call in by_beginning(grouped(first, second, alone, again))] == [
        True,
        False,
        False,
    ]
    assert [call.crossed for call in by_beginning(grouped(first, second, alone, again))] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"connection": 40_000}),
        ({"answer": "reset"}, {}),
        ({}, {"at": 0.05}),
        ({"connection": None}, {}),
        ({"invocation": "1"}, {"invocation": "1"}),
    ],
    ids=["same connection", "the connection broke", "later", "unknown", "joined by id"],
)
def test_a_retry_on_another_connection_alone_shares_nothing(first, second):
    """Nothing shows a second caller."""
    first = request(**{"at": 0, "answer": "503", "connection": 40_000, **first})
    second = request(**{"at": 0.01, "connection": 40_001, **second})
    last = request(1, path="/other", connection=40_000)
    assert not any(call.shared for call in grouped(first, second, last))


def test_a_port_that_comes_again_after_a_minute_is_another_connection():
    """Ports are handed out again."""
    first, second = request(0, "503", connection=1), request(0.01, connection=2)
    assert not any(call.shared for call in grouped(first, second, request(61, connection=1)))


def test_a_shared_key_stays_shared():
    """All its calls count for nothing, those before and those to come."""
    before = [request(0, "503"), request(0.1), request(0.2, "503")]
    overlap = [request(0.3, took=0.2), request(0.4)]
    calls = grouped(*before, *overlap, request(300, "503"), request(301))
    assert [call.shared for call in by_beginning(calls)] == [True, True, True, True]


def test_different_bodies_on_one_key_share_nothing():
    """Calls are told apart by what they send."""
    first = [request(0, "503", body="12345"), request(1, "503", body="12345")]
    second = [request(0.0005, "503", body="1234567"), request(0.9, "503", body="1234567")]
    calls = grouped(*first, *second)
    assert shape(calls) == ["503 503", "503 503"]
    assert not any(call.shared for call in calls)


def test_one_body_is_shared_and_another_on_the_same_key_is_not():
    """What is known of each body counts."""
    shared = [request(at, "503", body="12345", took=0.4, connection=at) for at in (0, 0.2)]
    own = [request(0.1, "503", body="123456"), request(0.9, "503", body="123456")]
    calls = by_beginning(grouped(*shared, *own, request(0.95, body="12345")))
    assert shape(calls) == ["503 200", "503 503", "503"]
    assert [call.shared for call in calls] == [True, False, True]


def test_a_crowd_says_nothing():
    """Hundreds of calls for one thing at a time, by whatever they differ."""
    attempts = [request(number / 1000, "503", body="x" * (100 + number)) for number in range(700)]
    calls = grouped(*attempts, request(1, "503", body="y"), request(2, body="y"))
    assert all(call.shared for call in calls)


def test_a_crowd_of_bodies_each_of_which_is_shared_says_nothing(monkeypatch):
    """What is known of single bodies is bounded."""
    monkeypatch.setattr("faultinject.audit.grouping.CROWD", 5)
    attempts = [
        request(at, took=0.1, body="x" * number) for number in range(10) for at in (number, number + 0.05)
    ]
    calls = grouped(*attempts, request(100, "503", body="alone"))
    assert by_beginning(calls)[-1].shared


def test_of_two_that_wait_the_one_on_the_same_connection_goes_on():
    """A guess, and said to be one: the key is shared."""
    first, second = request(0, "503", connection=1, took=0.01), request(0.001, "503", connection=2, took=0.01)
    calls = grouped(first, second, request(1, connection=2))
    assert shape(calls) == ["503", "503 200"]
    assert all(call.shared for call in calls)


# Ids and marks


def test_an_id_joins_whatever_looks_alike():
    """Sixty calls for one key at once are told apart."""
    attempts = [
        request(at + number / 1000, "503", invocation=str(number)) for number in range(60) for at in (0, 1, 2)
    ]
    calls = grouped(*attempts)
    assert shape(calls) == ["503 503 503"] * 60
    assert {(call.signal, call.shared) for call in calls} == {(SDK_ID, False)}


@pytest.mark.parametrize(
    "change", [{"path": "/other"}, {"query": "partNumber=2"}, {"method": "POST"}], ids=str
)
def test_an_id_of_several_requests_is_of_several_calls(change):
    """Resumable uploads send one id with each of their requests."""
    calls = grouped(request(0, "503", invocation="x"), request(1, invocation="x", **change))
    assert shape(calls) == ["503", "200"]


def test_an_id_that_comes_again_after_a_success_is_another_call():
    """A caller that uses one Idempotency-Key for everything; also while another answer is waited for."""
    attempts = [request(0, invocation="x"), request(1, invocation="x")]
    assert shape(grouped(*attempts)) == ["200", "200"]
    assert shape(grouped(request(-0.5, took=50, path="/slow"), *attempts)) == ["200", "200", "200"]


def test_an_id_comes_again_while_the_first_is_under_way():
    """A hedge, told by the client itself."""
    for answer in ("slow", "200"):
        call = one(grouped(request(0, answer, took=0.4, invocation="x"), request(0.2, invocation="x")))
        assert not call.shared


def test_an_id_joins_what_it_was_not_known_to_have_failed():
    """The second attempt says that there was a first; in this journal answers are not on record."""
    assert shape(grouped(request(0, "?", invocation="x"), request(1, invocation="x", number=2))) == ["? 200"]


def test_an_id_joins_after_minutes():
    """No window for what the client itself says."""
    calls = grouped(
        request(0, "503", invocation="x"), request(50, "503", invocation="x"), request(130, invocation="x")
    )
    assert shape(calls) == ["503 503 200"]


def test_the_first_attempt_by_its_number_begins_a_call():
    """A layer above the SDK called again: the SDK counts from one."""
    calls = grouped(request(0, "503", number=1), request(1, "503", number=2), request(2, "503", number=1))
    assert shape(calls) == ["503 503", "503"]
    assert {call.signal for call in calls} == {RETRY_MARK}


def test_who_marks_retries_begins_a_call_without_a_mark():
    """A user agent that was ever seen marking marks always."""
    calls = grouped(
        request(0, "503", path="/1"), request(1, retry=True, path="/1"), request(2, "503"), request(3, "503")
    )
    assert shape(calls) == ["503 200", "503", "503"]
    assert {call.signal for call in calls} == {RETRY_MARK, FINGERPRINT} - {FINGERPRINT}


def test_who_is_known_to_mark_retries_does_from_the_beginning():
    """A journal whose first calls were not retried."""
    calls = grouped(request(0, "503"), request(1, "503"), marks=["uploader/1.0"])
    assert shape(calls) == ["503", "503"]


@pytest.mark.parametrize("more", [{"retry": True}, {"number": 2}, {"number": 2, "invocation": "x"}], ids=str)
def test_a_marked_retry_without_its_beginning_is_cut(more):
    """The journal begins in the middle of a call."""
    call = one(
        grouped(request(0, "503", **more), request(1, **{**more, "number": 3} if "number" in more else more))
    )
    assert call.cut
    assert len(call.attempts) == 2


# Open and closed


@pytest.mark.parametrize(
    ("until", "closed"),
    [(None, False), (9.9, False), (10.1, True)],
    ids=["at its last line", "soon", "later"],
)
def test_a_failed_call_is_open_until_it_was_quiet(until, closed):
    """Of a client that never retried, ten seconds; the end of a journal is the time it is read."""
    assert one(grouped(request(0, "503", took=0), until=until)).closed is closed


@pytest.mark.parametrize(("wait", "quiet"), [(0.5, 2.0), (3.0, 6.0)])
def test_how_long_it_must_be_quiet_follows_from_the_longest_wait(wait, quiet):
    """Twice the longest wait seen of the client, two seconds at least."""
    attempts = [request(0, "503", took=0, path="/1"), request(wait, path="/1"), request(9, "503", took=0)]
    assert by_beginning(grouped(*attempts, until=9 + quiet - 0.1))[-1].closed is False
    assert by_beginning(grouped(*attempts, until=9 + quiet + 0.1))[-1].closed is True


def test_the_waits_of_another_client_do_not_count():
    """Its calls are over when its own waits are."""
    attempts = [
        request(0, "503", took=0, path="/1", user_agent="slow"), request(5, path="/1", user_agent="slow"),
        request(6, "503", took=0, path="/2"), request(6.1, path="/2"), request(9, "503", took=0),
    ]  # fmt: skip
    assert by_beginning(grouped(*attempts, until=11.5))[-1].closed is True


def test_a_call_that_succeeded_is_closed():
    """Nothing more can come."""
    assert one(grouped(request(0, "503"), request(1))).closed
    assert one(grouped(request(0))).closed


def test_a_request_without_an_answer_is_open():
    """It hangs, or is delayed, while the journal is read."""
    assert not one(grouped(request(0, "slow", took=None), until=5)).closed


def test_an_end_before_the_last_request_is_none():
    """Clocks jump."""
    assert by_beginning(grouped(request(0, "503"), request(30, path="/2"), until=-500))[0].closed


def test_calls_are_told_as_they_end():
    """A success when its answer is out and the next request comes, a failure when nobody waits so long."""
    calls = []
    grouper = Grouper(tell=calls.append)
    counts = []
    for each in (request(0), request(1, "503", path="/2"), request(2, path="/3"), request(62, path="/4")):
        grouper.add(each)
        counts.append(len(calls))
    assert counts == [0, 1, 1, 3]
    grouper.end()
    assert len(calls) == 4


def test_a_slow_answer_keeps_nothing_back():
    """What is well and over is told, though one before it is still under way."""
    calls = []
    grouper = Grouper(tell=calls.append)
    grouper.add(request(0, took=500, path="/slow"))
    for number in range(100):
        grouper.add(request(10 + number, path=f"/{number}"))
    assert len(calls) >= 97


def test_only_calls_under_way_are_held(monkeypatch):
    """Memory is bounded by them, and by how many of the others are remembered, whatever the number of keys."""
    monkeypatch.setattr(grouping, "REMEMBERED", 50)
    grouper = Grouper(tell=lambda call: None)
    held = WeakSet()
    counts = []
    for number in range(800):
        attempt = Watched(fields(number, ("503", "200")[number % 2], path=f"/{number}", connection=number))
        held.add(attempt)
        grouper.add(attempt)
        counts.append(len(held))
    assert 0 < max(counts[700:]) <= max(counts[:300])


def test_what_is_known_of_a_key_is_bounded(monkeypatch):
    """Of calls that were told long ago nothing is learnt any more."""
    monkeypatch.setattr(grouping, "REMEMBERED", 4)
    attempts = [request(number, ("503", "200")[number % 2]) for number in range(20)]
    calls = grouped(*attempts, request(30, took=0.5), request(30.1))
    assert [call.shared for call in by_beginning(calls)[8:]] == [True] * 4
    assert not by_beginning(calls)[0].shared


def test_texts_of_a_call_are_kept_once():
    """A journal of long keys in bounded memory."""
    first, second, third = (
        Attempt(json.loads(line(at, answer, path="/long/key", body="bytes")))
        for at, answer in ((0, "503"), (1, "503"), (2, "200"))
    )
    call = one(grouped(first, second, third))
    assert call.attempts[1].path is call.first.path
    assert call.attempts[1].request_digest is call.first.request_digest
    assert call.attempts[2].request_digest is None


def test_a_call_without_an_end_is_told_before(monkeypatch):
    """A loop that never stops is judged, and does not fill the memory."""
    monkeypatch.setattr(grouping, "MANY", 5)
    calls = by_beginning(grouped(*(request(at, "503") for at in range(12)), until=100))
    assert [(len(call.attempts), call.cut, call.closed) for call in calls] == [
        (5, False, True), (5, True, True), (2, True, True),
    ]  # fmt: skip


# Driven


def test_in_a_driven_run_nothing_is_shared():
    """Each call has its own key: a second copy is of the same call, whatever it carries."""
    slow = [request(0, "slow", took=0.4, body="12345"), request(0.2)]
    call = one(grouped(*slow, driven=True))
    assert not call.shared
    assert len(call.attempts) == 2


def test_in_a_driven_run_there_is_no_window():
    """A retry may come when it likes."""
    assert len(grouped(request(0, "503"), request(55, "503"), request(160, "503"), driven=True)) == 1


def test_in_a_driven_run_a_request_without_a_key_is_told_by_its_looks():
    """Form uploads name their key in the body."""
    calls = grouped(
        *(request(at, "503", key=None, path="/", body=body) for at in (0, 1) for body in ("one", "three")),
        driven=True,
    )
    assert shape(calls) == ["503 503", "503 503"]
    assert not any(call.shared for call in calls)


def test_in_a_driven_run_even_what_looks_shared_is_not():
    """Two form uploads of the same bytes at once."""
    first, second = (request(at, "slow", took=0.4, key=None, path="/", body="one") for at in (0, 0.1))
    assert not any(call.shared for call in grouped(first, second, driven=True))


def test_a_driver_tells_calls_by_their_key():
    """The key is in the path; name, result and error are the driver's."""
    attempts = [
        request(0, "503", path="/b/thr-001"),
        request(0.001, "503", path="/b/thr-002"),
        request(1, path="/b/thr-001"),
    ]
    told_calls = [
        told("thr", 0, 1.1, key="thr-001", returned=True),
        told("thr", 0, 1.5, key="thr-002", returned=False, error="SlowDown"),
        told("out", 0, 1.5, key="out-001"),
    ]
    calls = by_beginning(grouped(*attempts, driven=True, told=told_calls))
    assert shape(calls) == ["503 200", "503"]
    assert [(call.name, call.returned, call.error) for call in calls] == [
        ("thr", True, None), ("thr", False, "SlowDown"),
    ]  # fmt: skip
    assert all(call.closed and call.signal == TOLD for call in calls)


def test_a_call_that_the_driver_did_not_see_end_is_open():
    """The deadline came first."""
    call = one(
        grouped(request(0, "503", path="/b/k"), driven=True, told=[told("thr", 0, None, key="k")], until=100)
    )
    assert not call.closed


def test_a_key_that_is_used_twice_belongs_to_the_call_that_began_last():
    """A second call for it begins with its own window."""
    told_calls = [told("one", 0, 1.5, key="k"), told("two", 2, 3, key="k")]
    attempts = [
        request(0, "503", path="/b/k"),
        request(1, "503", path="/b/k"),
        request(2, "503", path="/b/k"),
    ]
    calls = by_beginning(grouped(*attempts, driven=True, told=told_calls))
    assert [(call.name, len(call.attempts)) for call in calls] == [("one", 2), ("two", 1)]


# Told by a test


def test_what_a_test_tells_closes_the_call():
    """A sequential loop on one key that always fails looks like one call; the test knows better."""
    attempts = [request(at, "503") for at in (0, 0.5, 1, 1.5)]
    assert shape(grouped(*attempts)) == ["503 503 503 503"]
    windows = [told("first", -0.1, 0.9, returned=False, error="no"), told("second", 0.95, 2, returned=False)]
    calls = by_beginning(grouped(*attempts, told=windows))
    assert [(call.name, len(call.attempts), call.returned, call.error, call.signal) for call in calls] == [
        ("first", 2, False, "no", TOLD), ("second", 2, False, None, TOLD),
    ]  # fmt: skip
    assert all(call.closed for call in calls)


def test_a_told_call_of_several_requests_keeps_them_apart():
    """An upload in parts is one told call and many HTTP requests; what it returned is known of the last."""
    attempts = [
        request(0, "503", query="partNumber=1"),
        request(1, query="partNumber=1"),
        request(2, query="partNumber=2"),
    ]
    calls = by_beginning(grouped(*attempts, told=[told("upload", -1, 3, returned=True)]))
    assert shape(calls) == ["503 200", "200"]
    assert [(call.name, call.returned, call.signal) for call in calls] == [
        ("upload", None, TOLD), ("upload", True, TOLD),
    ]  # fmt: skip


def test_what_comes_before_and_after_is_of_no_told_call():
    """Nor what has no key of one, or came before it began."""
    windows = [told("upload", 4, 6), told("keyed", 20, 30, key="k"), told("other", 20, 30, key="k", test="t")]
    attempts = [
        request(1, path="/1"), request(5, path="/2"), request(8, path="/3"), request(10, path="/b/k"),
        request(21, path="/b/k"), request(22, path="/b/other"),
    ]  # fmt: skip
    calls = by_beginning(grouped(*attempts, told=windows))
    assert [call.name for call in calls] == [None, "upload", None, None, "keyed", None]


def test_an_sdk_id_is_kept_in_a_told_call():
    """A loop around an SDK shows as several SDK calls."""
    attempts = [request(at, "503", invocation=each) for at, each in ((0, "x"), (1, "x"), (2, "y"))]
    calls = by_beginning(grouped(*attempts, told=[told("upload", -1, 3)]))
    assert [(call.name, call.signal, len(call.attempts)) for call in calls] == [
        ("upload", SDK_ID, 2), ("upload", SDK_ID, 1),
    ]  # fmt: skip


def test_a_told_call_within_a_told_call():
    """The inner one holds what arrives in it, the outer one the rest."""
    windows = [told("outer", 0, 10), told("inner", 4, 6, within=[1000.0])]
    attempts = [request(1, "503"), request(5, "503"), request(8, "503")]
    calls = by_beginning(grouped(*attempts, told=windows))
    assert [(call.name, len(call.attempts)) for call in calls] == [("outer", 2), ("inner", 1)]


def test_a_told_call_in_the_time_of_another_is_not_within_it():
    """Threads: the shorter call of another thread takes nothing from the longer one."""
    windows = [told("long", 0, 10), told("short", 4, 6)]
    attempts = [request(3, "503", path="/long"), request(5, path="/long")]
    call = one(grouped(*attempts, told=windows))
    assert (len(call.attempts), call.name) == (2, "long")


def test_copies_in_a_told_call_on_connections_that_are_used_on():
    """The test says that there is one call: what comes on their connections later does not make it two."""
    attempts = [
        request(1, "slow", took=0.5, connection=1), request(1.15, took=0.001, connection=2),
        request(1.16, took=0.001, connection=3), request(1.165, path="/2", connection=2),
    ]  # fmt: skip
    first, _ = by_beginning(grouped(*attempts, told=[told("one", 0, 3)]))
    assert (len(first.attempts), first.shared) == (3, False)


def test_told_calls_that_overlap_say_nothing_of_what_may_be_of_either():
    """Threads: only what one of them alone can hold is its own."""
    windows = [told("one", 0, 10, returned=True), told("two", 4, 14, returned=False)]
    attempts = [
        request(1, "503", path="/1"), request(5, path="/1"),
        request(6, "503", path="/either"), request(7, path="/either"),
        request(8, "503", path="/2"), request(12, "503", path="/2"),
    ]  # fmt: skip
    calls = by_beginning(grouped(*attempts, told=windows))
    assert [(call.first.path, call.name, call.returned, call.closed) for call in calls] == [
        ("/1", "one", True, True), ("/either", None, None, True), ("/2", "two", False, True),
    ]  # fmt: skip


def test_a_told_call_holds_what_is_of_its_test():
    """Under xdist the windows of other workers overlap."""
    windows = [told("one", 0, 10, test="test_one"), told("two", 0, 10, test="test_two")]
    attempts = [
        request(1, "503", test="test_one"),
        request(2, "503", test="test_two"),
        request(3, test="test_three"),
    ]
    calls = by_beginning(grouped(*attempts, told=windows))
    assert [call.name for call in calls] == ["one", "two", None]


def test_a_test_that_is_over_closes_its_calls_and_says_no_more():
    """The whole of a test without a name: its calls are told as they end."""
    seen = []
    grouper = Grouper(tell=seen.append, told=[told(None, 0, 5, test="t")])
    for each in (
        request(1, test="t"),
        request(2, "503", test="t", path="/2"),
        request(3, test="t", path="/3"),
    ):
        grouper.add(each)
    assert shape(seen) == ["200"]
    grouper.add(request(5.1, test="u"))
    assert [(call.closed, call.name, call.signal) for call in seen] == [(True, None, FINGERPRINT)] * 3
    grouper.end()
    assert len(seen) == 4


def test_a_call_of_two_tests_of_which_one_is_over():
    """Its answer comes in the second, which has no end."""
    attempts = [request(1, took=0.1), request(1.2, path="/2"), request(3, path="/3")]
    calls = grouped(*attempts, told=[told(None, 0, 1.05), told(None, 1, None)])
    assert shape(calls) == ["200", "200", "200"]


def test_a_retry_after_its_told_call_is_another_call():
    """Something tries on in the background; by its id it is a call whose beginning is elsewhere."""
    windows = [told("one", 0, 2), told("two", 2.5, 4)]
    late = grouped(
        request(1, "503", invocation="x", number=1), request(3, invocation="x", number=2), told=windows
    )
    assert [(call.name, len(call.attempts), call.cut) for call in by_beginning(late)] == [
        ("one", 1, False),
        ("two", 1, True),
    ]


def test_a_call_that_an_id_carries_across_a_border_is_of_neither():
    """Of two windows that are both open it began in one and went on in the other."""
    windows = [told("outer", 0, 10), told("inner", 4, 6, within=[1000.0])]
    attempts = [request(1, "503", invocation="x"), request(5, invocation="x")]
    call = one(grouped(*attempts, told=windows))
    assert (call.name, call.returned, call.closed) == (None, None, True)


def test_what_a_window_that_never_ended_holds_is_open():
    """Neither closed nor lost."""
    call = one(grouped(request(1, "503"), told=[told("one", 0, None)], until=1000))
    assert (call.name, call.closed) == ("one", False)


# In general


def test_group_gives_the_calls_by_their_beginning():
    """The order in which they end is another."""
    attempts = [request(0, "503"), request(0.5, path="/2"), request(1)]
    assert shape(group(attempts)) == ["503 200", "200"]
    assert [call.first.path for call in group(attempts)] == ["/photos/cat.jpg", "/2"]


requests = st.builds(
    request,
    st.floats(0, 200),
    st.sampled_from(["200", "503", "reset", "slow", "hang", "?"]),
    took=st.sampled_from([None, 0.001, 0.5, 30.0]),
    path=st.sampled_from(["/1", "/2"]),
    connection=st.sampled_from([None, 1, 2]),
    body=st.sampled_from([None, "12345", "123456"]),
    invocation=st.sampled_from([None, None, "x", "y"]),
    number=st.sampled_from([None, None, 1, 2]),
    test=st.sampled_from([None, "t"]),
)
windows = st.builds(
    lambda name, began, length, test, key: told(
        name, began, None if length is None else began + length, test=test, key=key
    ),
    st.sampled_from([None, "a", "b"]),
    st.floats(0, 200),
    st.sampled_from([None, 1.0, 50.0]),
    st.sampled_from([None, "t"]),
    st.sampled_from([None, None, "1"]),
)


@settings(deadline=None)
@given(st.lists(requests, max_size=30), st.lists(windows, max_size=4), st.booleans(), st.floats(0, 400))
def test_every_request_is_in_one_call(attempts, told_calls, driven, until):
    """Whatever comes: none is lost, none is there twice, and a call is of one path and in order."""
    calls = grouped(*attempts, told=told_calls, driven=driven, until=until)
    assert sorted(map(id, attempts)) == sorted(id(each) for call in calls for each in call.attempts)
    for call in calls:
        assert len({each.path for each in call.attempts}) == 1
        assert [each.arrived for each in call.attempts] == sorted(each.arrived for each in call.attempts)
        assert not (driven and call.shared)


@settings(deadline=None)
@given(st.lists(requests, max_size=30), st.floats(0, 200))
def test_what_a_cut_leaves_of_a_call_is_its_beginning(attempts, cut):
    """A journal that ends earlier has the same calls, shorter, and those that lost something are not closed by it."""
    kept = [each for each in attempts if each.arrived < 1000 + cut]
    whole = {id(each): call for call in grouped(*attempts) for each in call.attempts}
    for call in grouped(*kept):
        beginning = whole[id(call.first)].attempts[: len(call.attempts)]
        assert [id(each) for each in call.attempts] == [id(each) for each in beginning]
