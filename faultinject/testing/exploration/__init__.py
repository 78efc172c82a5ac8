"""An exploration injects each fault at each request of the code under test, one per run.

The engine has no I/O: `choices` lists the faults, `points` the requests, `sweep` orders the runs, `strategies` turns
the result of a run into findings, and `report` prints them. `faultinject.testing.runs` (`Exploration`) drives the
engine in one process; the pytest plugin and the command line have drivers of their own.
"""
