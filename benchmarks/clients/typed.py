"""What every client but the library and the official SDK delivers.

The structs are the least that an equivalent of the public event classes needs: the same fields
that the library delivers, decoded in one tagged pass.
"""

from __future__ import annotations

import msgspec

BODY = b'{"model":"bench","input":[{"role":"user","content":"hi"}],"stream":true}'
HEADERS = {
    "authorization": "Bearer bench",
    "content-type": "application/json",
    "accept": "text/event-stream",
}


class Created(msgspec.Struct, frozen=True, tag="response.created", tag_field="type"):
    response: msgspec.Raw


class Delta(msgspec.Struct, frozen=True, tag="response.output_text.delta", tag_field="type"):
    delta: str
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    sequence_number: int | None = None


class Usage(msgspec.Struct, frozen=True):
    input_tokens: int
    output_tokens: int
    total_tokens: int


class Response(msgspec.Struct, frozen=True):
    id: str
    usage: Usage | None = None


class Completed(msgspec.Struct, frozen=True, tag="response.completed", tag_field="type"):
    response: Response


class Failed(msgspec.Struct, frozen=True, tag="response.failed", tag_field="type"):
    response: msgspec.Raw


class Compacted(msgspec.Struct, frozen=True):
    output: list[msgspec.Raw]


Event = Created | Delta | Completed | Failed
decode_event = msgspec.json.Decoder(Event).decode
decode_compacted = msgspec.json.Decoder(Compacted).decode


def data_of(event: bytes) -> bytes:
    """Return what follows ``data: `` in an event of two lines."""
    return event[event.index(b"\ndata: ") + 7 :]


def count_deltas(pieces: list[bytes]) -> int:
    return sum(type(decode_event(data_of(piece))) is Delta for piece in pieces)
