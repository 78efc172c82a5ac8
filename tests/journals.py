"""Journals that a test describes, with exact times, and the call that each line belongs to.

`call` and `calls` describe what a client did, wait by wait; `client` follows a policy, and `threads` are many at
once. `text` writes the lines as a journal has them, `attempts` reads them back, `judged` is the verdict on them.
"""

import json
import random
import re
from dataclasses import dataclass, field
from io import BufferedReader, BytesIO
from itertools import count

from faultinject.audit.judging import judge, judge_run
from faultinject.journal.attempts import Attempt
from faultinject.journal.call_window import CallWindow
from faultinject.journal.driven_run import DrivenRun
from faultinject.journal.reading import read


def fault(name, status=None, did="answered", **more):
    """The fields of the fault that a request got."""
    return {"fault": name, "status": status, "did": did, **more}


SLOW_DOWN = fault("cos:SlowDown", 503)
INTERNAL = fault("cos:InternalError", 500)
HIDDEN = fault("cos:InternalError", 200)
DENIED = fault("cos:AccessDenied", 403)
RESET = fault("reset", did="reset")
LOST = RESET | {"applied": True, "when": "after"}
HUNG = fault("hang", did="closed")
DELAYED = fault("latency", 200, "delayed")
FINE = {"fault": None, "status": 200, "did": "passed", "applied": True}
UNSEEN = FINE | {"status": None}

UNIX = 1_800_000_000.0
"""The unix time of a journal's second 0."""
TOOK = 0.001
"""Seconds from the arrival of a request to its answer."""
LATER = 600.0
"""Seconds after the last request at which a journal is read by default; no wait is so long."""
PID = 7

numbers = count(1)


def line(at=0.0, kind=SLOW_DOWN, *, took=TOOK, **more):
    """The fields of one request, in the order in which a journal has them."""
    passed = kind["fault"] is None
    path = more.get("path", "/bucket/key")
    return {
        "v": 1,
        "time": UNIX + at,
        "arrived": at,
        "answered": None if took is None else at + took,
        "pid": PID,
        "seq": next(numbers),
        "generation": 0,
        "connection": 40_000,
        "principal": None,
        "credential": None,
        "test": None,
        "method": "PUT",
        "path": path,
        "query": "",
        "host": "127.0.0.1",
        "client": "127.0.0.1",
        "operation": None,
        "bucket": "bucket",
        "key": (path or "").rpartition("/")[2],
        "request_bytes": 100,
        "request_digest": "d",
        "body_complete": True,
        "user_agent": "acme/1.0",
        "attempt_hint": None,
        "rule": None if passed else "rule-1",
        "matched": None,
        "fault": None,
        "when": None if passed else "before",
        "applied": False,
        "guarded": False,
        "precondition": None,
        "range": None,
        "if_range": None,
        "if_match": None,
        "region": "a",
        "clock_offset": 0,
        "hint": None,
        "hint_form": None,
        "did": "passed",
        "left": False,
        "status": None,
        "app_status": None,
        "response_bytes": 0,
        "checksum": None,
        "etag": None,
        "request_id": None,
        "elapsed": took,
        "seed": "0",
        "n": None if passed else 0,
        **kind,
        **more,
    }


def end_of(pid, at=10.0, parent=None, **more):
    """The line by which a process says that it has ended: every field, and null in most."""
    said = {"v": 1, "time": UNIX + at, "arrived": at, "pid": pid, "ended": True, "parent": parent}
    return {**dict.fromkeys(line()), **said, **more}


def written(*lines):
    """Lines as text."""
    return "".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) + "\n" for each in lines)


@dataclass
class Made:
    """A call as it truly was: its lines, and what its caller knows of it.

    Attributes:
        lines: of its requests.
        name: what a test calls it; None where nobody tells.
        returned: whether its caller got a result; None: it does not say.
        error: what its caller got else.
        ended: whether its caller saw its end.
    """

    lines: list[dict]
    name: str | None = None
    returned: bool | None = None
    error: str | None = None
    ended: bool = True

    @property
    def told(self):
        """Whether a test says anything of it."""
        return self.name is not None or self.returned is not None

    def window(self, name="call"):
        """The window of this call, as a test or a driver names it.

        Its key is the last part of the path.
        """
        ends = [each["answered"] or each["arrived"] for each in self.lines]
        return CallWindow(
            self.name or name,
            self.lines[0]["arrived"],
            max(ends) + 0.0005 if self.ended else None,
            self.returned,
            self.error,
            key=self.lines[0]["path"].rpartition("/")[2],
        )


ID = "id"
"""A call whose SDK gives all its attempts one id; other calls are grouped by fingerprint."""
MARK = "mark"
"""Its retries say that they are retries."""


