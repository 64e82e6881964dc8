"""``/images/generations`` and ``/images/edits``: real PNG files of the size asked for.

The colours of a picture come from its prompt. Pictures to edit are read from data URLs; what an
http URL points to is not fetched.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from codex_api.testing.server.checks import (
    as_objects,
    json_body,
    known_keys,
    non_empty,
    one_of,
    optional,
)
from codex_api.testing.server.drawing import DEFAULT_SIZE, drawn, wanted_size
from codex_api.testing.server.png import size_of
from codex_api.testing.server.problems import RequestProblem, invalid_value, missing
from codex_api.testing.server.tokens import count_tokens

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from codex_api.testing.server.state import ServerState
    from codex_api.testing.wire import JsonObject

MAX_COUNT = 10

_KEYS = frozenset({"prompt", "background", "model", "n", "quality", "size"})
_SDK_KEYS = frozenset({"output_format", "output_compression", "moderation", "user", "stream"})
_QUALITIES = frozenset({"low", "medium", "high", "auto"})
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
        known_keys(body, _KEYS | _SDK_KEYS)
        return JSONResponse(self._drawn(body, DEFAULT_SIZE))

    async def edit(self, http: Request) -> Response:
        """Draw a picture of the size of the first one given."""
        body = json_body(http.state.recorded)
        known_keys(body, _KEYS | _SDK_KEYS | {"images"})
        if not body.get("images"):
            param = "images"
            raise missing(param)
        sizes = [
            _source_size(image, f"images[{at}].")
            for at, image in enumerate(as_objects(body["images"], "images"))
        ]
        return JSONResponse(self._drawn(body, sizes[0] or DEFAULT_SIZE))

    def _drawn(self, body: JsonObject, default_size: tuple[int, int]) -> JsonObject:
        prompt = non_empty(body, "prompt")
        optional(body, "model", str)
        quality = one_of(body, "quality", _QUALITIES) or "auto"
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
            "quality": "medium" if quality == "auto" else quality,
            "size": f"{width}x{height}",
            "usage": {
                "input_tokens": spent,
                "input_tokens_details": {"image_tokens": 0, "text_tokens": spent},
                "output_tokens": made,
                "total_tokens": spent + made,
            },
        }


def _source_size(image: JsonObject, where: str) -> tuple[int, int] | None:
    url = non_empty(image, "image_url", where)
    if url.startswith(("https://", "http://")):
        return None
    media_type, _, data = url.partition(";base64,")
    try:
        raw = base64.b64decode(data, validate=True)
    except binascii.Error:
        raw = b""
    if not media_type.startswith("data:image/") or not raw.startswith(_SIGNATURES):
        message = "The image data you provided does not represent a valid image."
        raise RequestProblem(400, message, "invalid_image", f"{where}image_url")
    return size_of(raw)
