"""API-aware logic without I/O: no socket, no clock, no randomness.

The folders follow the journey of a call: ``outgoing`` makes what is sent, ``calling`` decides how
and when it is sent, ``incoming`` reads what comes back; ``endpoints`` puts the three together, one
module an endpoint; ``realtime`` and ``session`` are the two conversations that outlive a call. The
fronts ``_async`` and ``_sync`` import from here; nothing here imports a front or a driver.
"""
