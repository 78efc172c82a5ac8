"""Drivers of libraries for Python; each is a class or function that makes a client.

The libraries themselves may be written in any language.
"""


class Refused(Exception):
    """An error that the library does not raise itself, or whose text is too long."""
