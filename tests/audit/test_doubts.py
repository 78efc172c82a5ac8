"""What may be of one call and may be of two: changes made on purpose, like requests, habits, several callers."""

from __future__ import annotations

import random

import pytest

from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, WARN
from faultinject.audit.habits import Habits
from faultinject.audit.judge import judge
from faultinject.journal.call_window import CallWindow
from faultinject.journal.calls import FINGERPRINT, SDK_ID

from .traffic import grouped, request, shape

DENIED = {"fault": "cos:AccessDenied", "status": 403, "did": "answered"}
ABSENT = {"fault": "cos:NoSuchKey", "status": 404, "did": "answered"}
STALE = {"fault": "cos:PreconditionFailed", "status": 412, "did": "answered"}
LOCKED = {"fault": "http:401", "status": 401, "did": "answered"}
LOST = {"fault": "reset", "status": None, "did": "reset", "applied": True}


def got(at, kind, **more):
    """A request with another answer."""
    return request(at, "503", **{**kind, **more})


def passing(at, status=200, **more):
    """One that nothing was done to."""
    return request(at, "200", **{"status": status, **more})


def verdicts(attempts, **how):
    """Verdicts by the finding's name."""
    return {each.name: each.verdict for each in judge(attempts, until=10_000.0, **how).findings}


def left_out(attempts):
    return judge(attempts, until=10_000.0).left_out


# What a correct client changes


@pytest.mark.parametrize("change", [{"credential": "b"}, {"precondition": "b"}, {"principal": "b" * 16}])
def test_what_is_asked_with_something_else_is_another_call(change):
    """A new token after a 401, a new If-Match after a 412, another key."""
    calls = grouped(got(0, LOCKED), passing(0.1, **change))
    assert shape(calls) == ["401", "200"]
    assert not any(call.followed or call.follows for call in calls)


def test_digests_of_two_seeds_tell_no_change():
    """They are keyed."""
    assert shape(grouped(got(0, LOCKED, credential="a"), passing(0.1, credential="b", seed="1"))) == [
        "401 200"
    ]


def test_a_credential_that_changes_between_two_failures_may_be_chance():
    """It is not why the client asks again: nobody can tell whether that was one call."""
    first, second = grouped(request(0, "503", credential="a"), passing(0.1, credential="b"))
    assert (first.followed, second.follows) == ("other credential", "other credential")


@pytest.mark.parametrize(
    ("path", "method", "ends"),
    [
        ("/photos/cat.jpg", "PUT", True),
        ("/photos/cat.jpg", "DELETE", True),
        ("/photos", "PUT", True),  # the bucket was not there
        ("/photos/cat.jpg/part", "POST", True),
        ("/photos/dog.jpg", "PUT", False),
        ("/photos/cat.jpg", "HEAD", False),
    ],
)
def test_a_write_in_between_may_let_what_was_refused_succeed(path, method, ends):
    """GET 404, PUT, GET."""
    calls = grouped(
        got(0, ABSENT, method="GET"), passing(0.1, path=path, method=method), passing(0.2, method="GET")
    )
    assert (shape(calls)[0] == "404") == ends


def test_a_write_in_between_does_not_explain_a_retry_after_a_server_error():
    """That passes by itself."""
    calls = grouped(request(0, "503", method="GET"), passing(0.1, method="PUT"), passing(0.2, method="GET"))
    assert "503 200" in shape(calls)


@pytest.mark.parametrize(
    ("method", "status", "ends"), [("POST", 200, True), ("POST", 403, False), ("GET", 200, False)]
)
def test_who_logs_in_anywhere_may_ask_again(method, status, ends):
    """The cookie that comes of it is not in the journal."""
    calls = grouped(got(0, LOCKED), passing(0.1, status, method=method, path="/login"), passing(0.2))
    assert (shape(calls)[0] == "401") == ends


@pytest.mark.parametrize(("wait", "joined"), [(0.9, True), (1.1, False)])
def test_who_asks_again_later_for_what_was_refused_may_wait_for_a_change(wait, joined):
    """A waiter; or a client that retries what it should not."""
    calls = grouped(got(0, ABSENT), passing(wait))
    assert (shape(calls) == ["404 200"]) == joined
    if not joined:
        assert [call.followed for call in calls] == ["later", None]
        assert [call.follows for call in calls] == [None, "later"]


