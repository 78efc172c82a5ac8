"""Matching, deciding and answering, without I/O.

The engine uses no framework, no socket, no sleep, no clock and no file of its own, and it parses no rules.
"""
