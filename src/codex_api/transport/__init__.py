"""The generic transport: HTTP, server-sent events and WebSocket, with no API awareness."""