def call(
    *gaps,
    kind=SLOW_DOWN,
    last=None,
    at=0.0,
    by=ID,
    every=(),
    name=None,
    returned=None,
    error=None,
    ended=True,
    **more,
):
    """A call whose attempts all fail alike, each `gaps` seconds after the answer before it.

    Args:
        gaps: the waits, seconds; below zero: a copy that is sent before the answer.
        kind: what the attempts get.
        last: what the last one gets instead.
        at: when it begins.
        by: `ID`, `MARK` or None.
        every: for each attempt fields of its own, `took` among them.
        name, returned, error, ended: as of `Made`.
        more: fields of all attempts.
    """
    number = next(numbers)
    common = {"path": f"/bucket/k{number}", "connection": 40_000 + number % 20_000, **more}
    kinds = [kind] * len(gaps) + [kind if last is None else last]
    own = [*every, *[{}] * (len(kinds) - len(every))]
    lines = []
    for place, (gap, each, fields) in enumerate(zip((0.0, *gaps), kinds, own, strict=True)):
        here = common | fields
        hint = {ID: {"invocation": f"a-{number}-b"}, MARK: {"retry": True} if place else {}}.get(by, {})
        here["attempt_hint"] = {**hint, **(here.get("attempt_hint") or {})} or None
        begins = at if not lines else (lines[-1]["answered"] or lines[-1]["arrived"] + TOOK) + gap
        lines.append(line(begins, each, **here))
    return Made(lines, name, returned, error, ended)


def calls(number, *gaps, apart=0.04, at=0.0, **more):
    """A number of such calls, one after the other begun."""
    return [call(*gaps, at=at + apart * each, **more) for each in range(number)]


def layered(number, *gaps, **more):
    """Calls that a layer above the SDK retries.

    The SDK sends each attempt under another id, and says that it makes one.
    """
    hints = [{"invocation": f"{each}-one", "attempt": 1, "max": 1} for each in range(len(gaps) + 1)]
    return calls(number, *gaps, every=[{"attempt_hint": each} for each in hints], **more)


def successes(number, again=0, *, at=-500.0, method="PUT", wait=0.5, **more):
    """Successful requests; the first `again` of them are repeated `wait` seconds later."""
    common = {"kind": FINE, "method": method, "by": None, **more}
    found = [call(at=at + each, **common) for each in range(number)]
    paths = [each.lines[0]["path"] for each in found[:again]]
    return [*found, *(call(at=at + each + wait, **common, path=path) for each, path in enumerate(paths))]


FAST = (0.0003, 0.001)
"""Seconds until a client that does not wait sends its next request: usual, and one in ten."""


def quick(usual=FAST[0], slow=FAST[1], *, number=25, at=-1000.0, **more):
    """Requests of a client that does not wait, which show how fast it is."""
    found = []
    for each in range(number):
        fields = {"method": "HEAD", "path": f"/bucket/cal-{each}", "connection": 1, "request_bytes": 0}
        found.append(Made([line(at, FINE, **{**fields, "request_digest": None, **more})], "cal", True))
        at += TOOK + (slow if each % 10 == 9 else usual)
    return found


@dataclass(frozen=True)
class Policy:
    """A client's retry policy.

    Attributes:
        attempts: at most, in all.
        base: the first wait at most, seconds.
        factor: by how much each wait may be longer than the one before.
        jitter: which share of a wait is drawn: 0 none, 1 all of it.
        obeys: whether it waits as long as it is asked to.
        asks_forbidden: whether it repeats what was refused.
        rewinds: whether it sends its body again.
    """

    attempts: int = 4
    base: float = 0.3
    factor: float = 2.0
    jitter: float = 1.0
    obeys: bool = True
    asks_forbidden: bool = False
    rewinds: bool = True

    def wait(self, draw, tried, hint):
        """Seconds before the next attempt."""
        longest = self.base * self.factor**tried
        found = draw.uniform(longest * (1 - self.jitter), longest)
        return max(found, hint or 0.0) if self.obeys else found


@dataclass(frozen=True)
class Traffic:
    """The calls that a client is to make, and the faults that they get.

    Attributes:
        calls: how many.
        apart: seconds between their beginnings.
        faults: from which each call gets one.
        times: how many attempts of a call get it.
        method, seed: of all.
        hint: the form in which the first answer asks for three seconds; None: it does not.
    """

    calls: int = 20
    apart: float = 0.04
    faults: tuple = (SLOW_DOWN,)
    times: int = 99
    method: str = "PUT"
    hint: str | None = None
    seed: int = 1
    more: dict = field(default_factory=dict)


def client(policy, asked, *, by=None, user_agent="acme/1.0"):
    """The calls of a client that keeps to its policy."""
    draw = random.Random(asked.seed)
    found = []
    for number in range(asked.calls):
        kind = draw.choice(asked.faults)
        most = 1 if kind is DENIED and not policy.asks_forbidden else policy.attempts
        gaps, every = [], []
        for tried in range(most):
            form = asked.hint if tried == 0 and kind is not RESET else None
            seconds = 3.0 if form in ("seconds", "date") else None
            fields = {} if form is None else {"hint_form": form, "hint": seconds}
            if tried and not policy.rewinds:
                fields |= {"request_bytes": 0, "request_digest": None}
            every.append((kind if tried < asked.times else FINE) | fields)
            if tried >= asked.times:
                break
            gaps.append(policy.wait(draw, tried, seconds))
        path = f"/bucket/{user_agent.partition('/')[0]}-{asked.seed}-{number}"
        more = {"path": path, "method": asked.method, "user_agent": user_agent, **asked.more}
        found.append(call(*gaps[: len(every) - 1], at=number * asked.apart, by=by, every=every, **more))
    return found


