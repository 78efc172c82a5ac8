"""Matching, deciding and answering, as pure functions.

There is no framework, no socket, no sleep, no clock, no file and no grammar of its own.
"""
