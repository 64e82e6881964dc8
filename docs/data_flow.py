"""Draws the way of a streamed call through the library.

``python -m docs.data_flow`` writes ``images/data-flow.svg``; a test holds the file against this
script. Each box names what the code has at that place: a name that is gone fails to be looked up,
and each is drawn in the layer that its module belongs to.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURE = Path(__file__).parent / "images" / "data-flow.svg"

_WIDTH, _BOX, _HIGH, _BAND = 860, 190, 44, 84
_TOP = 46
#: From top to bottom, with the packages that each has.
LAYERS = {
    "your program": (),
    "fronts": ("codex_api._async", "codex_api._sync"),
    "logic, no I/O": ("codex_api._logic",),
    "transport": ("codex_api.transport",),
    "the network": (),
}
_FILLS = ("#ffffff", "#eef2f7", "#eaf6ea", "#fdf3e1", "#ffffff")


class Box(NamedTuple):
    """Something on the way: where it is defined, what it does, and its column."""

    name: str
    does: str
    column: int
    where: str | None = None
    layer: str | None = None


BOXES = (
    Box("request", "typed values, or your bytes", 0, layer="your program"),
    Box("for event in stream", "pulls, so nothing piles up", 2, layer="your program"),
    Box("AsyncResponses", "signature and docstring", 0, "codex_api._async.responses"),
    Box("Runner", "does what is decided", 1, "codex_api._async.runner"),
    Box("AsyncResponseStream", "one reader, one end", 2, "codex_api._async.response_stream"),
    Box("stream_call", "encodes once, names limits", 0, "codex_api._logic.endpoints.responses"),
    Box("ResponseStreamMachine", "two clocks, one outcome", 2, "codex_api._logic.incoming.machine"),
    Box("open_stream", "decides on retries", 0, "codex_api.transport._core.flow"),
    Box("AsyncHttpTransport", "pool, TLS, proxies", 1, "codex_api.transport"),
    Box("SSEDecoder", "bytes to payloads", 2, "codex_api.transport"),
    Box("the server", "HTTP/1.1, chunk by chunk", 1, layer="the network"),
)
#: What goes from one to the next.
ARROWS = (
    ("request", "AsyncResponses", ""),
    ("AsyncResponses", "stream_call", "call"),
    ("stream_call", "open_stream", "prepared request"),
    ("open_stream", "Runner", "effects"),
    ("Runner", "AsyncHttpTransport", "request"),
    ("AsyncHttpTransport", "the server", "bytes"),
    ("AsyncHttpTransport", "SSEDecoder", "chunks"),
    ("SSEDecoder", "ResponseStreamMachine", "payloads"),
    ("ResponseStreamMachine", "AsyncResponseStream", "events"),
    ("AsyncResponseStream", "for event in stream", "events, or the error"),
)


def layer_of(box: Box) -> int:
    """Return the number of a box's layer.

    Raises:
        LookupError: What it names is not where it says, or in no layer.
    """
    names = list(LAYERS)
    if box.where is None:
        return names.index(box.layer or "")
    if not hasattr(import_module(box.where), box.name):
        message = f"{box.where} has no {box.name}"
        raise LookupError(message)
    for number, packages in enumerate(LAYERS.values()):
        if any(f"{box.where}.".startswith(f"{package}.") for package in packages):
            return number
    message = f"{box.where} is in no layer of the picture"
    raise LookupError(message)


def picture() -> str:
    """Return the picture as SVG."""
    height = _TOP + len(LAYERS) * _BAND
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="12" role="img" '
        'aria-label="The way of a streamed call through the layers">\n'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>'
    )
    lines = [head, f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>']
    for x, told in ((230, "what you ask goes down"), (720, "what comes goes up, when you pull")):
        lines.append(f'<text x="{x}" y="24" text-anchor="middle" font-weight="bold">{told}</text>')
    for number, (name, fill) in enumerate(zip(LAYERS, _FILLS, strict=True)):
        y = _TOP + number * _BAND
        lines.append(f'<rect x="0" y="{y}" width="{_WIDTH}" height="{_BAND}" fill="{fill}"/>')
        lines.append(f'<text x="10" y="{y + _BAND / 2 + 4:.0f}" fill="#555">{name}</text>')
    places = {box.name: _place(box) for box in BOXES}
    lines += _arrows(places)
    for box in BOXES:
        x, y = places[box.name]
        lines.append(
            f'<rect x="{x - _BOX / 2:.0f}" y="{y - _HIGH / 2:.0f}" width="{_BOX}" '
            f'height="{_HIGH}" rx="8" fill="#fff" stroke="#333"/>'
        )
        lines.append(
            f'<text x="{x}" y="{y - 3}" text-anchor="middle" font-weight="bold">{box.name}</text>'
        )
        lines.append(
            f'<text x="{x}" y="{y + 13}" text-anchor="middle" fill="#444" font-size="11">'
            f"{box.does}</text>"
        )
    return "\n".join([*lines, "</svg>", ""])


def _place(box: Box) -> tuple[int, int]:
    return 230 + box.column * 245, _TOP + layer_of(box) * _BAND + _BAND // 2


def _arrows(places: dict[str, tuple[int, int]]) -> Iterator[str]:
    for start, end, label in ARROWS:
        (x1, y1), (x2, y2) = places[start], places[end]
        if x1 == x2:
            step = _HIGH // 2 if y2 > y1 else -_HIGH // 2
            (ax, ay), (bx, by) = (x1, y1 + step), (x2, y2 - step)
        else:
            (ax, ay), (bx, by) = (x1 + _BOX // 2, y1), (x2 - _BOX // 2, y2)
        yield (
            f'<path d="M{ax},{ay} L{bx},{by}" fill="none" stroke="#555" marker-end="url(#tip)"/>'
        )
        if label:
            at = 'text-anchor="start"' if x1 == x2 else 'text-anchor="middle"'
            x = ax + 6 if x1 == x2 else (ax + bx) // 2
            y = (ay + by) // 2 + (4 if x1 == x2 else -6)
            yield (
                f'<text x="{x}" y="{y}" {at} fill="#333" font-size="11" stroke="#fff" '
                f'stroke-width="3" paint-order="stroke">{label}</text>'
            )


if __name__ == "__main__":
    PICTURE.write_text(picture())
