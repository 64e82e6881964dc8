"""Which part of a request's input the server does not hold yet (wire.md, Sessions).

The comparison is on encoded bytes, so it is exact and costs one look at memory: nothing is decoded
and no item is looked at one by one. Items are JSON objects, and no object's text is the beginning
of another's, so a byte prefix that ends where an item ends is an item prefix.
"""

from __future__ import annotations

from typing import NamedTuple


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
        self._input = b"[]"
        self._outputs: list[tuple[bytes, ...]] = []
        self._response_id: str | None = None

    def begin(self, fields: bytes, input_json: bytes) -> None:
        """Note a request that is being sent; ``input_json`` is its whole input, a JSON array."""
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

    def continuation(self, fields: bytes, input_json: bytes) -> Continuation | None:
        """Return what is new in ``input_json``, or None when the whole input must be sent."""
        if not self._response_id or fields != self._fields:
            return None
        end = self._end_of_known(input_json)
        if end is None:
            return None
        return Continuation(self._response_id, b"[" + input_json[end:].removeprefix(b","))

    def _end_of_known(self, input_json: bytes) -> int | None:
        known = self._input[:-1]
        if not input_json.startswith(known):
            return None
        end = len(known)
        for forms in self._outputs:
            start = end if end == 1 else end + 1
            if end != 1 and input_json[end:start] != b",":
                return None
            size = next((len(form) for form in forms if input_json.startswith(form, start)), None)
            if size is None:
                return None
            end = start + size
        return end if end == 1 or input_json[end : end + 1] in {b",", b"]"} else None
