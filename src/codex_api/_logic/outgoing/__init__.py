"""What is sent: request bodies, items, header fields. Used by every other folder here."""