def test_marks_and_ids_say_what_belongs_together_whatever_changes():
    """Looks are asked only where there is nothing else."""
    marked = grouped(got(0, DENIED), passing(5, retry=True, credential="b"))
    by_id = grouped(got(0, DENIED, invocation="a"), passing(5, invocation="a", credential="b"))
    assert shape(marked) == shape(by_id) == ["403 200"]


@pytest.mark.parametrize(
    ("method", "path", "status", "ends"),
    [
        ("GET", "/photos/cat.jpg", 200, True),
        ("HEAD", "/photos/cat.jpg", 200, True),
        ("GET", "/photos/dog.jpg", 200, False),
        ("GET", "/photos/cat.jpg", 404, False),
    ],
)
def test_who_reads_again_after_a_412_has_done_what_it_asks_for(method, path, status, ends):
    """Nobody may have written, so that the precondition is the same as before; of another refusal nothing is read."""
    read = passing(0.1, status, method=method, path=path)
    stale = grouped(got(0, STALE, precondition="a"), read, passing(0.2, precondition="a"))
    assert (shape(stale)[0] == "412") == ends
    assert shape(grouped(got(0, DENIED), read, passing(0.2)))[0] == "403 200"


def test_an_older_read_does_not_count():
    """It is why the precondition is what it is."""
    assert "412 200" in shape(grouped(passing(0, method="GET"), got(0.1, STALE), passing(0.2)))


def test_a_new_precondition_with_a_new_body_is_another_write():
    """Who reads again writes what comes of it: nothing is left out for that."""
    first, second = grouped(
        got(0, STALE, precondition="a", body="1"), passing(0.1, precondition="b", body="22")
    )
    assert (first.followed, second.follows) == (None, None)
    same, _ = grouped(got(0, STALE, precondition="a", body="1"), passing(0.1, precondition="a", body="22"))
    assert same.followed == "other body"


def sdk_calls(kind, after, things=3, **more):
    """What an SDK was refused, and was asked for again under another id, with success."""
    found = []
    for thing in range(things):
        path = f"/photos/{thing}.jpg"
        found.append(got(10 * thing, kind, path=path, invocation=f"{thing}-a-1"))
        found.append(passing(10 * thing + after, path=path, invocation=f"{thing}-b-2", **more))
    return found


@pytest.mark.parametrize(
    ("after", "more", "expected"),
    [
        (0.1, {}, WARN),
        (1.1, {}, PASS),
        (0.1, {"credential": "b"}, PASS),
        (0.1, {"precondition": "b"}, PASS),
        (0.1, {"principal": "b" * 16}, PASS),
        (0.0005, {}, PASS),  # the first has no answer yet
    ],
)
def test_a_layer_above_an_sdk_is_seen_where_its_second_call_succeeds(after, more, expected):
    """The second call by itself is as good as any."""
    assert verdicts(sdk_calls(DENIED, after, **more))["permanent"] == expected


def test_what_is_remembered_of_ids_is_bounded(monkeypatch):
    """What was forgotten is not held against anybody."""
    from faultinject.audit import grouping

    found = sdk_calls(DENIED, 0.1)
    between = [
        passing(
            10 * thing + 0.01 * each,
            path=f"/other/{each}",
            invocation=f"{thing}-{each}-3",
            user_agent=f"{each}",
        )
        for thing in range(3)
        for each in range(1, 6)
    ]
    ordered = sorted([*found, *between], key=lambda each: each.arrived)
    assert verdicts(ordered)["permanent"] == WARN
    monkeypatch.setattr(grouping, "CLIENTS", 3)
    assert verdicts(ordered)["permanent"] == PASS


def test_a_layer_above_that_does_something_first_is_right():
    """GET 404, PUT, GET by an SDK."""
    found = sdk_calls(ABSENT, 0.2, method="GET")
    for each in found:
        each.method = "GET"
    writes = [
        passing(10 * each + 0.1, path=f"/photos/{each}.jpg", invocation=f"{each}-w-3") for each in range(3)
    ]
    ordered = sorted([*found, *writes], key=lambda each: each.arrived)
    assert verdicts(ordered)["permanent"] == PASS
    assert verdicts(found)["permanent"] == WARN


