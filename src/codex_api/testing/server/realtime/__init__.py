"""Realtime sessions and calls of the embedded server, with a model that listens to tones."""
