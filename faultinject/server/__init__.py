"""uvicorn over h11, and a bridge to WSGI apps.

`serve`, `demo`, `explore`, `conformance` and `faultinject_store` use it.

Nothing here reads a request: h11 does. The refusal of heads that it lets pass looks at what it has read.
"""
