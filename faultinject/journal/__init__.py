"""The journal: what happened to each request is written, and read back as attempts. Also what the log says."""
