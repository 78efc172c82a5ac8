"""Servers of our own: uvicorn over h11, and a bridge to a user's WSGI app.

`serve`, `demo`, `explore`, `conformance`, `faultinject_store` and the control API on its own address use them.

h11 parses all requests. `protocol` then refuses some heads that h11 has accepted.
"""
