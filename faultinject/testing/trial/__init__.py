"""Runs a test suite once for each fault, and compares the results: `faultinject trial`.

`running` chooses the faults, runs the suite and listens to its test runner; `comparison` reads the results of tests,
and finds those that a fault breaks. The suite's own pytest or Node loads the files in `beside`.
"""