# What a test says belongs together


def window(began=0.0, ended=9.0, name="upload"):
    """A call that a test names."""
    return CallWindow(name, 1000.0 + began, 1000.0 + ended)


def test_other_bytes_in_a_call_that_a_test_names_are_of_that_call():
    """As many bytes as before, but others."""
    attempts = [request(0, "503", body="a"), request(0.1, "503", body="b")]
    [joined] = grouped(*attempts, told=[window()])
    assert joined.same_bytes is False
    assert shape(grouped(*attempts)) == ["503", "503"]
    assert shape(grouped(*attempts, told=[window(name=None)])) == ["503", "503"]
    assert shape(grouped(*attempts, told=[window(), window(-1, 8)])) == ["503", "503"]
    found = judge(attempts, told=[window()], until=10_000.0).findings
    assert {each.name: each.verdict for each in found}["same bytes"] == FAIL


@pytest.mark.parametrize(
    "attempts",
    [
        [("503", {"body": "a"}), ("200", {"body": "b", "principal": "b" * 16})],
        [("404", {**DENIED, "body": "a"}), ("200", {"body": "bb"})],
    ],
)
def test_another_caller_and_a_corrected_request_are_of_another_call(attempts):
    """Also within a call that a test names."""
    found = [request(0.1 * each, answer, **more) for each, (answer, more) in enumerate(attempts)]
    assert len(grouped(*found, told=[window()])) == 2


def test_copies_of_what_is_slow_are_of_the_call_that_a_test_names():
    """The second copy comes when the first one has its answer, and the slow request none."""
    slow = [request(0, "slow", took=0.5), passing(0.15), passing(0.2)]
    [call] = grouped(*slow, passing(3.0, path="/photos/dog.jpg"), told=[window()])[:1]
    assert [each.did for each in call.attempts] == ["delayed", "passed", "passed"]
    assert not call.shared
    unnamed = grouped(*slow)
    assert any(each.shared for each in unnamed)
    assert all(each.shared for each in grouped(*slow, told=[window(), window(-1, 8)]) if each.first.injected)


# Like requests that are not joined


def test_another_body_right_after_a_failure_may_be_a_retry():
    """A body with a time stamp: neither call counts as over."""
    calls = grouped(request(0, "503", body="a"), request(0.1, "503", body="bb"), request(0.2, body="bb"))
    assert shape(calls) == ["503", "503 200"]
    assert [call.followed for call in calls] == ["other body", None]
    assert [call.follows for call in calls] == [None, "other body"]


@pytest.mark.parametrize(
    ("at", "hint", "more", "followed"),
    [
        (10.5, None, {}, None),
        (12.9, 3.0, {}, "other body"),
        (0.1, None, {"principal": "b" * 16}, None),
        (0.1, None, {"path": "/photos/dog.jpg"}, None),
    ],
)
def test_what_comes_later_or_from_another_caller_is_no_retry(at, hint, more, followed):
    """Ten seconds, and the wait that was asked for."""
    first, _ = grouped(request(0, "503", body="a", hint=hint), request(at, "503", body="b", **more))
    assert first.followed == followed


def test_another_body_after_a_success_is_another_call():
    """Nothing has to be tried again."""
    first, second = grouped(request(0, body="a"), request(0.1, "503", body="b"))
    assert (first.followed, second.follows) == (None, None)


def test_a_key_of_the_callers_own_that_changes_may_hide_a_retry():
    """An Idempotency-Key per attempt is no key."""
    own, other = "0123456789abcdef", "fedcba9876543210"
    first, second = grouped(
        request(0, "503", method="POST", invocation=own), request(0.1, method="POST", invocation=other)
    )
    assert (first.followed, second.follows) == ("other key", "other key")
    sdk = grouped(request(0, "503", invocation="1-2-3"), request(0.1, invocation="4-5-6"))
    assert [call.followed for call in sdk] == [None, None]
    late = grouped(request(0, "503", invocation=own), request(10.5, invocation=other))
    assert [call.followed for call in late] == [None, None]
    other_body = grouped(
        request(0, "503", body="a", invocation=own), request(0.1, "503", body="b", invocation=other)
    )
    assert [call.followed for call in other_body] == [None, None]


