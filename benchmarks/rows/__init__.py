"""One module a family of tables; each has ``tables(origins, repetitions)``."""
