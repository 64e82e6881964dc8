"""Public test support: embedded server, scenarios, faults, cassettes, pytest plugin."""
