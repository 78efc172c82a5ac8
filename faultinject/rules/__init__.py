"""The grammar of rules, and their sources: text, TOML, JSON, the environment."""

from faultinject.faces import face

__getattr__, __all__ = face(
    __name__,
    CONDITIONS="conditions",
    EFFECTS="effects",
    KEYS="vocabulary",
    TRIGGERS="triggers",
    VARIABLES="names",
    check_foreign="foreign",
    excerpt="diagnosis",
    production_reason="production",
    read_environment="environment",
    rules_schema="schema",
)
