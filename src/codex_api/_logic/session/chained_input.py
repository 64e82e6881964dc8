"""Which part of a request's input the server does not hold yet (wire.md, Sessions).

The comparison is on encoded bytes, and only on those that the two inputs do not share, so it is
exact: nothing is decoded and no item is looked at one by one. Items are JSON objects, and no
object's text is the beginning of another's, so a byte prefix that ends where an item ends is an
item prefix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from codex_api._logic.session.input_json import NOTHING

if TYPE_CHECKING:
    from codex_api._logic.session.input_json import InputJson


class Continuation(NamedTuple):
    """What to send instead of the whole input."""

    previous_response_id: str
    input: bytes


class ChainedInput:
    """What the server holds after the last response that finished on a connection.

    Everything here is the compact JSON that goes on the wire. ``fields`` is the request without
    input and client metadata: when one of them changed, the server must get the whole input.
    """

    __slots__ = ("_fields", "_input", "_outputs", "_response_id")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next request sends its whole input."""
        self._fields = b""
        self._input = NOTHING
        self._outputs: list[tuple[bytes, ...]] = []
        self._response_id: str | None = None

    def begin(self, fields: bytes, input_json: InputJson) -> None:
        """Note a request that is being sent; ``input_json`` is its whole input."""
        self._fields = fields
        self._input = input_json
        self._outputs = []
        self._response_id = None

    def add_output(self, *forms: bytes) -> None:
        """Note an item that the response finished, in each form that a caller may send it back."""
        self._outputs.append(forms)

    def complete(self, response_id: str) -> None:
        """Note that the response came to its end: from here on it can be continued."""
        self._response_id = response_id

    def continuation(self, fields: bytes, input_json: InputJson) -> Continuation | None:
        """Return what is new in ``input_json``, or None when the whole input must be sent."""
        if not self._response_id or fields != self._fields:
            return None
        new = self._new(input_json)
        return None if new is None else Continuation(self._response_id, b"[" + new)

    def _new(self, input_json: InputJson) -> bytes | None:
        """Return the items that are new, and the closing bracket."""
        rest = input_json.after(self._input)
        if rest is None:
            return None
        at, is_first = 0, self._input.size == NOTHING.size
        for forms in self._outputs:
            at += not is_first  # over the comma; where the input ends instead, no form follows
            size = next((len(form) for form in forms if rest.startswith(form, at)), None)
            if size is None:
                return None
            at, is_first = at + size, False
        if is_first:
            return rest
        return rest[at:].removeprefix(b",") if rest.startswith((b",", b"]"), at) else None
