"""Somebody else's test suite, run once for each fault, and compared test by test.

`running` chooses the faults, runs the suite and hears its runner meanwhile; `comparison` reads the suite's words on
its tests, and finds those that a fault breaks. The files in `beside` are loaded by the suite's own pytest or Node.
"""
