"""Loaded by the Python and the Node of a suite: this folder is on their path, and not the package."""
