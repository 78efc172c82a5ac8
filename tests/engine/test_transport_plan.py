"""Plans of connection faults: decisions, refusals, and returned counts."""

import pytest

from tests.pairs import pairs
from tests.rows import each_row

BREAKING = ["hang", "reset", "close"]
WHOLE_CONNECTION = [*BREAKING, "truncate", "truncate,of=cos:SlowDown"]
HARMLESS = ["drip,rate=1GB", "corrupt", "latency,delay=0ms", "cos:SlowDown"]
SHAPED = ["truncate", "drip,rate=1GB", "corrupt", "truncate,of=cos:SlowDown", "drip,rate=1GB,of=cos:SlowDown"]
BODY = b"0123456789" * 10


def answer(environ, start_response):
    start_response("200 OK", [("Content-Length", str(len(BODY)))])
    return [BODY]


# --- the actions -------------------------------------------------------------------------------------------


def test_an_upload_that_ends_before_it_would_stall_passes(site):
    """With 100 bytes there is a middle behind 99 of them, and none behind 100."""
    headers = [("Content-Length", str(len(BODY)))]
    found = [
        site(f"stall,duration=2s,after_bytes={after}").decide(method="PUT", body=BODY, headers=headers)
        for after in (98, 99, 100)
    ]
    assert [each.kind for each in found] == ["forward", "forward", "nothing_to_cut"]
    assert found[2].fault == "stall"


@pytest.mark.parametrize(
    ("rule", "did", "rate"),
    [("truncate", "truncated", None), ("drip,rate=5", "dripped", 5), ("corrupt", "corrupted", None)],
)
def test_the_apps_own_answer_is_shaped(site, rule, did, rate):
    """Late when a delay is given."""
    action = site(f"{rule},delay=1s").decide()
    assert (action.kind, action.fault, action.when) == ("forward", rule.partition(",")[0], "before")
    assert (action.after, action.delay, action.shape, action.rate) == (False, 1.0, did, rate)


@pytest.mark.parametrize("fault", ["truncate", "drip"])
@each_row("of", ["cos:SlowDown", "cos:@server", "qiniu-mix:MissingAttachment", "jss:BucketNotEmpty/3"])
def test_a_documented_error_is_shaped(site, fault, of):
    """A documented error is cut on its way: whole, with its length, after its delay.

    Whatever its status.
    """
    rate = ",rate=5" if fault == "drip" else ""
    action = site(f"{fault},of={of},delay=2s{rate}").decide()
    shape = {"truncate": "truncated", "drip": "dripped"}[fault]
    assert (action.kind, action.when, action.delay, action.late, action.shape) == (
        "respond",
        "before",
        2.0,
        False,
        shape,
    )
    assert ("Content-Length", str(len(action.body))) in action.headers
    assert action.fault.startswith(f"{fault},of={of.partition('@')[0]}")
    assert action.told[0] == int(action.status_line[:3])


LATE = "cos:InternalError,status=200,delay=1s"


@each_row(
    ("rule", "method", "late", "sized"),
    [
        (LATE, "PUT", True, False),
        (LATE, "HEAD", True, True),
        ("cos:InternalError,status=299,delay=0s..1s", "PUT", True, False),
        ("qiniu-mix:MissingAttachment,delay=1s", "PUT", True, False),
        ("cos:InternalError,status=200", "PUT", False, True),
        ("cos:InternalError,status=300,delay=1s", "PUT", False, True),
        ("cos:InternalError,status=204,delay=1s", "PUT", False, False),
        ("cos:InternalError,status=205,delay=1s", "PUT", False, True),
        ("cos:InternalError,delay=1s", "PUT", False, True),
    ],
)
def test_a_success_with_an_error_inside_comes_late(site, rule, method, late, sized):
    """Its length is not told before its blanks are counted; for HEAD there are none."""
    action = site(rule).decide(f"{method} /b/k")
    names = {name.lower() for name, _ in action.headers}
    assert (action.late, "content-length" in names) == (late, sized)


# --- draws -------------------------------------------------------------------------------------------------


