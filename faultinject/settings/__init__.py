"""Where a scenario comes from: text, TOML, JSON, the environment."""
