"""Where counts live: in memory, or in a directory that processes share."""
