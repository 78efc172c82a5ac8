"""Faults inside a client, for code that cannot use a server with faults.

`faultinject.clients.httpx` has transports, and `faultinject.clients.botocore` a hook below the SDK's own retries.
There is none for requests: the adapters of requests are above urllib3's retries, which would not see a fault.
"""
