"""Drivers of programs without a library: one process a call."""
