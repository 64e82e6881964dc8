"""Draws the timeline of two recorded streams, for the front page.

``python docs/timeline.py`` draws ``images/stream-timeline.svg`` from ``images/streams.jsonl``; a
test holds the one against the other. ``--record`` records anew, through the client and over a
socket: an answer at the pace of a model, and one that stalls while comments keep the connection
alive, which the client gives up after a second without an event.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from codex_api import Client, Provider, Reasoning, ResponsesApiRequest, RetryConfig, errors
from codex_api.testing import EmbeddedServer, Latency, ServerSettings, faults, scenarios
from codex_api.testing.cassettes import Cassette, RecordingTransport, load
from codex_api.transport import HttpTransport, SSEDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codex_api.testing.cassettes import Exchange

IMAGES = Path(__file__).parent / "images"
RECORDED = IMAGES / "streams.jsonl"
PICTURE = IMAGES / "stream-timeline.svg"

_WIDTH, _LEFT, _RIGHT, _ROW = 860, 92, 24, 26
_HEIGHT_OF_STREAM = 5 * _ROW + 44
_GAP = 0.25
_IDLE = 1.0
_ROWS = {"life": 0, "reasoning": 1, "text": 2, "end": 3}
_COLOURS = {"life": "#64748b", "reasoning": "#7c3aed", "text": "#0369a1", "end": "#15803d"}
_TITLES = (
    "A response, as it came",
    "One that stalls behind keep-alive comments: the clock for events runs out",
)


class Mark(NamedTuple):
    """An event, and the seconds since the request."""

    at: float
    kind: str


def main() -> None:
    """Draw, and record before where that is asked for."""
    if "--record" in sys.argv:
        record()
    PICTURE.write_text(picture())


def record() -> None:
    """Record both streams."""
    latency = Latency(first_event=0.35, tokens_per_second=28, spread=0.4, seed=7)
    request = ResponsesApiRequest(
        model="gpt-5.1-codex",
        input="Tell me what you know of the sea.",
        reasoning=Reasoning(summary="concise"),
    )
    with EmbeddedServer(ServerSettings(latency=latency)) as server:
        recording = RecordingTransport(HttpTransport(), Cassette(RECORDED))
        provider = Provider(
            "recorded",
            server.url,
            stream_idle_timeout=_IDLE,
            retry=RetryConfig(max_attempts=0),
        )
        server.play(scenarios.normal(), scenarios.faulty(faults.comments_only(0.15, after=30)))
        with Client(provider, transport=recording) as client:
            client.responses.stream(request).collect()
            with suppress(errors.IdleTimeoutError):
                client.responses.stream(request).collect()


def picture() -> str:
    """Return the picture as SVG."""
    exchanges = load(RECORDED)
    longest = max(_read(each)[2] for each in exchanges)
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    height = len(exchanges) * _HEIGHT_OF_STREAM + 30
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12" role="img" '
        'aria-label="Timeline of two recorded streams">'
    )
    lines = [head, f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>']
    for number, (title, each) in enumerate(zip(_TITLES, exchanges, strict=True)):
        top = number * _HEIGHT_OF_STREAM + 8
        lines.append(f'<text x="12" y="{top + 14}" font-weight="bold">{title}</text>')
        lines += _stream(each, top + 30, scale)
    lines += _axis(longest, scale, height - 26)
    return "\n".join([*lines, "</svg>", ""])


def _stream(exchange: Exchange, top: float, scale: float) -> Iterator[str]:
    marks, chunks, ended = _read(exchange)
    labels = ("bytes", "response", "reasoning", "text", "outcome")
    for row, label in enumerate(labels):
        y = top + row * _ROW
        yield f'<text x="12" y="{y + 16}" fill="#555">{label}</text>'
        yield (
            f'<line x1="{_LEFT}" y1="{y + _ROW - 2:.0f}" x2="{_WIDTH - _RIGHT}" '
            f'y2="{y + _ROW - 2:.0f}" stroke="#e5e7eb"/>'
        )
    for start, end in pairwise([0.0, *(mark.at for mark in marks), ended]):
        if end - start > _GAP:
            is_last = end == ended and exchange.ending == "left" and not exchange.is_whole
            colour = "#fecaca" if is_last else "#fef3c7"
            x, width = _LEFT + start * scale, (end - start) * scale
            yield (
                f'<rect x="{x:.1f}" y="{top + _ROW:.0f}" width="{width:.1f}" '
                f'height="{3 * _ROW - 2}" fill="{colour}"/>'
            )
            yield (
                f'<text x="{x + width / 2:.1f}" y="{top + 2.6 * _ROW:.1f}" text-anchor="middle" '
                f'fill="#92400e" font-size="11">{end - start:.2f} s</text>'
            )
    for at in chunks:
        yield _tick(_LEFT + at * scale, top + 4, "#94a3b8")
    for mark in marks:
        row = _ROWS[_group(mark.kind)]
        yield _tick(
            _LEFT + mark.at * scale, top + (row + 1) * _ROW + 2, _COLOURS[_group(mark.kind)]
        )
    yield from _outcome(exchange, marks, top, scale, ended)


def _outcome(
    exchange: Exchange, marks: list[Mark], top: float, scale: float, ended: float
) -> Iterator[str]:
    y = top + 4 * _ROW + 16
    first = marks[0].at
    yield (
        f'<text x="{_LEFT + first * scale:.1f}" y="{y:.0f}" fill="#555">'
        f"first event after {first:.2f} s</text>"
    )
    if exchange.is_whole:
        told, colour, at = f"completed: {len(marks)} events", _COLOURS["end"], marks[-1].at
    else:
        told, colour, at = "IdleTimeoutError, retryable", "#b91c1c", ended
        yield _tick(_LEFT + at * scale, top + 4 * _ROW + 2, colour)
    yield (
        f'<text x="{_LEFT + at * scale - 6:.1f}" y="{y:.0f}" text-anchor="end" fill="{colour}" '
        f'font-weight="bold">{told}</text>'
    )


def _read(exchange: Exchange) -> tuple[list[Mark], list[float], float]:
    """Return events, the times of all chunks, and when the stream was over."""
    decoder = SSEDecoder()
    marks: list[Mark] = []
    times: list[float] = []
    at = 0.0
    for chunk in exchange.chunks:
        at += chunk.after
        times.append(at)
        marks += [Mark(at, json.loads(event.data)["type"]) for event in decoder.feed(chunk.data)]
    # The client looks at its clock, not at the next chunk.
    return marks, times, at if exchange.is_whole else marks[-1].at + _IDLE


def _group(kind: str) -> str:
    if kind == "response.completed":
        return "end"
    if "reasoning" in kind:
        return "reasoning"
    return "text" if "output_text" in kind or "content_part" in kind else "life"


def _tick(x: float, y: float, colour: str) -> str:
    return (
        f'<rect x="{x - 1:.1f}" y="{y:.1f}" width="2" height="{_ROW - 8}" fill="{colour}" '
        'fill-opacity="0.75"/>'
    )


def _axis(longest: float, scale: float, y: float) -> Iterator[str]:
    steps = int(longest / 0.5) + 1
    for step in range(steps):
        x = _LEFT + step * 0.5 * scale
        yield f'<line x1="{x:.1f}" y1="{y}" x2="{x:.1f}" y2="{y + 5}" stroke="#555"/>'
        yield f'<text x="{x:.1f}" y="{y + 18}" text-anchor="middle" fill="#555">{step / 2} s</text>'


if __name__ == "__main__":
    main()
