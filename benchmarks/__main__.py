"""``python -m benchmarks [NAME ...] [--check] [--plot] [--repetitions N]``."""

from __future__ import annotations

import argparse
import os
import platform
from importlib import import_module
from importlib.metadata import version

from benchmarks import report, results, server
from benchmarks.clients import loop

NAMES = (
    "sse",
    "paced",
    "threads",
    "many_streams",
    "stream_memory",
    "unary",
    "whole_responses",
    "bulk",
    "bulk_memory",
    "opening",
    "session_turn",
    "first_event",
    "websocket",
    "imports",
    "sessions",
    "decoder",
    "encoding",
)
PACKAGES = ("codex-api", "msgspec", "websockets", "aiohttp", "httpx2", "pyreqwest", "openai")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--check", action="store_true", help="fail when a bound is missed")
    parser.add_argument("--plot", action="store_true", help="write results and plots into docs")
    parser.add_argument("--repetitions", type=int, default=7)
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    return arguments


def main() -> int:
    arguments = _arguments()
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]  # Peers read them; nobody here may leave loopback.
    versions = {name: version(name) for name in PACKAGES}
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores; {versions}\n")
    server.allow_many_files()

    missed = 0
    with server.running() as origins:
        for name in arguments.names or NAMES:
            rows = import_module(f"benchmarks.rows.{name}")
            found = []
            for table in rows.tables(origins, arguments.repetitions):
                print(table.render(), flush=True)
                missed += sum(bound.is_missed for bound in table.bounds)
                found.append(table)
            loop.close_all()
            if arguments.plot:
                results.store(name, found, arguments.repetitions, versions)
    if arguments.plot:
        report.write()
    if missed:
        print(f"{missed} bounds missed")
    return 1 if arguments.check and missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
