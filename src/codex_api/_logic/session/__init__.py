"""Decisions of a session: no I/O, no clock, no randomness. Used by the sessions of both fronts."""
