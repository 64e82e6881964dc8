"""Decisions of a session: no I/O, no clock, no randomness."""