def tight_loop(number, digest):
    """One thing sent again and again, each time with a body of its own."""
    return [request(0.001 * each, "503", took=0.0003, body=digest(each)) for each in range(number)]


def test_a_tight_loop_with_a_time_stamp_in_its_body_does_not_pass():
    """1,200 requests, each a call of its own by its body: that none was tried again is not said."""
    found = verdicts(tight_loop(1200, lambda each: f"now is {each:05}"))
    assert found["gives up"] == INCONCLUSIVE
    assert {verdict for name, verdict in found.items() if name.startswith("retries")} == {INCONCLUSIVE}
    assert FAIL not in found.values()


def test_a_client_that_is_seen_to_keep_its_bytes_sends_other_calls():
    """Then another body to the same key is another call, also right after a failure."""
    kept = [
        request(at + each, "503", body=f"body {at:02}") for at in range(0, 12, 3) for each in (0, 0.5, 1.5)
    ]
    found = judge(kept, until=10_000.0)
    assert found.left_out == {}
    assert {each.name: each.verdict for each in found.findings}["gives up"] == PASS
    once = judge([each for number, each in enumerate(kept) if number % 3 == 0], until=10_000.0)
    assert once.left_out == {"followed": 1, "begun earlier": 3}


# Habits


def beats(number, *, every=1.0, fails=(), kind=LOST, path="/beat", **more):
    """A heartbeat: equal requests, every second, a few of which fail."""
    return [
        (got(at * every, kind, path=path, **more) if at in fails else passing(at * every, path=path, **more))
        for at in range(number)
    ]


def test_a_heartbeat_is_no_retry():
    """It comes a second after a success too."""
    found = beats(60, fails=(10, 20, 30, 40), method="POST", operation=None)
    assert left_out(found) == {"repeated": 4}
    assert FAIL not in verdicts(found).values()
    assert WARN not in verdicts(found).values()


def test_a_retry_of_a_heartbeat_is_seen_by_its_time():
    """A tenth of a second after a failure, where the next beat comes after a second."""
    found = [*beats(60, fails=(10, 20, 30, 40), kind={"fault": "http:503", "status": 503, "did": "answered"})]
    found += [passing(at + 0.1, path="/beat") for at in (10, 20, 30, 40)]
    assert left_out(sorted(found, key=lambda each: each.arrived)) == {}


def uploads(number, *, again=(), **more):
    """Things that were sent once, and again where it is said; `more` is for those that got no fault."""
    once = [passing(each, path=f"/photos/{each}.jpg", **more) for each in range(number)]
    twice = [passing(each + 0.5, path=f"/photos/{each}.jpg", **more) for each in again]
    return sorted([*once, *twice], key=lambda each: each.arrived)


def endless(things=3, attempts=25):
    """Things that are tried again without end, several at a time."""
    return [
        request(100 + 0.1 * each + 0.01 * thing, "503", path=f"/photos/lost-{thing}.jpg")
        for each in range(attempts)
        for thing in range(things)
    ]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ([], WARN),
        (uploads(2), WARN),
        (uploads(3), FAIL),
        (uploads(20, again=[3, 4]), FAIL),
        (uploads(20, again=[3, 4, 5]), WARN),
        (uploads(20, method="GET"), WARN),  # says nothing of uploads
        (uploads(20, user_agent="browser/1.0"), WARN),  # nor does another client
    ],
)
def test_what_succeeds_and_is_not_asked_for_again_shows_what_a_retry_is(before, expected):
    """A client that sends each thing once does not send three of them 25 times by chance."""
    found = {each.name: each for each in judge([*before, *endless()], until=10_000.0).findings}
    assert found["gives up"].verdict == expected


