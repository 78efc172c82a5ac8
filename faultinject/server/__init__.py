"""uvicorn over h11, and a bridge to a user's WSGI app.

`serve`, `demo`, `explore`, `conformance`, `faultinject_store` and the control API on its own address use them.

Nothing here reads a request: h11 does. The refusal of heads that it lets pass looks at what it has read.
"""
