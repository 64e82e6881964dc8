"""The realtime protocol: URLs, dialects, session state and call creation, all without I/O."""
