"""Environments that are taken for production, and the message."""

from hypothesis import given
from hypothesis import strategies as st

from faultinject.rules.production import production_reason
from tests.rows import each_row

ENDINGS = ("ENV", "ENVIRONMENT", "STAGE", "ENV_NAME", "ENVIRONMENT_NAME", "STAGE_NAME")
OTHERS = ("DJANGO_CONFIGURATION", "DJANGO_SETTINGS_MODULE", "ENV_FOR_DYNACONF")
FILES = ("BASH_ENV", "GITHUB_ENV", "GOENV", "UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV")
PRODUCTION = [
    "production", "PROD", "eu-prod", "live-eu", "prd1", "prod2", "settings_prod", "config.production.settings",
    "Production", "EuProd", "EUProduction", "ProdEU", "us1prod", "nonlive-prod", "pre-live,prod", "sub/prod/app", "PrOd",
    "shop prod", "non-eu-prod", "liveEurope", "prod%2Deu",
]  # fmt: skip
OTHER = [
    "product-dev", "products", "alive", "liver", "approd", "preprod", "pre-prod", "pre_production", "non-prod", "NonProd",
    "nonprod", "not live", "pre.live1", "staging", "development", "test", "", "delivery", "deproduction", "olive-1",
]  # fmt: skip
NAMES = [
    "ENV", "APP_ENV", "FLASK_ENV", "VERCEL_ENV", "RAILSENV", "app_env", "SENTRY_ENVIRONMENT", "ASPNETCORE_ENVIRONMENT",
    "AZURE_FUNCTIONS_ENVIRONMENT", "STAGE", "SERVERLESS_STAGE", "RAILWAY_ENVIRONMENT_NAME", "CI_ENVIRONMENT_NAME",
    "DJANGO_SETTINGS_MODULE", "DJANGO_CONFIGURATION", "K8S_NAMESPACE", "K8S_CLUSTER_NAME", "ENV_FOR_DYNACONF",
]  # fmt: skip


@each_row("value", PRODUCTION)
def test_values_that_say_production(value):
    """A whole word of it does."""
    assert production_reason({"APP_ENV": value}) == f"APP_ENV={value}"


@each_row("value", OTHER)
def test_values_that_do_not(value):
    """Values that only contain the letters, or say that it is not production."""
    assert production_reason({"APP_ENV": value, "STAGE": value}) is None


@each_row("name", NAMES)
def test_names_that_are_looked_at(name):
    """Every variable that frameworks and hosts name the deployment in."""
    assert production_reason({name: "eu-prod"}) == f"{name}=eu-prod"


@each_row(
    "name",
    [
        *FILES,
        "PATH",
        "HOME",
        "ENVOY",
        "STAGED",
        "PRODUCTION",
        "FAULTINJECT_RULE_STAGE",
        "FAULTINJECT_RULE_MY_ENV",
    ],
)
def test_names_that_are_not(name):
    """Paths, and rules that happen to bear such a name."""
    assert production_reason({name: "/srv/live/prod"}) is None


@each_row(
    ("name", "value", "reason"),
    [
        ("DD_TAGS", "team:live,env:prod", "env:prod"),
        ("DD_TAGS", "env:eu-prod team:a", "env:eu-prod"),
        ("DD_TAGS", "team:live,environment:x", None),
        ("DD_TAGS", "env:non-prod", None),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=a, deployment.environment=live",
            "deployment.environment=live",
        ),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=prod%2Deu,key=secret",
            "deployment.environment.name=prod%2Deu",
        ),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=live,service.namespace=prod", None),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment", None),
    ],
)
def test_variables_that_hold_pairs(name, value, reason):
    """Only the pair that names the deployment counts, and only that is shown."""
    assert production_reason({name: value}) == (None if reason is None else f"{name}={reason}")


def test_what_is_shown_is_short_and_no_key():
    """A value in the log holds nothing that could be a key, and no control character."""
    assert production_reason({"PAY_ENV": "sk_live_51H8aBcDeFgHiJkLmNoPq"}) == "PAY_ENV=sk_live_…"
    assert production_reason({"ENV": "live\r\n\x1b[31m"}) == r"ENV=live\r\n\x1b[31m"
    assert production_reason({"ENV": "EUProd-1"}) == "ENV=EUProd-1"
    assert production_reason({"ENV": "prod " * 15 + "abcde"}) == "ENV=" + "prod " * 15 + "abcde"
    assert production_reason({"ENV": "prod " * 1000}) == "ENV=" + "prod " * 16 + "…"


@given(
    prefix=st.text("ABC_", max_size=5),
    ending=st.sampled_from([*ENDINGS, *OTHERS]),
    before=st.text("abc1-_. /", max_size=8),
    after=st.text("0123-_. /", max_size=8),
    word=st.sampled_from(["prod", "production", "prd", "live"]),
)
def test_a_word_of_its_own_always_counts(prefix, ending, before, after, word):
    """Wherever it stands, and whatever sign is beside it."""
    name = ending if ending in OTHERS else prefix + ending
    assert production_reason({name: f"{before}-{word}{after}"}) is not None
    assert production_reason({name: f"{before}-not-{word}{after}"}) is None


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=50)))
def test_no_environment_is_too_odd(environ):
    """Whatever stands in it, the guard answers."""
    production_reason({**environ, "DD_TAGS": "".join(environ), "X_ENV": "".join(environ.values())})
