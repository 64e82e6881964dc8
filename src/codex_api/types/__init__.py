"""Wire values, one module per endpoint."""
