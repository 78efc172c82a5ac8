"""A storage SDK's reactions to every kind of fault: a fixed plan, drivers and a verdict."""
