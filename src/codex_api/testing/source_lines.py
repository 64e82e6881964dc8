"""Where the keys of a TOML or JSON file stand, so that a message can name the line.

The file has been read before: what is found here is a place, not a mistake, so that texts that are
no TOML or JSON give places that mean little, and nothing worse.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

Path: TypeAlias = tuple[str | int, ...]

_HEADER = re.compile(r"(\[\[?)([^\]\n]+)\]")
_KEY = re.compile(r"""("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+)""")
_SPACE = re.compile(r"(?:[\s,]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL
)
_SCALAR = re.compile(r"[^\s,\]\}#]+(?: [0-9:.Z+-]+)?")


def lines_of(text: str, kind: Literal["toml", "json"]) -> dict[Path, int]:
    """Return the line of each key and element, counted from 1."""
    places = _Places(text, "=" if kind == "toml" else ":")
    if kind == "json":
        places.value(())
    else:
        places.tables()
    return places.found


class _Places:
    def __init__(self, text: str, sign: str) -> None:
        self.found: dict[Path, int] = {(): 1}
        self._text = text
        self._sign = sign
        self._at = 0

    def tables(self) -> None:
        """Read a whole TOML file."""
        table: Path = ()
        counts: dict[Path, int] = {}
        while self._next():
            header: re.Match[str] | None = _HEADER.match(self._text, self._at)
            if header is None:
                if not self._pair(table):
                    self._at += 1
                continue
            keys: list[str] = _KEY.findall(header[2])
            names = [key.strip("\"' ") for key in keys]
            table = ()
            for at, name in enumerate(names):
                table = (*table, name)
                if at == len(names) - 1 and header[1] == "[[":
                    self.found.setdefault(table, self._line())
                    counts[table] = counts.get(table, -1) + 1
                if table in counts:
                    table = (*table, counts[table])
            self.found[table] = self._line()
            self._at = header.end() + (header[1] == "[[")

    def value(self, path: Path) -> None:
        """Read one value."""
        self._next()
        start = self._text[self._at : self._at + 1]
        if start == "{":
            self._at += 1
            while self._next() and not self._closes("}"):
                if not self._pair(path):
                    return
        elif start == "[":
            self._at += 1
            number = 0
            while self._next() and not self._closes("]"):
                before = self._at
                self.found[(*path, number)] = self._line()
                self.value((*path, number))
                number += 1
                if self._at == before:
                    return
        else:
            found = _STRING.match(self._text, self._at) or _SCALAR.match(self._text, self._at)
            self._at = self._at if found is None else found.end()

    def _pair(self, path: Path) -> bool:
        """Read a key and its value."""
        while True:
            found = _KEY.match(self._text, self._at)
            if found is None:
                return False
            path = (*path, found[1].strip("\"'"))
            self.found.setdefault(path, self._line())
            self._at = found.end()
            self._next()
            sign = self._text[self._at : self._at + 1]
            self._at += 1
            if sign == self._sign:
                self.value(path)
                return True
            if sign != ".":
                return False
            self._next()

    def _closes(self, bracket: str) -> bool:
        if self._text.startswith(bracket, self._at):
            self._at += 1
            return True
        return False

    def _next(self) -> bool:
        """Go on to what is no space, and return whether there is something."""
        space = _SPACE.match(self._text, self._at)
        self._at = self._at if space is None else space.end()
        return self._at < len(self._text)

    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1
