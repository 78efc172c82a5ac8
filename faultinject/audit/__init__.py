"""Judges clients by the journal: evidence, checks, profiles and reports.

It only reads the journal, and no request waits for it.
"""
