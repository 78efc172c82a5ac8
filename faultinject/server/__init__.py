"""A WSGI server that keeps connections alive as real servers do, for `serve`, `demo`, `explore` and `conformance`.

werkzeug's own closes the connection behind every answer: each retry pays for a new one, and what a client's callers do
cannot be told apart by their connections.
"""
