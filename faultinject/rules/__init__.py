"""The grammar: what a rule may say, and where rules are read from: text, TOML, JSON, the environment."""
