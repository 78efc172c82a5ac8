"""Environments that are taken for production, and the message."""

from hypothesis import given
from hypothesis import strategies as st

from faultinject.rules.production import production_reason
from tests.rows import each_row

OTHERS = (
    "APP_SETTINGS", "DEPLOY", "DEPLOYMENT", "DJANGO_CONFIGURATION", "DJANGO_SETTINGS_MODULE", "ENV_FOR_DYNACONF", "SETTINGS",
    "TIER",
)  # fmt: skip
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
    "APP_SETTINGS", "DEPLOY", "DEPLOYMENT", "SETTINGS", "TIER",
]  # fmt: skip


NO_NAMES = [
    "BASH_ENV",
    "GITHUB_ENV",
    "GOENV",
    "UV_PROJECT_ENVIRONMENT",
    "VIRTUAL_ENV",
    "PATH",
    "HOME",
    "ENVOY",
    "STAGED",
    "PRODUCTION",
    "DEPLOY_KEY",
    "FRONTIER",
    "LOG_SETTINGS",
    "FAULTINJECT_RULE_STAGE",
    "FAULTINJECT_RULE_MY_ENV",
]
NAME = "deployment.environment.name=prod%2Deu"


@each_row(
    ("environ", "reason"),
    [
        # A whole word of the value says production; not one that only contains the letters, or says that it is not.
        *(({"APP_ENV": value}, f"APP_ENV={value}") for value in PRODUCTION),
        *(({"APP_ENV": value, "STAGE": value}, None) for value in OTHER),
        # Every variable that frameworks and hosts name the deployment in is looked at; no paths, and no rules.
        *(({name: "eu-prod"}, f"{name}=eu-prod") for name in NAMES),
        *(({name: "/srv/live/prod"}, None) for name in NO_NAMES),
        # Of variables that hold pairs only the one that names the deployment counts, and only that is shown.
        ({"DD_TAGS": "team:live,env:prod"}, "DD_TAGS=env:prod"),
        ({"DD_TAGS": "env:eu-prod team:a"}, "DD_TAGS=env:eu-prod"),
        ({"DD_TAGS": "team:live,environment:x"}, None),
        ({"DD_TAGS": "env:non-prod"}, None),
        *(
            ({"OTEL_RESOURCE_ATTRIBUTES": pairs}, shown and f"OTEL_RESOURCE_ATTRIBUTES={shown}")
            for pairs, shown in (
                ("service.name=a, deployment.environment=live", "deployment.environment=live"),
                (f"{NAME},key=secret", NAME),
                ("service.name=live,service.namespace=prod", None),
                ("deployment.environment", None),
            )
        ),
        # A value in the log holds nothing that could be a key, and no control character, and is short.
        ({"PAY_ENV": "sk_live_51H8aBcDeFgHiJkLmNoPq"}, "PAY_ENV=sk_live_…"),
        ({"ENV": "live\r\n\x1b[31m"}, r"ENV=live\r\n\x1b[31m"),
        ({"ENV": "EUProd-1"}, "ENV=EUProd-1"),
        ({"ENV": f"{'prod ' * 15}abcde"}, f"ENV={'prod ' * 15}abcde"),
        ({"ENV": "prod " * 1000}, f"ENV={'prod ' * 16}…"),
    ],
)  # fmt: skip
def test_what_is_taken_for_production(environ, reason):
    """The variable and its value, or nothing."""
    assert production_reason(environ) == reason


@given(
    prefix=st.text("ABC_", max_size=5),
    ending=st.sampled_from(
        ["ENV", "ENVIRONMENT", "STAGE", "ENV_NAME", "ENVIRONMENT_NAME", "STAGE_NAME", *OTHERS]
    ),
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
