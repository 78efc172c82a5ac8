"""Faults inside a client, for code that cannot use a server with faults.

`faultinject.clients.httpx` has transports, and `faultinject.clients.botocore` a hook below the SDK's own retries.
There is no adapter for requests: its adapters are above urllib3's retries.
"""