def test_nothing_else_in_between_shows_it_too():
    """One thing after the other, three of them."""
    one_by_one = sorted(
        (
            request(100 * thing + 0.1 * each, "503", path=f"/photos/{thing}.jpg")
            for thing in range(3)
            for each in range(25)
        ),
        key=lambda each: each.arrived,
    )
    assert verdicts(one_by_one)["gives up"] == FAIL
    other = [got(100 * thing + 0.95, DENIED, path="/other") for thing in range(3)]
    assert verdicts(sorted([*one_by_one, *other], key=lambda each: each.arrived))["gives up"] == WARN


def threads(number, keys, *, seed=1, share=1.0, requests=400):
    """Threads with a connection each, that ask for any of a few keys."""
    draw = random.Random(seed)
    found, free = [], [0.0] * number
    for _ in range(requests):
        thread = min(range(number), key=free.__getitem__)
        at = free[thread]
        answer = "503" if draw.random() < share else "200"
        key = draw.randrange(keys)
        found.append(
            request(
                at, answer, path=f"/photos/{key}.jpg", connection=40_000 + thread, method="GET", took=0.0002
            )
        )
        free[thread] = at + draw.uniform(0.3, 1.5)
    return sorted(found, key=lambda each: each.arrived)


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_many_threads_over_few_keys_are_no_endless_call(seed, share):
    """Connections that take turns are of several callers."""
    found = verdicts(threads(16, 5, seed=seed, share=share))
    assert not {FAIL, WARN} & {found[name] for name in ("gives up", "permanent", "backoff")}


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        (lambda draw: draw.expovariate(20), INCONCLUSIVE),
        (lambda draw: 0.001, WARN),
        (lambda draw: draw.uniform(0, 0.1), WARN),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_attempts_that_come_by_chance_may_be_of_several_callers(gaps, expected, seed):
    """A server that closes each connection leaves nothing else to tell many callers of few things from an endless one."""
    draw = random.Random(seed)
    found = []
    for thing in range(3):
        at = 100.0
        for _ in range(60):
            found.append(request(at, "503", path=f"/photos/{thing}.jpg", method="GET", took=0.0002))
            at += 0.0002 + gaps(draw)
    assert verdicts(sorted(found, key=lambda each: each.arrived))["gives up"] == expected


def test_connections_that_take_turns_say_nothing_where_what_succeeds_is_sent_once():
    """A pool hands them out as they come."""
    found = [
        request(
            100 + 0.3 * each + 0.01 * thing,
            "503",
            path=f"/photos/lost-{thing}.jpg",
            connection=(each + thing) % 3,
        )
        for each in range(4)
        for thing in range(3)
    ]
    assert left_out(found) == {"shared": 3}
    assert left_out([*uploads(5), *found]) == {}


def test_what_is_remembered_of_habits_is_bounded(monkeypatch):
    """Of a client of which not everything could be remembered nothing is said."""
    from faultinject.audit import habits

    def contrast():
        seen = Habits()
        for each in uploads(20):
            seen.see(each)
        seen.end()
        return seen.contrast("uploader/1.0", "PUT", 10.0)

    assert contrast() == (0, 20)
    monkeypatch.setattr(habits, "MOST", 5)
    assert contrast() == (0, 0)


def test_what_is_remembered_of_what_comes_again_is_bounded(monkeypatch):
    """The same, of things each of which is asked for twice after a success."""
    from faultinject.audit import habits

    def contrast():
        seen = Habits()
        for at in range(6):
            for again in (0, 0.5):
                seen.see(passing(10.0 * at + again, path=f"/{at}"))
        seen.end()
        return seen.contrast("uploader/1.0", "PUT", 10.0)

    assert contrast() == (6, 6)
    monkeypatch.setattr(habits, "MOST", 5)
    assert contrast() == (0, 0)


def test_habits_of_another_minute_are_none():
    """What comes again after a minute has nothing to do with the time before; what was there is counted."""
    seen = Habits()
    for at in (0, 61.1, 61.2, 200):
        seen.see(passing(at))
    seen.end()
    assert seen.contrast("uploader/1.0", "PUT", 30.0) == (1, 3)
    assert seen.explains(passing(300), 0.1)
    assert not seen.explains(passing(300), 61.0)


def test_signals_are_as_before():
    """Ids are ids and looks are looks."""
    assert {call.signal for call in grouped(request(0, "503", invocation="a-b"))} == {SDK_ID}
    assert {call.signal for call in grouped(request(0, "503"))} == {FINGERPRINT}


