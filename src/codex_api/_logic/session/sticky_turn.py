"""The sticky routing value of a turn (wire.md, Sessions).

The first value of a turn stays for all of it; later ones are ignored, a new turn starts without.
A value belongs to the credentials that it was given to: with others it is as if there were none.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codex_api.transport._core.headers import Headers

# A header line of common servers holds 8 KiB, name included.
MAX_TURN_STATE_BYTES = 8000
_IDENTITY_HEADERS = ("chatgpt-account-id", "authorization", "api-key", "x-api-key")


class StickyTurn:
    """A cell that is set once a turn."""

    __slots__ = ("_owner", "_value")

    def __init__(self) -> None:
        self._value: str | None = None
        self._owner: str | None = None

    def begin_turn(self) -> None:
        """Forget the value: it is never used across turns."""
        self._value = self._owner = None

    def offer(self, value: str | None, owner: str) -> bool:
        """Take ``value`` unless one is there; blank and oversized ones are not taken.

        Args:
            owner: Identity of the credentials that the value was given to.

        Returns:
            Whether it is the turn's value now.
        """
        if self.value_for(owner) is not None or not value or not value.strip():
            return False
        if len(value.encode()) > MAX_TURN_STATE_BYTES or not value.isprintable():
            return False
        self._value, self._owner = value, owner
        return True

    def value_for(self, owner: str) -> str | None:
        """Return the turn's value, or None when there is none for these credentials."""
        return self._value if self._owner == owner else None


def identity(auth_headers: Headers) -> str:
    """Name the credentials in ``auth_headers`` without keeping them.

    An account id outlives a refreshed token, so it counts before the token.
    """
    for name in _IDENTITY_HEADERS:
        value = auth_headers.get(name)
        if value:
            return sha256(f"{name}:{value}".encode()).hexdigest()
    return ""
