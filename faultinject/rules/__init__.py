"""The grammar of rules, and their sources: text, TOML, JSON, the environment."""
