"""A test module that hangs while it is imported: `tests/test_limits.py` collects it."""

while True:
    pass
