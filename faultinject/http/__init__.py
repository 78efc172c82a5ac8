"""HTTP for all vendors: targets, methods, dates, heads and chunks, patterns of paths."""
