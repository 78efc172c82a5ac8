"""The names of the `FAULTINJECT_*` variables.

They are read before anything else is loaded, so this module loads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

PREFIX = "FAULTINJECT_"
ENABLED = "FAULTINJECT_ENABLED"
RULE = "FAULTINJECT_RULE_"
VARIABLES: dict[str, str] = {
    "FAULTINJECT_ENABLED": "`1 true on yes` / `0 false off no`; unset = off for `install()`",
    "FAULTINJECT_FILE": "a TOML file with rules",
    "FAULTINJECT_WATCH": (
        "whether a change of that file takes effect while the app runs: `0` never; `1` at once, with the"
        " extra `watch`; by default at once if watchfiles is installed; at a SIGHUP unless `0`"
    ),
    "FAULTINJECT_RULES": "rules",
    "FAULTINJECT_RULE_<NAME>": "one rule of that name",
    "FAULTINJECT_SEED": "the seed; overrides the file's",
    "FAULTINJECT_ABORT": (
        "end all faults when the app's own failures exceed a limit, such as `5xx>5%/1m`, or with"
        " `,injected=yes` also the injected ones (in a shell in"
        " quotes); overrides the scenario's"
    ),
    "FAULTINJECT_HEADER": "`0`: no `x-faultinject`, no `Cache-Control`",
    "FAULTINJECT_ENDPOINT": (
        "host suffixes of your own storage domain, for virtual-host style; `*` for a label or the rest of"
        " one; the most specific of several applies"
    ),
    "FAULTINJECT_STORE": (
        "where counts live: `memory:`, `file:DIRECTORY` or `redis://HOST` (`rediss://`, `unix://`), the last"
        " two also with `?replace`; by default memory for one process, and a private directory for several"
    ),
    "FAULTINJECT_JOURNAL": "append outcomes as JSON lines to this file",
    "FAULTINJECT_MAX_ACTIVE": "at most this many faults at the same time in a process (default 100)",
    "FAULTINJECT_ON_REQUEST": (
        "`1`: a request may ask for its own faults, with rules in its header `x-faultinject-rules`;"
        " never in production"
    ),
    "FAULTINJECT_EXPIRES": (
        "switch off automatically after this duration from the start of the server,"
        " or at this ISO time with zone"
    ),
    "FAULTINJECT_ONLY_WHERE": (
        "`NAME=value`: faults only where this variable of the environment has this value"
    ),
    "FAULTINJECT_PRODUCTION": "`allow`, together with EXPIRES of at most 24 h",
    "FAULTINJECT_CONTROL": (
        "the control API and its page: at a path of the app, such as `/_faultinject`, or at an address of its"
        " own, such as `127.0.0.1:8765`; unset = no control API"
    ),
    "FAULTINJECT_TOKEN": (
        "the token of each call of the control API, at least 8 characters, or one for each person:"
        " `alice=TOKEN,bob=TOKEN`; by default a random one, logged once"
    ),
    "FAULTINJECT_CONTROL_HOSTS": (
        "further host names for the control API, such as `staging.example.com`; loopback names always work"
    ),
    "FAULTINJECT_CONTROL_REMOTE": "`allow`: clients on other machines may use the control API",
    "FAULTINJECT_RUN": (
        "set by `faultinject run` for the Python processes of its command (`strict` with `--strict`);"
        " do not set it yourself"
    ),
    "FAULTINJECT_SESSION": (
        "set by the pytest plugin and `faultinject run` for child processes; do not set it yourself"
    ),
}
# Kubernetes makes variables with these beginnings for a Service named "faultinject". There is no pattern for Services
# named `faultinject-…`, as it would match misspelled variables.
KUBERNETES = ("FAULTINJECT_SERVICE_", "FAULTINJECT_PORT")

# Other words that people write for ENABLED.
_SWITCHES = frozenset(
    ("", "ON", "ENABLE", "ENABLED", "ENABLES", "ACTIVE", "ACTIVATE", "ACTIVATED", "SWITCH", "START")
)
_ALIKE = 0.87


def is_rule(variable: str) -> bool:
    """Whether the variable holds a named rule."""
    return variable.startswith(RULE) and len(variable) > len(RULE)


def gives_rules(variable: str) -> bool:
    """Whether the variable holds rules, or the place of rules."""
    return variable in ("FAULTINJECT_FILE", "FAULTINJECT_RULES") or is_rule(variable)


def is_of_kubernetes(variable: str) -> bool:
    """Whether Kubernetes makes it for a Service of the name "faultinject"."""
    return variable.startswith(KUBERNETES)


def likely_switches(names: Iterable[str]) -> list[str]:
    """The names that were probably meant to be `FAULTINJECT_ENABLED`.

    >>> likely_switches(["FAULTINJECT_ENABLE", "FAULT_INJECTION_ON", "FAULTINJECT_SEED", "FAULTINJECT_PORT"])
    ['FAULTINJECT_ENABLE', 'FAULT_INJECTION_ON']
    """
    return sorted(name for name in names if _is_like_the_switch(name))


def _is_like_the_switch(name: str) -> bool:
    if name in VARIABLES or is_rule(name) or is_of_kubernetes(name):
        return False
    letters = "".join(filter(str.isalpha, name.upper()))
    for start in ("FAULTINJECTION", "FAULTINJECTOR", "FAULTINJECT"):
        if letters.startswith(start) and letters.removeprefix(start) in _SWITCHES:
            return True
    if "DISABL" in letters:
        return False
    from difflib import SequenceMatcher

    return SequenceMatcher(None, letters, "FAULTINJECTENABLED").ratio() >= _ALIKE