def test_the_fault_changes_no_draw_of_a_named_rule(site):
    """Chance, delay and ids come from name, request and number alone."""
    names = ["cos:SlowDown", "http:503", "latency", *SHAPED, *BREAKING]
    rules = [f"{each},name=same,probability=0.3,delay=1ms..1h" for each in names]
    drawn = set()
    for made in [site(rule, "5") for rule in rules]:
        actions = [made.decide(f"PUT /b/k{number}") for number in range(60)]
        drawn.add(tuple(None if each.kind == "passed" else each.delay for each in actions))
    [delays] = drawn
    assert 20 < delays.count(None) < 55


def corrupted(made, target="GET /photos/cat.jpg"):
    body = made.meet(target)
    return [(at, new) for at, (old, new) in enumerate(zip(BODY, body, strict=True)) if old != new]


def test_a_corruption_replays(site):
    """One seed corrupts the same bytes of the same attempt alike, and another seed others."""
    first, again, other = (site("corrupt,flips=3", seed, app=answer) for seed in ("1", "1", "2"))
    runs = [[corrupted(made) for _ in range(5)] for made in (first, again, other)]
    assert runs[0] == runs[1]
    assert [len(each) for each in runs[0]] == [3] * 5
    assert len({tuple(each) for each in (*runs[0], *runs[2])}) == 10
    assert {each.did for each in first.outcomes} == {"corrupted"}


def test_more_changes_keep_those_that_were_there(site):
    """`flips=2` is `flips=1` and one more."""
    one, two = (site(f"corrupt,flips={flips}", "1", app=answer) for flips in (1, 2))
    assert all(set(corrupted(one)) < set(corrupted(two)) for _ in range(5))


# --- how requests are read ---------------------------------------------------------------------------------

COS_HOST = "photos-1250000000.cos.ap-guangzhou.myqcloud.com"


@pytest.mark.parametrize(
    ("rule", "bucket", "key"),
    [
        ("truncate,of=cos:SlowDown", "photos-1250000000", "a/cat.jpg"),
        ("truncate,of=cos:@server", "photos-1250000000", "a/cat.jpg"),
        ("truncate,vendor=cos", "photos-1250000000", "a/cat.jpg"),
        ("reset,vendor=cos", "photos-1250000000", "a/cat.jpg"),
        ("truncate", "a", "cat.jpg"),
        ("truncate,of=gateway:BadGateway", "a", "cat.jpg"),
        ("truncate,of=jss:SlowDown", "a", "cat.jpg"),
    ],
)
def test_bucket_and_key_are_those_of_the_error_that_is_cut(site, rule, bucket, key):
    """COS' own host names hold the bucket for a COS error, in conditions, identity and journal."""
    made = site(f"{rule},bucket={bucket},key={key} {rule},bucket=elsewhere", app=answer)
    assert made.meet("GET /a/cat.jpg", host=COS_HOST) != BODY
    [outcome] = made.outcomes
    assert (outcome.rule, outcome.bucket, outcome.key, outcome.injected) == ("rule-1", bucket, key, True)


# --- refused, and given back -------------------------------------------------------------------------------


@each_row(
    ("fault", "protocol"),
    pairs(
        fault=[f"{each},http2=yes" for each in WHOLE_CONNECTION] + HARMLESS,
        protocol=["HTTP/2", "HTTP/1.1", "HTTP/1.0", ""],
        alike={"fault": lambda fault: "http2" in fault},
    ),
)
def test_nothing_else_is_refused(site, fault, protocol):
    """`http2=yes` breaks the whole connection; what breaks none needs no leave."""
    assert site(fault).decide(SERVER_PROTOCOL=protocol).kind in ("respond", "forward", "break")


def test_a_refused_rule_keeps_the_next_one_away(site):
    """It has fired: the rules behind it only count the match, as with every rule that fires."""
    made = site("reset http:503", app=answer)
    assert (made.meet(SERVER_PROTOCOL="HTTP/2"), made.counts) == (BODY, {"rule-1": (1, 0), "rule-2": (1, 0)})
