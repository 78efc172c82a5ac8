"""The files that a suite's own Python and Node load from this folder, without the package."""
