"""Faults on the client's side, for code that cannot be pointed at a server of ours: thin doors to the same engine.

`faultinject.clients.httpx` is a transport, `faultinject.clients.botocore` a hook below the SDK's own retries. There is
none for requests, whose adapters sit above urllib3's retries.
"""
