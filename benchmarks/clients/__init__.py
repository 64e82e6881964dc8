"""The same jobs through one client each: bare sockets, the library, and its peers."""
