"""The SSE decoder alone, bytes to events with no JSON, against that of the official SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openai._streaming import SSEDecoder as OpenAIDecoder

from benchmarks.canned import delta_json, sse_event
from benchmarks.harness import Table, Variant, measure
from codex_api.transport import SSEDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.server import Origins

_EVENTS = 6400


def _split(chunks: list[bytes]) -> int:
    return sum(len(chunk.split(b"\n\n")) - 1 for chunk in chunks)


def _ours(chunks: list[bytes]) -> int:
    decoder = SSEDecoder()
    count = 0
    for chunk in chunks:
        for _ in decoder.feed(chunk):
            count += 1
    return count


def _official(chunks: list[bytes]) -> int:
    return sum(1 for _ in OpenAIDecoder().iter_bytes(iter(chunks)))


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    del origins
    data = b"".join(sse_event(delta_json(" quick", number)) for number in range(_EVENTS))
    one = [sse_event(delta_json(" quick", number)) for number in range(_EVENTS)]
    shapes = {
        "1 a chunk": one,
        "64 a chunk": [b"".join(one[at : at + 64]) for at in range(0, _EVENTS, 64)],
        "chunks of 100 bytes": [data[at : at + 100] for at in range(0, len(data), 100)],
    }
    for shape, chunks in shapes.items():
        variants = [
            Variant("bytes.split", lambda chunks=chunks: (_split(chunks), _EVENTS)[1]),
            Variant("codex-api", lambda chunks=chunks: _ours(chunks)),
            Variant("openai", lambda chunks=chunks: _official(chunks)),
        ]
        figures = measure(variants, repetitions=repetitions)
        yield Table(f"SSE decoder alone, {shape}, CPU", "us/event", figures)
