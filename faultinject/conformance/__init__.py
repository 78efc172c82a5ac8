"""Measures a storage SDK's reaction to each kind of fault: a plan, drivers and a verdict."""
