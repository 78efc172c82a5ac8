"""Drivers of libraries for Python, whatever these are written in; each is a class or function that makes a client."""


class Refused(Exception):
    """An answer that is an error, of a library that does not raise one by itself, or says too much of it."""
