"""Header fields: case-insensitive, ordered, several values a name.

Names are kept in lower case, which is how they go on the wire. A layer replaces the whole list of
a name (``merge``) or only adds names that are absent (``fill``); it never mixes the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, KeysView, Mapping, Sequence
from functools import cache, lru_cache, partial

from codex_api.transport.errors import RequestBuildError

HeaderSource = Mapping[str, str] | Sequence[tuple[str, str]]

# RFC 9110: a token, and field content without control characters.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# An abstract class is asked slowly, and mappings are mostly this one.
_MAPPINGS = (dict, Mapping)
_new = object.__new__
# They frame a message or belong to its connection, so only the transport knows their values.
_OF_THE_CONNECTION = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Names whose values are known to hold no credential and nothing of a person. Everything else is
# hidden: a name says nothing about what a gateway puts into it.
_HARMLESS = cache(
    partial(
        re.compile,
        r"accept|accept-encoding|accept-ranges|cache-control|connection|content-encoding|content-length"
        r"|content-type|date|etag|expires|last-modified|openai-beta|openai-model|openai-processing-ms"
        r"|openai-version|originator|retry-after|retry-after-ms|server|strict-transport-security"
        r"|transfer-encoding|upgrade|user-agent|vary|version|x-codex-beta-features"
        r"|x-content-type-options|x-models-etag|x-reasoning-included|x-request-id|x-oai-request-id"
        r"|x-should-retry|x-stainless-[a-z-]+|(?:x-|anthropic-)?ratelimit-.*"
        r"|x-[a-z0-9-]+-(?:primary|secondary)-(?:used-percent|window-minutes|reset-at)"
        r"|x-[a-z0-9-]+-limit-name|x-codex-credits-(?:has-credits|unlimited|balance)",
    )
)


def is_harmless(name: str) -> bool:
    """Return whether the values of the field ``name`` may be shown and recorded."""
    return _HARMLESS().fullmatch(name.lower()) is not None


class Headers:
    """An ordered multi-map of header fields.

    Raises:
        RequestBuildError: A name or value is not legal; the value is not in the text.
    """

    __slots__ = ("_fields",)

    def __init__(self, source: HeaderSource | Headers | None = None) -> None:
        # Tuples, so that a copy is one dictionary's copy: requests are copied at every attempt.
        self._fields: dict[str, tuple[str, ...]] = {}
        if source is None:
            return
        if isinstance(source, Headers):
            self._fields = source._fields.copy()
        elif isinstance(source, _MAPPINGS):
            for name, value in source.items():
                self.add(name, value)
        else:
            for name, value in source:
                self.add(name, value)

    @classmethod
    def lenient(cls, pairs: Iterable[tuple[str, str]]) -> Headers:
        """Build headers and skip every pair that is not legal (wire.md, Authorization)."""
        headers = cls()
        for name, value in pairs:
            if _NAME.match(name) and not _BAD_VALUE.search(value):
                headers._append(name.lower(), value)
        return headers

    @classmethod
    def received(cls, pairs: Iterable[tuple[str, str]]) -> Headers:
        """Take over fields that an HTTP engine has found legal. White space around values goes."""
        headers = _new(cls)
        fields: dict[str, tuple[str, ...]] = {}
        headers._fields = fields
        for name, value in pairs:
            lower, inner = name.lower(), value.strip(" \t")
            fields[lower] = (*fields[lower], inner) if lower in fields else (inner,)
        return headers

    def names(self) -> KeysView[str]:
        """Return the names, in lower case."""
        return self._fields.keys()

    def lines(self) -> list[str]:
        """Return the lines of a head, without their ends; values are not checked again."""
        return [f"{name}: {value}" for name, values in self._fields.items() for value in values]

    def joined(self, name: str) -> str | None:
        """Return the values of ``name``, in lower case, as one list; None when it is absent."""
        values = self._fields.get(name)
        return None if values is None else values[0] if len(values) == 1 else ",".join(values)

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()][0]

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self._fields == other._fields

    __hash__: None = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        shown = (
            (name, value if is_harmless(name) else "[redacted]") for name, value in self.items()
        )
        return f"Headers({list(shown)!r})"

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first value of ``name``, or ``default`` when it is absent."""
        values = self._fields.get(name.lower())
        return values[0] if values else default

    def get_all(self, name: str) -> list[str]:
        """Return every value of ``name``, in order; empty when it is absent."""
        return list(self._fields.get(name.lower(), ()))

    def items(self) -> Iterator[tuple[str, str]]:
        """Iterate over name and value, a pair for each value."""
        for name, values in self._fields.items():
            for value in values:
                yield name, value

    def set(self, name: str, value: str) -> None:
        """Replace all values of ``name``; a present name keeps its place.

        Raises:
            RequestBuildError: The name or value is not legal.
        """
        self._fields[_checked(name, value)] = (value,)

    def add(self, name: str, value: str) -> None:
        """Add one more value of ``name``.

        Raises:
            RequestBuildError: The name or value is not legal.
        """
        self._append(_checked(name, value), value)

    def remove(self, name: str) -> None:
        """Remove ``name`` if it is there."""
        self._fields.pop(name.lower(), None)

    def move_to_end(self, name: str) -> None:
        """Make ``name`` the last field if it is there."""
        lower = name.lower()
        if values := self._fields.pop(lower, None):
            self._fields[lower] = values

    def merge(self, other: HeaderSource | Headers | None) -> None:
        """Lay ``other`` on top: each of its names replaces the whole list here."""
        if other is None:
            return
        self._fields.update((other if isinstance(other, Headers) else Headers(other))._fields)

    def fill(self, other: HeaderSource | Headers | None) -> None:
        """Lay ``other`` below: only names that are absent here are taken."""
        if other is None:
            return
        layer = other if isinstance(other, Headers) else Headers(other)
        fields = self._fields
        # The names that are here keep their place and their values.
        self._fields = {**fields, **layer._fields, **fields}

    def filled(self, other: Headers) -> Headers:
        """Return an independent copy with ``other`` laid below."""
        filled = _new(Headers)
        fields = self._fields
        filled._fields = {**fields, **other._fields, **fields}
        return filled

    def refuse_connection_fields(self) -> None:
        """Refuse fields that frame a message or belong to its connection.

        Raises:
            RequestBuildError: One of them is there: the request would say something else than what
                is sent.
        """
        if _OF_THE_CONNECTION.isdisjoint(self._fields):
            return
        name = next(name for name in self._fields if name in _OF_THE_CONNECTION)
        message = f"header {name!r} belongs to the connection, and cannot be set by the caller"
        raise RequestBuildError(message)

    def copy(self) -> Headers:
        """Return an independent copy."""
        copied = _new(Headers)
        copied._fields = self._fields.copy()
        return copied

    def _append(self, name: str, value: str) -> None:
        self._fields[name] = (*self._fields.get(name, ()), value)


def _checked(name: str, value: str) -> str:
    if not isinstance(name, str) or not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        message = f"header {str(name)[:64]!r} must be text, not {type(value).__name__}"
        raise RequestBuildError(message)
    lower = _lower(name)
    if not value.isprintable() and _BAD_VALUE.search(value):
        message = f"illegal value for header {lower!r}: control characters are not allowed"
        raise RequestBuildError(message)
    return lower


# The names in use are few and come again with every request.
@lru_cache(maxsize=512)
def _lower(name: str) -> str:
    if not _NAME.match(name):
        message = f"illegal header name: {name[:64]!r}"
        raise RequestBuildError(message)
    return name.lower()
