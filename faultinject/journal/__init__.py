"""The journal: the outcome of each request, written as a line and read back as an attempt.

`log` has the lines of the log.
"""
