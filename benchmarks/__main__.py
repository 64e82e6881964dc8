"""``python -m benchmarks [NAME ...] [--check] [--repetitions N]``."""

from __future__ import annotations

import argparse
import os
import platform
from importlib import import_module
from importlib.metadata import version

from benchmarks import server

_NAMES = (
    "sse",
    "paced",
    "websocket",
    "sessions",
    "decoder",
    "encoding",
    "imports",
    "first_event",
    "unary",
    "open_streams",
)
_PACKAGES = ("codex-api", "pyreqwest", "msgspec", "websockets", "openai", "httpx2")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(_NAMES))
    parser.add_argument("--check", action="store_true", help="fail when a bound is missed")
    parser.add_argument("--repetitions", type=int, default=7)
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(_NAMES):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")

    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]  # Peers read them; nobody here may leave loopback.
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores; {versions}\n")

    missed = 0
    with server.running() as origin:
        for name in arguments.names or _NAMES:
            for table in import_module(f"benchmarks.{name}").tables(origin, arguments.repetitions):
                print(table.render(), flush=True)
                missed += sum(not bound.holds for bound in table.bounds)
    if missed:
        print(f"{missed} bounds missed")
    return 1 if arguments.check and missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
