"""Drivers of libraries for Python, whatever these are written in; each is a class or function that makes a client."""
