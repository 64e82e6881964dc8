"""The blocking front: signatures and loops only."""
