"""Generate the blocking front, ``codex_api._sync``, from the one for asyncio.

Names are exchanged by their tokens, words in docstrings, comments and messages by phrases; imports
are then sorted and lines wrapped by ruff. What really differs is written by hand in both fronts
and is left alone: see ``BY_HAND``.

    python tools/generate_sync.py            write the files
    python tools/generate_sync.py --check    only say which of them are not up to date
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
import tokenize
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src/codex_api/_async"
TARGET = ROOT / "src/codex_api/_sync"
# Waiting itself, and the modules for which blocking code has no need.
BY_HAND = {"waits.py", "watchdog.py", "of_loop.py", "connecting.py"}
HEADER = "# Generated from {source} by tools/generate_sync.py; do not edit.\n"

NAMES = {
    "_async": "_sync",
    "AsyncGenerator": "Generator",
    "AsyncIterator": "Iterator",
    "StopAsyncIteration": "StopIteration",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "aclose": "close",
    "aiter": "iter",
    "anext": "next",
    "connect_async": "connect",
    "http_async": "http",
    "sleep_async": "sleep",
    "websocket_async": "websocket",
}
# Classes that come in pairs are called alike: AsyncClient and Client.
PREFIX = re.compile(r"Async(?=[A-Z])")
# A call that makes a connection gives something to await there, and the connection itself here.
SHAPES = (
    (re.compile(r"\bGenerator\[(\w+), None\]"), r"Generator[\1, None, None]"),
    (re.compile(r"\bCoroutine\[Any, Any, (\w+)\]"), r"\1"),
    (re.compile(r"\bConnecting\[(\w+)\]"), r"\1"),
    (re.compile(r"\bConnecting\(\s*lambda: (.*?\))\s*\)$", re.DOTALL | re.MULTILINE), r"\1"),
    # Only blocking generators delegate.
    (
        re.compile(r"^( *)for (\w+) in (.*):\n +yield \2\n", re.MULTILINE),
        r"\1yield from \3\n",
    ),
    (re.compile(r"^from codex_api\._sync\.connecting import .*\n", re.MULTILINE), ""),
)
# In the order in which they are tried.
PHRASES = (
    (
        "Several event loops may use it, one after another, as with several ``asyncio.run``;",
        "Threads may share it;",
    ),
    (" After a change of the event\n    loop it opens a new connection.", ""),
    ("The asyncio front", "The blocking front"),
    ("outside an ``async with`` it", "outside a ``with`` block it"),
    ("under asyncio", "in blocking code"),
    ("for asyncio", "for blocking code"),
    (
        "To be awaited, or entered with ``async with``; both give the connection.",
        "The connection, which is open. Close it, or use it in a ``with`` block.",
    ),
    ("An ``async with``", "A ``with``"),
    ("an ``async with``", "a ``with``"),
    ("``async with``", "``with``"),
    (" any task of the loop", " any thread"),
    ("tasks", "threads"),
    ("task", "thread"),
)


def translated(source: str) -> str:
    """Return the blocking form of an asynchronous module, not yet formatted."""
    lines = source.splitlines(keepends=True)
    edits: list[tuple[tuple[int, int], tuple[int, int], str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            if token.string in {"async", "await"}:
                edits.append((token.start, (token.end[0], token.end[1] + 1), ""))
                continue
            new = NAMES.get(token.string) or PREFIX.sub("", token.string)
        elif token.type in {tokenize.STRING, tokenize.COMMENT} or _is_text(token):
            new = _phrased(token.string)
        else:
            continue
        if new != token.string:
            edits.append((token.start, token.end, new))
    for start, end, new in reversed(edits):
        before, after = lines[start[0] - 1][: start[1]], lines[end[0] - 1][end[1] :]
        lines[start[0] - 1 : end[0]] = [before + new + after]
    text = "".join(lines)
    for pattern, replacement in SHAPES:
        text = pattern.sub(replacement, text)
    return text


def _is_text(token: tokenize.TokenInfo) -> bool:
    """Tell the words of an f-string, which are tokens of their own since Python 3.12."""
    return tokenize.tok_name[token.type] == "FSTRING_MIDDLE"


def _phrased(text: str) -> str:
    for old, new in PHRASES:
        text = text.replace(old, new)
    return PREFIX.sub("", text)


def generated(into: Path) -> list[Path]:
    """Write all generated modules into a folder, formatted, and return their paths."""
    paths = []
    for path in sorted(SOURCE.rglob("*.py")):
        if path.name in BY_HAND:
            continue
        name = path.relative_to(SOURCE)
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        header = HEADER.format(source=path.relative_to(ROOT).as_posix())
        target.write_text(header + translated(path.read_text("utf-8")), "utf-8")
        paths.append(target)
    ruff = [sys.executable, "-m", "ruff"]
    config = ["--quiet", "--config", str(ROOT / "pyproject.toml")]
    files = [str(path) for path in paths]
    for command in (["check", "--select", "I,F401", "--fix-only"], ["format"]):
        subprocess.run([*ruff, *command, *config, *files], check=True, cwd=ROOT)
    return paths


def main() -> int:
    """Generate, or check with ``--check``."""
    if "--check" not in sys.argv[1:]:
        generated(TARGET)
        return 0
    with tempfile.TemporaryDirectory(dir=ROOT / "src") as scratch:
        paths = generated(Path(scratch))
        wanted = {path.relative_to(scratch): path.read_text("utf-8") for path in paths}
    stale = [
        name
        for name, text in wanted.items()
        if not (TARGET / name).exists() or (TARGET / name).read_text("utf-8") != text
    ]
    left = [
        path.relative_to(TARGET)
        for path in TARGET.rglob("*.py")
        if path.relative_to(TARGET) not in wanted and path.name not in BY_HAND
    ]
    for name in [*stale, *left]:
        sys.stderr.write(f"src/codex_api/_sync/{name} is not up to date: run make generate\n")
    return 1 if stale or left else 0


if __name__ == "__main__":
    sys.exit(main())
