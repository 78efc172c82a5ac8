"""Faults that a service has itself for those who test clients, in front of a store.

`/retry_test`, the control interface of Google's storage-testbench: faults that belong to one test alone,
https://github.com/googleapis/storage-testbench#retry-test-api; and `X-Bz-Test-Mode`, the test modes of Backblaze B2
(`b2_modes`).
"""
