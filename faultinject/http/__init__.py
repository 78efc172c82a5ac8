"""What HTTP itself says, whoever the vendor is: request targets, methods, dates, heads and chunks, patterns of paths."""
