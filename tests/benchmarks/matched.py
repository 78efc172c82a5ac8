"""A rule matches and does not fire: the whole decision, without an answer."""

from apps import INTERFACES, around, rules
from measure import Goal, Row, side_by_side

from faultinject import Rule

_PATH = "/bucket77/photos/2024/a.jpg"


def run() -> list[Row]:
    return [row for interface in INTERFACES for row in _compared(interface)]


def _compared(interface: str) -> list[Row]:
    app, _, request, call = INTERFACES[interface]
    sample = side_by_side(
        {
            "unmatched": call(around(app, rules(10_000)), request()),
            "chance": call(around(app, rules(10_000, probability=0)), request(path=_PATH)),
            "times": call(around(app, rules(10_000, times=0, per="call")), request(path=_PATH)),
            "address": call(
                around(app, Rule("cos:SlowDown", bucket="bucket77", key="photos/", probability=0)),
                request(path=_PATH),
            ),
        }
    )
    told = {
        "chance": "draw does not fire, 10,000 rules",
        "times": "`times` used up, `per=call`, 10,000 rules",
        "address": "bucket and key, draw does not fire",
    }
    return [
        sample.added_row(name, f"{interface}, matched, {what}", "no match", Goal("≤", 8.0, "µs"))
        for name, what in told.items()
    ]
