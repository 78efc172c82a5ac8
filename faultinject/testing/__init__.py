"""Faults in tests: `inject()` and its result, exploration, and the pytest plugin."""
