"""Experiment templates of AWS Fault Injection Service: the actions that a client of S3 notices.

https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html says that AWS itself injects errors of an API for few
services (`ec2` first); emulators such as LocalStack take `s3` too, and add
`localstack:generic:api-error` and `localstack:generic:latency`.
"""

from __future__ import annotations

import re

from faultinject.conversion.localstack import OF_ALL, s3_error
from faultinject.conversion.made import milliseconds
from faultinject.rules.values import duration_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.conversion.document import Node, Table
    from faultinject.conversion.made import Rules

ERRORS = {
    "aws:fis:inject-api-internal-error": "InternalError",
    "aws:fis:inject-api-throttle-error": "SlowDown",
    "aws:fis:inject-api-unavailable-error": "ServiceUnavailable",
}
"""The error of S3 that each stands for."""
ANY_ERROR, LATENCY = "localstack:generic:api-error", "localstack:generic:latency"
DISRUPT, WAIT = "aws:network:disrupt-connectivity", "aws:fis:wait"
SCOPES = ("s3", "all")
"""Of disrupted networks, those in which S3 is not reached."""
LABELS = ("description", "tags", "id", "arn", "roleArn", "creationTime", "lastUpdateTime", "clientToken")
_DURATION = re.compile(r"P(?:([0-9]{1,4})D)?(?:T(?:([0-9]{1,5})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,7})S)?)?")


def fits(value: object) -> bool:
    """Whether it is an experiment template, perhaps as `get-experiment-template` prints it."""
    if isinstance(value, dict) and isinstance(value.get("experimentTemplate"), dict):
        value = value["experimentTemplate"]
    actions = value.get("actions") if isinstance(value, dict) else None
    return isinstance(actions, dict) and all(
        isinstance(each, dict) and "actionId" in each for each in actions.values()
    )


def convert(node: Node, rules: Rules) -> None:
    """Its rules, each with the window in which its action runs."""
    table = node.table()
    if "experimentTemplate" in table:
        inner = table.need("experimentTemplate")
        table.rest("no part of a template")
        table = inner.table()
    table.unused(*LABELS, "logConfiguration", "experimentReportConfiguration", "experimentOptions")
    table.unused("targetAccountConfigurationsCount", "targets")
    _stop_conditions(table)
    actions = table.need("actions").table()
    table.rest("no part of a template that is known")
    windows = _Windows(actions)
    for name in actions:
        _Action(actions.need(name), name, windows).convert(rules)


def _stop_conditions(table: Table) -> None:
    given = table.take("stopConditions")
    for each in [] if given is None else given.rows():
        condition = each.table()
        if condition.need("source").text() == "none":
            condition.take("value")
        else:
            each.leave_out("no alarm stops these rules; `abort` of a scenario goes by the app's own failures")
            condition.take("value")
        condition.rest("no part of a stop condition")


class _Windows:
    """From when to when each action runs, in seconds from the start of the experiment."""

    def __init__(self, actions: Table) -> None:
        self._actions = actions
        self._known: dict[str, tuple[float, float | None]] = {}
        self._under_way: set[str] = set()

    def of(self, name: str, asking: Node) -> tuple[float, float | None]:
        """Start and end; None: it has no end of its own."""
        if name in self._known:
            return self._known[name]
        found = self._actions.take(name)
        if found is None:
            asking.refuse(f"there is no action {name}")
        if name in self._under_way:
            asking.refuse(f"{name} starts after itself")
        self._under_way.add(name)
        action = found.table()
        begin = 0.0
        after = action.take("startAfter")
        for each in [] if after is None else after.rows():
            before = self.of(each.text(), each)
            begin = max(begin, before[0] if before[1] is None else before[1])
        parameters = action.take("parameters")
        duration = None if parameters is None else parameters.table().take("duration")
        lasts = None if duration is None else _seconds(duration)
        self._known[name] = begin, None if lasts is None else begin + lasts
        return self._known[name]


