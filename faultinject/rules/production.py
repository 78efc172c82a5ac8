"""Tells whether the environment is a production environment; variables are an argument."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from faultinject.rules.names import PREFIX
from faultinject.rules.values import visible

ENDINGS = ("ENV", "ENVIRONMENT", "STAGE", "ENV_NAME", "ENVIRONMENT_NAME", "STAGE_NAME")
"""Endings of the names of variables that hold a deployment's name.

Examples are FLASK_ENV, SENTRY_ENVIRONMENT and RAILWAY_ENVIRONMENT_NAME.
"""

BEGINNING = "K8S_"
"""The beginning of variables from the downward API of Kubernetes, by convention.

Examples are K8S_NAMESPACE and K8S_CLUSTER_NAME.
"""

OTHERS = frozenset(
    (
        "APP_SETTINGS",
        "DEPLOY",
        "DEPLOYMENT",
        "DJANGO_CONFIGURATION",
        "DJANGO_SETTINGS_MODULE",
        "ENV_FOR_DYNACONF",
        "SETTINGS",
        "TIER",
    )
)
"""More variables whose whole value names the deployment."""

PAIRS: dict[str, tuple[str, str, frozenset[str]]] = {
    "DD_TAGS": (",", ":", frozenset(("env",))),
    "OTEL_RESOURCE_ATTRIBUTES": (
        ",",
        "=",
        frozenset(("deployment.environment", "deployment.environment.name")),
    ),
}
"""Variables with several pairs: the separators, and the keys that name the deployment.

https://docs.datadoghq.com/getting_started/tagging/unified_service_tagging/ (DD_TAGS also takes blanks between pairs),
https://opentelemetry.io/docs/specs/semconv/resource/deployment-environment/
"""

FILES = frozenset(("BASH_ENV", "GITHUB_ENV", "GOENV", "UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV"))
"""Variables with these endings hold the path of a file or folder."""

WORDS = frozenset(("live", "prd", "prod", "production"))
BUT_BEHIND = frozenset(("non", "not", "pre"))
_WORD = re.compile(r"[^\W\d_]+")
_AT_A_CAPITAL = re.compile("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""`EUProd` and `euProd` are two words each."""
_LONG_WORD = re.compile(r"[^\W_]{20,}")
"""A word that is not shown, as it may be a secret key such as `sk_live_…`."""
LONGEST = 80
"""The most characters of a value that are shown."""


def production_reason(environ: Mapping[str, str]) -> str | None:
    """The variable that says that this is production, as `FLASK_ENV=production`, or None.

    A value is split into words at anything but letters, and before a capital. The words `prod`, `production`, `prd` and
    `live` say production, unless the word before is `non`, `not` or `pre`.

    >>> production_reason({"STAGE": "eu-prod1"}), production_reason({"STAGE": "non-prod"})
    ('STAGE=eu-prod1', None)
    >>> production_reason({"DD_TAGS": "team:live-chat,env:prd"})
    'DD_TAGS=env:prd'
    """
    for name in sorted(environ):
        for value, key in _deployment_names(name.upper(), environ, name):
            if _says_production(value):
                return f"{visible(name)}={key}{_safe_value(value)}"
    return None


def _deployment_names(name: str, environ: Mapping[str, str], variable: str) -> Iterator[tuple[str, str]]:
    """Yield the names of the deployment in a variable's value, each with the key before it.

    Args:
        name: the variable's name in capitals.
        environ: the environment.
        variable: the variable's own name.
    """
    if name in PAIRS:
        between, middle, keys = PAIRS[name]
        for pair in environ[variable].replace(" ", between).split(between):
            key, _, rest = pair.partition(middle)
            if key.strip().lower() in keys:
                yield rest, key.strip() + middle
    elif (
        name in OTHERS
        or name.startswith(BEGINNING)
        or (name.endswith(ENDINGS) and name not in FILES and not name.startswith(PREFIX))
    ):
        yield environ[variable], ""


def _says_production(value: str) -> bool:
    """Whether a word of the value names production, with or without a split at capitals."""
    if "%" in value:
        from urllib.parse import unquote

        value = unquote(value)
    return any(
        _has_production(_WORD.findall(spelling.lower()))
        for spelling in (_AT_A_CAPITAL.sub(" ", value), value)
    )


def _has_production(words: list[str]) -> bool:
    return any(
        word in WORDS and not (before and words[before - 1] in BUT_BEHIND)
        for before, word in enumerate(words)
    )


def _safe_value(value: str) -> str:
    """The value, without parts that may be secret."""
    text = visible(_LONG_WORD.sub("…", value.strip()))
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
