"""``python -m codex_api`` is the console script ``codex-api``."""

from __future__ import annotations

from codex_api.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
