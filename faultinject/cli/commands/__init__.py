"""The options and the help of each command, without an import of the rooms.

When a command runs, it imports the module of its name in `faultinject.cli`, which does the work.
"""
