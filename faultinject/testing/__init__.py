"""Faults in tests: `inject()` and what it gives, exploration, and the pytest plugin."""
