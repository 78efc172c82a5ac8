"""Files for a suite's Python and Node: their path has this folder, and not the package."""
