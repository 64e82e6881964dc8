"""API-aware logic without I/O: no socket, no clock, no randomness."""
