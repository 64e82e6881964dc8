"""Write down which versions the developers' environment has: ``make lock``.

``dev.lock`` is a file of constraints, for ``make LOCKED=1`` and for whoever wants to repeat a run
of the tests. It names versions only: where packages come from is the business of the machine.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = ROOT / "dev.lock"
_HEAD: Final = "# Written by `make lock`: what `make check` last passed with, on CPython {}.{}.\n"


def needed(extras: tuple[str, ...] = ("all", "dev")) -> dict[str, str]:
    """Return the version of every package that the package with ``extras`` needs, as installed."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    left: list[tuple[str, str]] = [("codex-api", extra) for extra in extras]
    while left:
        name, extra = left.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            message = f"{name} is not installed: run `make static` first"
            raise SystemExit(message) from None
        found[name] = installed.version
        for text in installed.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                inner = canonicalize_name(requirement.name)
                left += [(inner, each) for each in ("", *requirement.extras)]
    del found["codex-api"]
    return found


def main() -> None:
    """Write the file."""
    lines = [f"{name}=={version}\n" for name, version in sorted(needed().items())]
    LOCK.write_text(_HEAD.format(*sys.version_info[:2]) + "".join(lines))
    print(f"{LOCK.name}: {len(lines)} packages")


if __name__ == "__main__":
    main()
