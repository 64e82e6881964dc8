"""Hiding what looks like a credential, also where it came in pieces.

Three kinds are known: values of JSON members named like a credential, keys of the API and signed
tokens wherever they stand, and the query of a URL. A JSON text inside a JSON string counts as well.

A body is cleaned while it comes. A piece is held back as long as its end may be the beginning of a
credential, and so is an event whose delta may be: the deltas of one text are read as one text.
What is replaced stands in the piece where the credential began; the rest of it is left out of the
others, so that every piece stays where it was.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from codex_api.testing.wire import decoded_object

T = TypeVar("T")

REDACTED = "[redacted]"
#: What is held back at most; a longer value is no credential.
MOST_HELD_BYTES = 1 << 20

# Numbers are not touched, so that counts of tokens stay, and neither are names that go on, such as
# ``prompt_cache_key_hash``.
_NAME = (
    r"(?:[a-z0-9_-]*[_-])?(?:api[_-]?key|authorization|bearer|cookie|credentials?"
    r"|(?:access|auth|id|refresh|session|security)[_-]?token|password|private[_-]?key"
    r"|(?:client[_-]?)?secret|signature|turn[_-]?state)"
)
_VALUE = r'(?:[^"\\]|\\.)*'
# Inside a JSON string a quote is \" and a backslash is \\.
_INNER_VALUE = r'(?:[^"\\]|\\\\\\.|\\\\[^\\"]|\\[^\\"])*'
_MEMBER = (
    rf'(?P<head>"{_NAME}"\s*:\s*"){_VALUE}(?P<foot>"|\Z)'
    rf'|(?P<inner_head>\\"{_NAME}\\"\s*:\s*\\"){_INNER_VALUE}(?P<inner_foot>\\"|\Z)'
)
# A text full of beginnings must not take for ever: none begins inside another, or it has a bound.
_KEYS = (
    r"\b(?:sk|ek|rk|sess)[-_][A-Za-z0-9_-]{16,}"
    r"|(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"
)
# Such URLs are signed.
_QUERY = r"""(?P<url>(?<![\w/:.-])https?://[^\s"'<>?\\]{1,2048}\?)[^\s"'<>\\]+"""
_FLAGS = re.IGNORECASE | re.ASCII | re.DOTALL
_KEY = re.compile(_KEYS, re.ASCII)
_SECRET = re.compile(f"{_MEMBER}|(?-i:{_KEYS})|{_QUERY}", _FLAGS)
# What may become one of them with what comes next.
_OPEN = re.compile(
    r"(?-i:\b(?:s|se|ses|sess|sk|e|ek|ey|r|rk)\Z|\b(?:sk|ek|rk|sess)[-_][A-Za-z0-9_-]{0,256}\Z"
    r"|(?<![\w.-])eyJ[\w.-]*\Z)"
    r"""|\bh[tps:/]{0,7}\Z|(?<![\w/:.-])https?://[^\s"'<>\\]{0,4096}\Z"""
    r'|\\+\Z|\\?"[a-z0-9_-]{0,80}\\?\Z'
    rf'|\\?"{_NAME}\\?"\s*:?\s*\\?\Z'
    rf'|"{_NAME}"\s*:\s*"{_VALUE}\\?\Z'
    rf'|\\"{_NAME}\\"\s*:\s*\\"{_INNER_VALUE}\\{{0,3}}\Z',
    _FLAGS,
)
_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LONGEST_BLANK = 4
_DELTA = re.compile(rb'"delta"\s*:\s*"((?:[^"\\]|\\.)*)"', re.DOTALL)
_UNIT = re.compile(rb"\\u[0-9a-fA-F]{4}|\\.|[\xc0-\xff][\x80-\xbf]*|.", re.DOTALL)


def redacted(data: bytes) -> bytes:
    """Return ``data`` with what looks like a credential hidden."""
    text = data.decode("latin-1")  # a byte a character
    return _SECRET.sub(_replacement, text).encode("latin-1")


def _replacement(found: re.Match[str]) -> str:
    named = found.groupdict(default="")
    head = named["head"] or named["inner_head"] or _KEY.sub(REDACTED, named["url"])
    return f"{head}{REDACTED}{_foot(found)}"


def _foot(found: re.Match[str]) -> str:
    return found["foot"] or found["inner_foot"] or ""


def _secrets(text: str, start: int, *, is_over: bool) -> tuple[list[tuple[int, int, str]], int]:
    """Find what is to be replaced, and where a credential may begin that is not all there yet."""
    found: list[tuple[int, int, str]] = []
    while True:
        opened = None if is_over else _OPEN.search(text, start)
        end = len(text) if opened is None else opened.start()
        for each in _SECRET.finditer(text, start):
            if each.start() >= end:
                break
            if each.end() > end and not _foot(each):
                end = each.start()
                break
            found.append((each.start(), each.end(), _replacement(each)))
            start = each.end()
            if start > end:
                break
        if start <= end:
            return found, end


@dataclass(slots=True)
class _Delta:
    """The text of one item as far as it may still be part of a credential.

    Attributes:
        units: The characters.
        spans: Where each stands in the buffer.
    """

    units: list[str] = field(default_factory=list[str])
    spans: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    is_over: bool = False

    def add(self, raw: bytes, at: int) -> None:
        """Add the inside of a JSON string that stands at ``at``."""
        if not self.units and b"\\" not in raw and raw.isascii():
            text = raw.decode()
            if _secrets(text, 0, is_over=False) == ([], len(text)):
                return
        for unit in _UNIT.finditer(raw):
            self.units.append(_character(unit[0]))
            self.spans.append((at + unit.start(), at + unit.end()))


class Redactor(Generic[T]):
    """Cleans the pieces of one body, or the messages of one direction of a WebSocket.

    Args:
        kind: ``plain`` bytes, server-sent ``events``, or ``messages``, of which each piece is one.
    """

    def __init__(self, kind: Literal["plain", "events", "messages"]) -> None:
        self._kind = kind
        # From the first byte that still says something. A piece is given back only as a whole, so
        # the first bytes of the buffer may have left already.
        self._buffer = bytearray()
        self._given: int = 0
        self._pieces: list[tuple[T, int]] = []
        # What comes before `_searched` holds no credential; `_event_at` is the start of the first
        # event that is not complete, and `_blank_from` is where its end may be.
        self._searched: int = 0
        self._event_at: int = 0
        self._blank_from: int = 0
        self._deltas: dict[str, _Delta] = {}

    def feed(self, token: T, data: bytes) -> list[tuple[T, bytes]]:
        """Take a piece, and return those that are clean by now, each with its token."""
        self._pieces.append((token, len(data)))
        self._buffer += data
        return self._cleaned(is_over=False)

    def close(self) -> list[tuple[T, bytes]]:
        """Return the rest; nothing follows."""
        return self._cleaned(is_over=True)

    def _cleaned(self, *, is_over: bool) -> list[tuple[T, bytes]]:
        is_over = is_over or len(self._buffer) - self._given > MOST_HELD_BYTES
        if self._kind == "plain":
            self._search(len(self._buffer), is_over=is_over)
            self._event_at = self._blank_from = self._searched
        else:
            self._read_events(is_over=is_over)
        for name in list(self._deltas):
            self._search_delta(name, is_over=is_over)
        starts = [delta.spans[0][0] for delta in self._deltas.values()]
        given = self._take(min([self._searched, *starts]))
        self._forget()
        return given

    def _search(self, stop: int, *, is_over: bool, masked: tuple[int, int] = (0, 0)) -> None:
        """Look for credentials in the bytes up to ``stop``, but not in those that are masked."""
        base = max(0, self._searched - 1)  # the byte before tells where a word begins
        text = self._buffer[base:stop].decode("latin-1")
        left, right = masked[0] - base, masked[1] - base
        if left > 0:
            text = f"{text[:left]}{' ' * (right - left)}{text[right:]}"
        found, end = _secrets(text, self._searched - base, is_over=is_over)
        self._searched = base + end
        for start, end, new in reversed(found):
            self._replace(base + start, base + end, new.encode("latin-1"))

    def _read_events(self, *, is_over: bool) -> None:
        """Search the events that are complete; their deltas are put aside to be read as one."""
        while True:
            end = len(self._buffer)
            if self._kind == "events":
                blank = _BLANK_LINE.search(self._buffer, self._blank_from)
                self._blank_from = max(self._event_at, end - _LONGEST_BLANK + 1)
                end = blank.end() if blank is not None else end if is_over else self._event_at
            if end == self._event_at:
                return
            start, self._event_at = self._searched, end
            self._blank_from = end
            delta, span = self._read_event(end)
            self._search(end, is_over=True, masked=span)
            # The search may have moved it.
            found = _DELTA.search(self._buffer, start, self._event_at)
            if delta is not None and found is not None:
                delta.add(found[1], found.start(1))

    def _read_event(self, stop: int) -> tuple[_Delta | None, tuple[int, int]]:
        """Find the delta of an event, and where it stands."""
        block = bytes(self._buffer[self._searched : stop])
        found = _DELTA.search(block)
        if found is None and not self._deltas:
            return None, (0, 0)
        event: dict[str, Any] = decoded_object(block[block.find(b"{") : block.rfind(b"}") + 1])
        if found is None or not isinstance(event.get("delta"), str):
            # An item that is over, or a response.
            if str(event.get("type")).endswith((".done", ".completed", ".failed", ".incomplete")):
                for name, delta in self._deltas.items():
                    delta.is_over |= event.get("item_id") in {None, json.loads(name)[1]}
            return None, (0, 0)
        keys = ("type", "item_id", "output_index", "content_index", "summary_index")
        delta = self._deltas.setdefault(json.dumps([event.get(key) for key in keys]), _Delta())
        return delta, (self._searched + found.start(1), self._searched + found.end(1))

    def _search_delta(self, name: str, *, is_over: bool) -> None:
        delta = self._deltas[name]
        text = "".join(delta.units)
        found, end = _secrets(text, 0, is_over=is_over or delta.is_over)
        for start, stop, new in reversed(found):
            encoded = json.dumps(new)[1:-1].encode()
            # From the last character on, since each may stand in an event of its own.
            for at in range(stop - 1, start - 1, -1):
                self._replace(*delta.spans[at], encoded if at == start else b"")
        # What is open lies behind all that was replaced.
        del delta.units[:end], delta.spans[:end]
        if not delta.units:
            del self._deltas[name]

    def _replace(self, start: int, stop: int, new: bytes) -> None:
        """Put ``new`` in the place of a part of the buffer."""
        start, stop = max(start, self._given), max(stop, self._given)
        self._buffer[start:stop] = new
        grown = len(new) - (stop - start)
        at, is_placed = self._given, False
        for number, (token, size) in enumerate(self._pieces):
            lost = max(0, min(stop, at + size) - max(start, at))
            is_here = not is_placed and at <= start < at + size
            is_placed = is_placed or is_here
            self._pieces[number] = (token, size - lost + (len(new) if is_here else 0))
            at += size
        for delta in self._deltas.values():
            delta.spans = [
                (left + grown, right + grown) if left >= stop else (left, right)
                for left, right in delta.spans
            ]
        self._searched += grown if self._searched >= stop else 0
        self._event_at += grown if self._event_at >= stop else 0
        self._blank_from += grown if self._blank_from >= stop else 0

    def _take(self, limit: int) -> list[tuple[T, bytes]]:
        taken: list[tuple[T, bytes]] = []
        while self._pieces and self._given + self._pieces[0][1] <= limit:
            token, size = self._pieces.pop(0)
            taken.append((token, bytes(self._buffer[self._given : self._given + size])))
            self._given += size
        return taken

    def _forget(self) -> None:
        """Drop what nothing refers to."""
        marks = [self._given, self._searched - 1, self._event_at, self._blank_from]
        marks += [delta.spans[0][0] for delta in self._deltas.values()]
        cut = max(0, min(marks))
        if cut:
            del self._buffer[:cut]
            self._given -= cut
            self._searched -= cut
            self._event_at -= cut
            self._blank_from -= cut
            for delta in self._deltas.values():
                delta.spans = [(left - cut, right - cut) for left, right in delta.spans]


def _character(unit: bytes) -> str:
    if unit.startswith(b"\\u"):
        return chr(int(unit[2:].decode(), base=16))
    if unit.startswith(b"\\"):
        return {b"n": "\n", b"r": "\r", b"t": "\t"}.get(unit[1:], unit[1:].decode("latin-1"))
    return unit.decode(errors="replace")[:1]
