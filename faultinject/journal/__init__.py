"""The journal: the outcome of each request is written, and read back as attempts.

The lines of the log are here, too.
"""
