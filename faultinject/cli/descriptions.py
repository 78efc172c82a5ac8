"""Describes a rule in one sentence: its requests, their fault, and how often they get it."""

from __future__ import annotations

from faultinject.rules.abort import read_abort
from faultinject.rules.descriptions import seconds
from faultinject.rules.effects import EFFECTS
from faultinject.rules.rule import Rule
from faultinject.rules.sample import read_sample
from faultinject.rules.triggers import IN_ALL, TRIGGERS
from faultinject.rules.values import listed, shown


def sentence(rule: Rule) -> str:
    """The rule as a sentence.

    >>> sentence(Rule("cos:SlowDown", method="PUT", path="photos/", probability=0.3, times=5))
    'PUT requests whose path matches photos/ get cos:SlowDown (503) with a chance of 0.3, at most 5 times in all.'
    """
    parts = [
        f"{_requests(rule)} get {rule.resolved.in_words(rule)}",
        *_triggers_in_words(rule),
        *_effects_in_words(rule),
    ]
    text = ", ".join(parts).replace(", with a chance", " with a chance", 1)
    return f"{text[0].upper()}{text[1:]}."


def bound(abort: str) -> str:
    """A scenario's `abort` as a sentence.

    >>> bound("5xx>5%/1m")
    'All faults end when more than 5 % of at least 20 requests within 1 m fail by themselves (5xx>5%/1m).'
    """
    read = read_abort(abort)
    often = f"more than {percent(read.share)} of at least {read.least} requests within {seconds(read.window)}"
    how = "fail, by themselves or by a fault" if read.injected else "fail by themselves"
    return f"All faults end when {often} {how} ({abort})."


def effects_on_request(rule: Rule) -> str:
    """The fault and the effects of a rule on one request."""
    return ", ".join([rule.resolved.in_words(rule), *_effects_in_words(rule)])


def _requests(rule: Rule) -> str:
    methods = rule.conditions.get("method", ())
    head = f"{listed(method.upper() for method in methods)} requests" if methods else "requests"
    tests = [_test(key, texts) for key, texts in rule.conditions.items() if key != "method"]
    if not methods and not tests:
        head = "all requests"
    if tests:
        head = f"{head} {' and '.join(tests)}"
    if rule.unless:
        head = f"{head}, except those {' or '.join(_test(*item) for item in rule.unless.items())},"
    return head


_TESTS = {"client": "from", "size": "of size"}
"""The words before the values of conditions that say more than `whose KEY matches`."""


def _test(key: str, texts: tuple[str, ...]) -> str:
    word, _, name = key.partition(".")
    if word == "sample":
        return f"of {listed(map(_share, texts))}"
    values = listed(shown(text) for text in texts)
    if name:
        thing = f"{'parameter' if word == 'query' else word} {shown(name)}"
        return f"with the {thing}" if "" in texts else f"whose {thing} matches {values}"
    return f"{_TESTS.get(word, f'whose {word} matches')} {values}"


def _share(text: str) -> str:
    """The sample in words, such as `the same 5 % of all values of header x-user`."""
    word, name, share = read_sample(text)
    whole = {"bucket": "buckets", "key": "keys", "client": "clients", "principal": "access keys"}.get(word)
    whole = whole or f"values of {'header' if word == 'header' else 'parameter'} {shown(name)}"
    return f"the same {percent(share)} of all {whole}"


def _triggers_in_words(rule: Rule) -> list[str]:
    """The triggers, in the order in which the engine checks them."""
    per = rule.value("per")
    scope = IN_ALL if per == "rule" else f"for every {per}"
    used = [trigger for key, trigger in TRIGGERS.items() if rule.value(key) != trigger.default]
    texts = [trigger.in_words(rule.value(trigger.key), rule.options[trigger.key], scope) for trigger in used]
    return [text for text in texts if text]


def _effects_in_words(rule: Rule) -> list[str]:
    """The effects, as far as they have a description."""
    parts = ((key.partition("."), text) for key, text in rule.options.items())
    texts = (EFFECTS[word].in_words(rule, text, name) for (word, _, name), text in parts if word in EFFECTS)
    return [text for text in texts if text]


def percent(chance: float) -> str:
    """`30 %`; more digits below ten, and never 0 or 100 for a chance that is only close to it.

    >>> [percent(chance) for chance in (0.3, 0.0027, 1.0, 0.0000004, 0.99999)]
    ['30 %', '0.27 %', '100 %', '< 0.001 %', '> 99.99 %']
    """
    if chance in (0.0, 1.0):
        return f"{chance * 100:.0f} %"
    if chance < 0.00001:
        return "< 0.001 %"
    if chance > 0.9999:
        return "> 99.99 %"
    digits = 2 if chance >= 0.1 else 3 if chance < 0.001 else 2
    text = f"{chance * 100:.{digits}f}".rstrip("0").rstrip(".")
    return f"{text} %"
