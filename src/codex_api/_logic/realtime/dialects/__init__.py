"""The versions of the realtime protocol, one module each; ``registry`` names them."""
