"""Faults inside the client, for code that cannot use a server of ours.

The clients are thin wrappers of the same engine. `faultinject.clients.httpx` is a transport,
`faultinject.clients.botocore` a hook below the SDK's own retries. There is none for requests, whose adapters sit
above urllib3's retries.
"""
