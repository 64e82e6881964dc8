"""``/images/generations`` and ``/images/edits``: real PNG files of the size asked for.

The colours of a picture come from its prompt. Pictures to edit are read from forms, data URLs and
kept files; what an http URL points to is not fetched. Every answer is a PNG, whatever
``output_format`` asks for, and says so. Streams have parts of the first picture, then each picture.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from codex_api.testing.faults import apply
from codex_api.testing.server.checks import (
    as_objects,
    json_body,
    known_keys,
    non_empty,
    one_of,
    optional,
)
from codex_api.testing.server.drawing import (
    DEFAULT_SIZE,
    MAX_PARTIAL,
    drawn,
    partly_drawn,
    wanted_size,
)
from codex_api.testing.server.event_stream import EventStream
from codex_api.testing.server.multipart import form_fields, is_form
from codex_api.testing.server.png import size_of
from codex_api.testing.server.problems import (
    RequestProblem,
    invalid_type,
    invalid_value,
    missing,
    not_found,
)
from codex_api.testing.server.tokens import count_tokens
from codex_api.testing.steps import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from codex_api.testing.recording import RecordedRequest
    from codex_api.testing.scenarios import Scenario
    from codex_api.testing.server.state import ServerState
    from codex_api.testing.wire import JsonObject

MAX_COUNT = 10

_KEYS = frozenset(
    {
        "prompt",
        "background",
        "complexity",
        "frame_count",
        "frame_duration_ms",
        "model",
        "moderation",
        "n",
        "output_compression",
        "output_format",
        "partial_images",
        "quality",
        "response_format",
        "safety_identifier",
        "size",
        "stream",
        "style",
        "svg",
        "user",
    }
)
_EDIT_KEYS = _KEYS | {"images", "input_fidelity", "mask", "markup"}
# Older names stand for what came after them.
_QUALITIES = {
    "auto": "medium",
    "standard": "medium",
    "hd": "high",
    **{name: name for name in ("low", "medium", "high", "xhigh", "max")},
}
_FILES = frozenset({"image", "mask", "markup"})
_NUMBERS = frozenset(
    {"frame_count", "frame_duration_ms", "n", "output_compression", "partial_images"}
)
_BACKGROUNDS = frozenset({"transparent", "opaque", "auto"})
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")


class Images:
    """The endpoints of pictures."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def routes(self) -> list[BaseRoute]:
        """Return the routes below the base path."""
        return [
            Route("/images/generations", self.generate, methods=["POST"]),
            Route("/images/edits", self.edit, methods=["POST"]),
        ]

    async def generate(self, http: Request) -> Response:
        """Draw a picture for a prompt."""
        body = json_body(http.state.recorded)
        known_keys(body, _KEYS)
        return self._answer(http, "image_generation", body, DEFAULT_SIZE)

    async def edit(self, http: Request) -> Response:
        """Draw a picture of the size of the first one given, in a form or as JSON."""
        if is_form(http.state.recorded):
            body, pictures = _form(http.state.recorded)
            sizes = [_size(data, param) for param, data in pictures]
        else:
            body = json_body(http.state.recorded)
            sizes = [
                self._source_size(image, f"images[{at}].")
                for at, image in enumerate(as_objects(body.get("images") or [], "images"))
            ]
        known_keys(body, _EDIT_KEYS)
        if not sizes:
            param = "images"
            raise missing(param)
        return self._answer(http, "image_edit", body, sizes[0] or DEFAULT_SIZE)

    def _answer(
        self, http: Request, kind: str, body: JsonObject, default_size: tuple[int, int]
    ) -> Response:
        whole = self._drawn(body, default_size)
        scenario: Scenario = http.state.scenario
        partial: int = optional(body, "partial_images", int) or 0
        if not 0 <= partial <= MAX_PARTIAL:
            param, message = "partial_images", f"it must be from 0 to {MAX_PARTIAL}."
            raise invalid_value(param, message)
        if not optional(body, "stream", bool):
            return JSONResponse(whole)
        events = (Event(event) for event in _events(kind, body["prompt"], partial, whole))
        return EventStream(self._state, apply(events, scenario.faults), {}, scenario.head_gate)

    def _drawn(self, body: JsonObject, default_size: tuple[int, int]) -> JsonObject:
        prompt = non_empty(body, "prompt")
        optional(body, "model", str)
        quality = _QUALITIES[one_of(body, "quality", _QUALITIES) or "auto"]
        background = one_of(body, "background", _BACKGROUNDS) or "auto"
        count: int = optional(body, "n", int) or 1
        if not 1 <= count <= MAX_COUNT:
            param, message = "n", f"it must be from 1 to {MAX_COUNT}."
            raise invalid_value(param, message)
        width, height = wanted_size(optional(body, "size", str), default_size)
        is_transparent = background == "transparent"
        pictures = [
            drawn(prompt, (width, height), number, is_transparent=is_transparent)
            for number in range(count)
        ]
        spent = count_tokens(prompt)
        made = count * (width * height // 4096 + 1)
        return {
            "created": int(self._state.clock()),
            "data": [{"b64_json": each} for each in pictures],
            "background": "opaque" if background == "auto" else background,
            "output_format": "png",
            "quality": quality,
            "size": f"{width}x{height}",
            "usage": {
                "input_tokens": spent,
                "input_tokens_details": {"image_tokens": 0, "text_tokens": spent},
                "output_tokens": made,
                "total_tokens": spent + made,
            },
        }

    def _source_size(self, image: JsonObject, where: str) -> tuple[int, int] | None:
        if image.get("file_id") is not None:
            return _size(self._content(non_empty(image, "file_id", where)), f"{where}file_id")
        url = non_empty(image, "image_url", where)
        if url.startswith(("https://", "http://")):
            return None
        media_type, _, data = url.partition(";base64,")
        try:
            raw = base64.b64decode(data, validate=True)
        except binascii.Error:
            raw = b""
        return _size(raw if media_type.startswith("data:image/") else b"", f"{where}image_url")

    def _content(self, file_id: str) -> bytes:
        if file_id not in self._state.files:
            raise not_found("File", file_id)
        return self._state.files[file_id].content


def _size(data: bytes, param: str) -> tuple[int, int] | None:
    if not data.startswith(_SIGNATURES):
        message = "The image data you provided does not represent a valid image."
        raise RequestProblem(400, message, "invalid_image", param)
    return size_of(data)


def _form(request: RecordedRequest) -> tuple[JsonObject, list[tuple[str, bytes]]]:
    """Return the parameters of a form, and its pictures to edit with the names of their fields."""
    body: JsonObject = {}
    pictures: list[tuple[str, bytes]] = []
    for field in form_fields(request):
        name, bracket, inner = field.name.partition("[")
        if name in _FILES:
            pictures += [(field.name, field.data)] if name == "image" else []
        elif bracket:
            body[name] = {**body.get(name, {}), inner.rstrip("]"): field.text}
        elif name == "stream":
            body[name] = field.text == "true"
        elif name in _NUMBERS:
            body[name] = _number(name, field.text)
        else:
            body[name] = field.text
    return body, pictures


def _number(name: str, text: str) -> int:
    if not text.isdecimal():
        raise invalid_type(name, "an integer", text)
    return int(text)


def _events(kind: str, prompt: str, partial: int, whole: JsonObject) -> Iterator[JsonObject]:
    """Return the events of a streamed answer: parts of the first picture, then each picture."""
    shown = {key: whole[key] for key in ("background", "output_format", "quality", "size")}
    shown["created_at"] = whole["created"]
    size = wanted_size(whole["size"])
    for number in range(partial):
        part = {"partial_image_index": number, "b64_json": partly_drawn(prompt, size, number)}
        yield {"type": f"{kind}.partial_image", **part, **shown}
    for each in whole["data"]:
        yield {"type": f"{kind}.completed", **each, **shown, "usage": whole["usage"]}
