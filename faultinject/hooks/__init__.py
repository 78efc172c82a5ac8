"""The folder that goes first on PYTHONPATH: its `sitecustomize` puts faults around apps in every process."""
