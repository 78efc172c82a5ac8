"""Matching, deciding and answering, pure: no framework, no socket, no sleep, no clock, no file and no grammar of its own."""
