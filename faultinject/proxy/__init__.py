"""A reverse proxy with faults in front of any HTTP server: requests and answers go on as they came.

`front` is uvicorn's side of one client's connection, `line` what belongs to that connection on both sides, `upstream` the
connection to the server behind, `app` the ASGI app between them, which faults are put around as around any other.
"""
