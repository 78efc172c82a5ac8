"""The engine: matching, deciding and rendering. Sans-IO: no framework, no socket, no sleep, no clock of its own."""
