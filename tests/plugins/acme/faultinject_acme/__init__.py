"""ACME Storage."""
