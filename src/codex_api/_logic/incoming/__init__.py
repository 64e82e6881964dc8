"""What comes back, from bytes to events, values and errors. Imports nothing that sends."""