def pooled(number, *, reached):
    """Things that fail three times, tried again at once on whatever connection of a pool is free; and some that succeed.

    Each thing's connection is used on for the next one.
    """
    attempts = []
    for each in range(number):
        at = each * 0.1
        for turn in range(3):
            answer = {"path": f"/{each}", "connection": 1 + (each + turn) % 3}
            attempts.append(
                got(at + 0.01 * turn, {"took": 0.001, "fault": "http:503", "status": 503}, **answer)
            )
    return attempts + [passing(50 + each, path=f"/there/{each}", connection=1) for each in range(reached)]


def test_a_pool_of_connections_is_no_crowd_of_callers():
    """A retry takes any connection that is free: of what succeeds nothing is asked for again, so it is a retry."""
    assert left_out(pooled(6, reached=6)) == {}
    assert verdicts(pooled(6, reached=6))["gives up"] == PASS


def test_connections_that_are_used_on_may_be_several_callers():
    """Where nothing succeeds nobody can tell."""
    found = judge(pooled(6, reached=0), until=10_000.0)
    assert found.left_out["shared"] >= 3


def hedged(stalled):
    """A client that sends a copy of what has no answer, and then of what was refused: by how much the machine was late."""
    attempts, calls = [], []
    for each in range(2):
        at = 10.0 * each
        attempts += [
            request(at, "slow", took=0.5, path=f"/slow-{each}"),
            request(at + 0.15, took=0.001, path=f"/slow-{each}"),
        ]
        calls.append(CallWindow("slow", 1000.0 + at, 1001.0 + at, returned=True, key=f"slow-{each}"))
    for each in range(3):
        at = 100.0 + 10.0 * each
        about = {"path": f"/den-{each}", "took": 0.001, "client": "127.0.0.1"}
        attempts += [
            got(at, DENIED, stalled=5.0, **about),
            got(at + 0.2, DENIED, stalled=5.0 + stalled, **about),
        ]
        calls.append(CallWindow("den", 1000.0 + at, 1001.0 + at, returned=False, key=f"den-{each}"))
    return {
        each.check: each.verdict for each in judge(attempts, driven=True, told=calls, until=9_999.0).findings
    }


def test_a_hedge_that_a_busy_machine_sends_too_late():
    """The copy may have left before the refusal was read; where the machine was not late, it was sent again."""
    assert hedged(0.15)["permanent"] == INCONCLUSIVE
    assert hedged(0.0)["permanent"] == FAIL


def hinted(stalled):
    """A client that hedges, and waits as it is asked to; but for one request, right behind an answer that it may not have read."""
    attempts = []
    for each in range(2):
        attempts += [
            request(10.0 * each, "slow", took=0.5, path=f"/slow-{each}"),
            request(10.0 * each + 0.15, took=0.001, path=f"/slow-{each}"),
        ]
    for each in range(4):
        at, about = 100.0 + 10.0 * each, {"path": f"/k-{each}", "took": 0.001, "client": "127.0.0.1"}
        asked = {"hint": 2.0, "hint_form": "seconds", **about}
        attempts.append(request(at, "503", stalled=5.0, **asked))
        if each < 2:
            attempts.append(request(at + 0.1, stalled=5.0 + stalled, **about))
        else:
            attempts.append(request(at + 2.2, stalled=5.0, **about))
    told = [
        CallWindow(f"{each}", 1000.0 + at, 1005.0 + at, returned=True, key=key)
        for at, key, each in [
            *((10.0 * each, f"slow-{each}", each) for each in range(2)),
            *((100.0 + 10.0 * each, f"k-{each}", each) for each in range(4)),
        ]
    ]
    found = judge(attempts, driven=True, told=told, until=9_999.0).findings
    return {each.check: (each.verdict, each.n) for each in found}["retry-after"]


def test_a_hedge_that_left_before_a_hint_was_read_ignores_none():
    """It is not counted; where the machine was not late, the hint was read."""
    assert hinted(0.15) == (INCONCLUSIVE, 2)
    assert hinted(0.0) == (FAIL, 4)