def _seconds(node: Node) -> float:
    """The seconds of `PT5M`."""
    text = node.text()
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        node.refuse(f"{text!r} is not a duration such as PT5M")
    days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return float(86400 * days + 3600 * hours + 60 * minutes + seconds)


class _Action:
    """One action of a template."""

    def __init__(self, node: Node, name: str, windows: _Windows) -> None:
        self.node = node
        self.name = name
        self._table = node.table()
        self._action = self._table.need("actionId").text()
        begin, end = windows.of(name, node)
        self._window = {
            "begin": duration_text(begin) if begin else None,
            "end": None if end is None else duration_text(end),
        }

    def convert(self, rules: Rules) -> None:
        """Its rule, where a client of S3 notices it."""
        table = self._table
        given = table.take("parameters")
        table.take("startAfter")
        if self._action == WAIT:
            table.unused("description")
            return
        if self._action not in (*ERRORS, ANY_ERROR, LATENCY, DISRUPT):
            self.node.leave_out(f"{self._action} is nothing that a rule can do")
            return
        if given is None:
            self.node.refuse("there is no parameters")
        parameters = given.table()
        parameters.take("duration")
        if self._action == DISRUPT:
            self._disrupt(parameters, rules)
        else:
            self._inject(parameters, rules)

    def _end(self, parameters: Table) -> bool:
        """Whether nothing that limits the action is left."""
        self._table.unused("description")
        if (targets := self._table.take("targets")) is not None:
            targets.change("every client's requests get it: a rule knows neither roles nor subnets")
        self._table.rest("no part of an action that is known")
        return not parameters.rest(
            "no parameter that is known, and without it the fault may come to other requests"
        )

    def _disrupt(self, parameters: Table, rules: Rules) -> None:
        scope = parameters.take("scope")
        if scope is None or scope.text() not in SCOPES:
            said = "none" if scope is None else scope.text()
            self.node.leave_out(
                f"its scope ({said}) is not s3, and a rule cannot know whether S3 is reached through it"
            )
            return
        if self._end(parameters):
            self.node.change("the connection is made, and nothing comes; there it is not even made")
            rules.add(self.node, "hang", self.name, duration="1h", vendor="s3", **self._window)

    def _inject(self, parameters: Table, rules: Rules) -> None:
        service = parameters.take("service")
        if service is not None and service.text() != "s3":
            self.node.leave_out(f"it is of {service.text()}, not of s3")
            return
        if service is None:
            self.node.change(OF_ALL)
        percentage = parameters.take("percentage")
        chance = 1.0 if percentage is None else percentage.number(0, 100) / 100
        given = parameters.take("operations" if self._action in ERRORS else "operation")
        operations = [] if given is None else [each.strip() for each in given.text().split(",")]
        header = None
        if self._action in ERRORS:
            fault, keys = s3_error(self.node, ERRORS[self._action], None)
        else:
            fault, keys = self._late(parameters) if self._action == LATENCY else self._any_error(parameters)
            region = parameters.take("region")
            if region is not None:
                header = {"authorization": f"*/{region.text()}/*"}
                region.change("told by the region in the header of a signature; other requests are spared")
        if self._end(parameters):
            rules.add(
                self.node, fault, self.name, operation=operations or None, header=header,
                probability=None if chance == 1 else chance, **self._window, **keys,
            )  # fmt: skip

    def _late(self, parameters: Table) -> tuple[str, dict[str, object]]:
        wait = parameters.need("latencyMilliseconds")
        return "latency", {"delay": milliseconds(wait, wait.number()), "vendor": "s3"}

    def _any_error(self, parameters: Table) -> tuple[str, dict[str, object]]:
        status, exception = parameters.take("errorCode"), parameters.take("exception")
        number = 500 if status is None else int(status.number(400, 599))
        return s3_error(self.node, "InternalError" if exception is None else exception.text(), number)