def threads(number, policy, *, requested=20, share=1.0, keys="own", by=None, seed=7):
    """The calls of threads that share a pool: a free thread takes the next call.

    Args:
        keys: `own` for each call, `one` for all, or `bodies`: one key, and a body of another length for each.
        share: of requests that fail.
    """
    draw = random.Random(seed)
    free, found = [0.001 * each for each in range(number)], []
    for turn in range(requested):
        thread = min(range(number), key=free.__getitem__)
        gaps, kinds, at = [], [], free[thread]
        while len(kinds) < policy.attempts:
            kinds.append(
                (INTERNAL if draw.random() < share else FINE) | {"took": draw.uniform(0.0005, 0.004)}
            )
            if kinds[-1]["fault"] is None:
                break
            gaps.append(policy.wait(draw, len(gaps), None))
        more = {} if keys == "own" else {"path": "/bucket/k"}
        body = turn if keys == "bodies" else 0
        more |= {"request_bytes": 100 + body, "request_digest": str(body), "connection": 40_000 + thread}
        found.append(call(*gaps[: len(kinds) - 1], at=at, by=by, every=kinds, **more))
        free[thread] = found[-1].lines[-1]["answered"] + draw.uniform(0.0005, 0.002)
    return found


def lines(*groups):
    """All lines of calls, in order of arrival."""
    made = [each for group in groups for each in ([group] if isinstance(group, Made) else group)]
    return sorted((line for each in made for line in each.lines), key=lambda each: each["arrived"])


def text(*groups):
    """A journal."""
    return "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in lines(*groups))


def attempts(*groups):
    """The requests of these calls, as a journal of them is read."""
    return [Attempt.of(each) for each in lines(*groups)]


def parsed(journal, skipped=None):
    """The requests of a journal, as they are read."""
    return (
        list(read(["-"], standard=BufferedReader(BytesIO(journal.encode())), skipped=skipped))
        if journal
        else []
    )


def judged(
    *groups,
    profile="rfc",
    fast=FAST,
    driven=False,
    unread=(),
    until=None,
    windows=(),
    speed=1.0,
    late=0.0,
    start=0.0,
    **how,
):
    """The verdict on a journal of these calls.

    Args:
        groups: calls.
        fast: how fast the client is seen to be; None: that is not seen.
        driven: whether a driver has made the calls, and knows of each when it began and ended.
        unread: calls after all these, behind the beginning of which the journal is read.
        until: when it is read; None: long after all is over.
        speed: how many times as fast as the journal's clock that of a driver's client is.
        late: seconds by which a driver's calls come later than those that show how fast the client is; or a function
            that gives them for each call by its number.
        start: seconds that each call of a driver needs to begin, alone too.
        windows: call windows besides those of calls that have a name or a result.
        how: as of `judge`.
    """
    made = [each for group in groups for each in group]
    if fast:
        agents = [each.lines[0]["user_agent"] for each in made] or ["acme/1.0"]
        made += quick(*fast, user_agent=max(set(agents), key=agents.count))
    last = max([0.0, *(each["arrived"] for each in lines(made))])
    for each in lines(unread):
        each.update(
            {name: each[name] and each[name] + last + LATER for name in ("arrived", "answered", "time")}
        )
    made += unread
    ends = [0.0, *(each["answered"] or each["arrived"] for each in lines(made))]
    read_at = max(ends) + (0.4 if unread else LATER) if until is None else until
    own = [
        each.window(f"call {number // 50}")
        for number, each in enumerate(made)
        if driven or (each.told and each.name != "cal")
    ]
    later = late if callable(late) else lambda _: late
    for number, each in enumerate(own):
        each.began -= start + (0.0 if each.name == "cal" else later(number))
    windows = [*windows, *own]
    seen = attempts(made)
    if driven:
        found = judge_run(seen, DrivenRun(PID, windows, read_at, None, speed=speed), profile=profile, **how)
    else:
        found = judge(seen, profile=profile, windows=windows, until=read_at, **how)
    assert [each for each in found.findings if not says_what_to_do(each)] == []
    return found


def says_what_to_do(finding):
    """Whether its action is one sentence that ends with a period; none where nothing is wrong."""
    if finding.verdict == "PASS":
        return finding.action == ""
    return re.fullmatch(r"[A-Z]((?![.!?] [A-Z]).)*[^.]\.", finding.action) is not None


def findings(check, *groups, **how):
    """The findings of one check about these calls."""
    return [each for each in judged(*groups, **how).findings if each.check == check]


def finding(check, *groups, **how):
    """The one thing that it says of them."""
    [found] = findings(check, *groups, **how)
    return found


def verdict(check, *groups, **how):
    """The verdict of a check that says one thing."""
    return finding(check, *groups, **how).verdict
