"""TOML files whose errors name the file, the line and the key, and never a value.

``tomllib`` gives values without their places. The line of a key is found again in the text, by its
table's header and its name; a key that only a multi-line string seems to hold is the one mistake
that this can make, and costs a wrong number in a message.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, TypeVar

import msgspec

from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")

_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")
_PLACE = re.compile(r" - at `\$\.?(.*)`$")


class TomlFile:
    """One file that was read.

    Attributes:
        path: Where it is.
        values: Its content; empty when there is no such file.
    """

    __slots__ = ("_text", "path", "values")

    def __init__(self, path: Path) -> None:
        """Read ``path``; a missing file is an empty one.

        Raises:
            RequestBuildError: It cannot be read, or is no TOML.
        """
        self.path: Path = path
        self._text = ""
        try:
            # Editors of Windows put a byte order mark there.
            self._text = path.read_bytes().decode("utf-8-sig")
            self.values: dict[str, object] = tomllib.loads(self._text)
        except (FileNotFoundError, NotADirectoryError):
            self.values = {}
        except UnicodeDecodeError:
            message = f"{path}: this is not UTF-8"
            raise RequestBuildError(message) from None
        except OSError as exc:
            message = f"{path}: cannot be read: {exc.strerror or type(exc).__name__}"
            raise RequestBuildError(message) from exc
        except tomllib.TOMLDecodeError as exc:
            message = f"{path}: {exc}"
            raise RequestBuildError(message) from None
        except RecursionError:
            message = f"{path}: this is nested too deep to be read"
            raise RequestBuildError(message) from None

    def table(self, *keys: str) -> dict[str, object]:
        """Return the table at ``keys``; empty when it is not there.

        Raises:
            RequestBuildError: Something else than a table is there.
        """
        found = self.values
        for depth, key in enumerate(keys, 1):
            try:
                found = msgspec.convert(found.get(key, {}), dict[str, object])
            except msgspec.ValidationError:
                raise self.error(keys[:depth], "a table is wanted here") from None
        return found

    def read(self, kind: type[T], *keys: str) -> T:
        """Read the table at ``keys`` into ``kind``.

        Raises:
            RequestBuildError: A value is of the wrong type, or unknown.
        """
        try:
            return msgspec.convert(self.table(*keys), kind)
        except msgspec.ValidationError as exc:
            raise self._refused(keys, str(exc)) from None

    def _refused(self, keys: tuple[str, ...], message: str) -> RequestBuildError:
        place = _PLACE.search(message)
        inner: list[str] = []
        if place is not None:
            message = message[: place.start()]
            inner = [part for part in place[1].replace("[...]", "").split(".") if part]
        unknown = re.search(r"unknown field `(.*)`$", message)
        if unknown is not None:
            return self.error((*keys, *inner, unknown[1]), "there is no such setting")
        message = message.replace(" | null", "")  # TOML has no null
        return self.error((*keys, *inner), message[:1].lower() + message[1:])

    def error(self, keys: tuple[str, ...], message: str) -> RequestBuildError:
        """Make the error for the value at ``keys``."""
        return RequestBuildError(f"{self.place(*keys)}, {'.'.join(keys)}: {message}")

    def place(self, *keys: str) -> str:
        """Return the file and the line of the value at ``keys``, or of the nearest table above."""
        lines = self._lines()
        for length in range(len(keys), 0, -1):
            if (line := lines.get(keys[:length])) is not None:
                return f"{self.path}, line {line}"
        return str(self.path)

    def _lines(self) -> dict[tuple[str, ...], int]:
        found: dict[tuple[str, ...], int] = {}
        table: tuple[str, ...] = ()
        for number, line in enumerate(self._text.splitlines(), 1):
            if header := _HEADER.match(line):
                table = _parts(header[1])
                found.setdefault(table, number)
            elif key := _KEY.match(line):
                found.setdefault((*table, *_parts(key[1])), number)
        return found


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
