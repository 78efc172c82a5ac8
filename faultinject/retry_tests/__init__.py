"""`/retry_test`, the control interface of Google's storage-testbench: faults that belong to one test alone.

https://github.com/googleapis/storage-testbench#retry-test-api
"""
