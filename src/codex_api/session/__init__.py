"""The layer above single calls: transport choice, incremental input, turn state, stream retry."""
