"""What a client makes of an answer that asks it to wait: `retry-after`, `malformed retry-after`."""

import pytest

from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS

from .made import FINE, INTERNAL, call, calls, finding, findings, verdict

USUAL = calls(5, 0.3)
"""How this client waits when nobody asks for it."""


def asked(number, gap, hint=3.0, form="seconds", **more):
    """Calls whose first answer asks for a wait, which is followed by a success after `gap`."""
    return calls(number, gap, last=FINE, every=[{"hint": hint, "hint_form": form}], **more)


@pytest.mark.parametrize(
    ("early", "kept", "expected"),
    [
        (0, 3, PASS),
        (1, 2, INCONCLUSIVE),
        (2, 1, FAIL),
        (3, 0, FAIL),
        (0, 2, INCONCLUSIVE),
        (2, 0, INCONCLUSIVE),
    ],
)
def test_a_client_that_is_asked_to_wait_does(early, kept, expected):
    """Two early ones of three fail, one may be chance; three decide."""
    assert verdict("retry-after", asked(early, 0.5), asked(kept, 3.01), USUAL) == expected


@pytest.mark.parametrize(("gap", "expected"), [(2.951, PASS), (2.949, FAIL)])
def test_clocks_and_timers_get_50_ms(gap, expected):
    """Not more."""
    assert verdict("retry-after", asked(3, gap), USUAL) == expected


@pytest.mark.parametrize(("usual", "expected"), [(1.49, PASS), (1.51, INCONCLUSIVE), (5.0, INCONCLUSIVE)])
def test_a_client_that_waits_long_anyhow_shows_nothing(usual, expected):
    """Its usual wait has to be less than half of what is asked for."""
    assert verdict("retry-after", asked(3, 3.01), calls(5, usual)) == expected


def test_nothing_is_known_of_a_client_that_is_never_seen_without_a_hint():
    """Three seconds may be its usual wait."""
    assert finding("retry-after", asked(3, 3.01)).message == (
        "seconds: 0 of 3 retried too early, perhaps not because of Retry-After. Add failures without it"
    )
    assert verdict("retry-after", asked(3, 3.01), calls(5, 0.3, kind=INTERNAL)) == INCONCLUSIVE


def test_early_ones_fail_whatever_the_usual_wait_is():
    """Without a usual wait as well."""
    assert verdict("retry-after", asked(3, 2.0)) == FAIL


def test_each_way_of_asking_has_a_finding():
    """Seconds obeyed, a date not, milliseconds in a header of AWS obeyed."""
    found = findings(
        "retry-after",
        asked(5, 3.01),
        asked(3, 0.5, form="date"),
        asked(5, 3.02, form="x-amz-retry-after"),
        USUAL,
    )
    assert [(each.subject, each.verdict, each.n) for each in found] == [
        ("date", FAIL, 3),
        ("seconds", PASS, 5),
        ("x-amz-retry-after", PASS, 5),
    ]
    assert found[0].message == "date: 3 of 3 retried after 0.50 s instead of 3 s"
    assert found[1].message == "seconds: 5 of 5 waited: 3.01 s where Retry-After asked for 3 s"


@pytest.mark.parametrize(
    ("client", "expected"), [("127.0.0.1", FAIL), ("::1", FAIL), ("10.0.0.9", PASS), (None, FAIL)]
)
def test_the_clock_of_another_host_may_be_a_second_off_for_a_date(client, expected):
    """A number of seconds is the same on every host."""
    usual = calls(5, 0.3, client=client)
    assert verdict("retry-after", asked(3, 2.5, form="date", client=client), usual) == expected
    assert verdict("retry-after", asked(3, 2.5, client=client), usual) == FAIL
    assert verdict("retry-after", asked(3, 1.96, form="date", client=client), usual) == expected
    assert verdict("retry-after", asked(3, 1.94, form="date", client=client), usual) == FAIL


def test_seconds_read_as_milliseconds_are_guessed():
    """A client that is faster with Retry-After than without it has read it wrong."""
    assert finding("retry-after", asked(3, 0.003), calls(5, 1.0)).message == (
        "seconds: 3 of 3 retried after 3.0 ms instead of 3 s, sooner than without Retry-After: the client may read it as milliseconds"
    )
    assert "milliseconds" not in finding("retry-after", asked(3, 0.003), calls(5, 0.012)).message
    assert "milliseconds" not in finding("retry-after", asked(3, 0.5), calls(5, 5.0)).message


@pytest.mark.parametrize(("gap", "expected"), [(5.2, PASS), (4.9, FAIL)])
def test_a_client_may_promise_to_heed_no_more_than_some(gap, expected):
    """AWS SDKs wait no more than 5 s longer than they would anyhow."""
    found = asked(3, gap, hint=60.0, form="x-amz-retry-after")
    assert verdict("retry-after", found, USUAL, profile="aws-2026") == expected
    assert verdict("retry-after", found, USUAL) == FAIL


def test_where_nothing_is_promised_the_whole_wait_is_asked_for():
    """Without any profile too."""
    assert (
        verdict("retry-after", asked(3, 5.2, hint=60.0, form="x-amz-retry-after"), USUAL, profile=None)
        == FAIL
    )


def test_a_hint_without_a_second_attempt_shows_nothing():
    """Not to try again is no early arrival."""
    assert finding("retry-after", calls(5, hint=3.0, hint_form="seconds")).n == 0


def junk(number, *gaps, **more):
    """Calls whose first answer asks for a wait in no known form."""
    return calls(
        number, *gaps, every=[{"hint_form": "unreadable"}], **({"last": FINE} if gaps else {}), **more
    )


@pytest.mark.parametrize(
    ("again", "stopped", "expected"), [(0, 3, FAIL), (1, 2, INCONCLUSIVE), (3, 0, PASS), (0, 2, INCONCLUSIVE)]
)
def test_an_unreadable_hint_does_not_stop_a_client(again, stopped, expected):
    """All are tried again as without it; three decide."""
    found = [*junk(again, 0.3), *junk(stopped)]
    assert verdict("malformed retry-after", found, USUAL) == expected


def test_a_client_that_never_tries_this_again_is_not_stopped_by_the_hint():
    """What it does without Retry-After has to be known first."""
    assert verdict("malformed retry-after", junk(3)) == INCONCLUSIVE
    assert finding("malformed retry-after", junk(3), calls(3)).message == (
        "Not enough data: 0 of 3 answers with a malformed Retry-After. Let the same failure come without Retry-After too"
    )
    assert verdict("malformed retry-after", junk(3, kind=INTERNAL), USUAL) == INCONCLUSIVE


def test_a_post_that_stops_at_an_unreadable_hint_counts_for_nothing():
    """It need not be tried again at all."""
    assert finding("malformed retry-after", junk(3, method="POST"), USUAL).n == 0
    assert verdict("retries", junk(3), calls(3)) == FAIL


def test_a_hint_in_the_middle_of_a_call_is_found():
    """What counts is the answer that has it, and the attempt that follows."""
    later = [call(0.3, 0.3, at=each, every=[{}, {"hint_form": "unreadable"}]) for each in range(3)]
    stopped = [call(0.3, at=each, every=[{}, {"hint_form": "unreadable"}]) for each in range(3)]
    assert (verdict("malformed retry-after", later), verdict("malformed retry-after", stopped)) == (
        PASS,
        FAIL,
    )
