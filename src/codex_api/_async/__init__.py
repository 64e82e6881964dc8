"""The asyncio front: signatures and loops only."""
