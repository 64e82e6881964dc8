"""Values of ``images/generations`` and ``images/edits`` (wire.md, Other endpoints).

The sets below bind requests. An answer's strings are kept as they come: a value that a later
server invents must not cost the image beside it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import msgspec

from codex_api.errors import DecodeError
from codex_api.types.atomic_file import write_atomically

if TYPE_CHECKING:
    import os

ImageBackground: TypeAlias = Literal["transparent", "opaque", "auto"]
ImageQuality: TypeAlias = Literal["low", "medium", "high", "auto"]

#: An http(s) or data URL, a path, or the bytes of an image.
ImageSource: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | ImageUrl"

DEFAULT_IMAGE_MODEL = "gpt-image-2"


class ImageUrl(msgspec.Struct, frozen=True):
    """An image to edit, as http(s) or data URL."""

    image_url: str


class ImageGenerationRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An image to draw; keys that are None are left out.

    Attributes:
        n: Number of images, at least 1.
        size: Free text such as ``1024x1024`` or ``auto``.
    """

    prompt: str
    background: ImageBackground | None = None
    model: str
    n: Annotated[int, msgspec.Meta(ge=1)] | None = None
    quality: ImageQuality | None = None
    size: str | None = None


class ImageEditRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Images to change; keys that are None are left out.

    Attributes:
        images: At least one.
    """

    images: Sequence[ImageUrl]
    prompt: str
    background: ImageBackground | None = None
    model: str
    n: Annotated[int, msgspec.Meta(ge=1)] | None = None
    quality: ImageQuality | None = None
    size: str | None = None


class ImageData(msgspec.Struct, frozen=True):
    """One image of an answer.

    Attributes:
        b64_json: The file's bytes in base64. Not part of the repr.
        revised_prompt: What the prompt was made into, or None.
    """

    b64_json: str
    revised_prompt: str | None = None

    def __repr__(self) -> str:
        return f"ImageData(b64_json=<{len(self.b64_json)} characters>)"

    def content(self) -> bytes:
        """Return the bytes of the image file.

        Raises:
            DecodeError: The server's base64 is not valid.
        """
        try:
            return base64.b64decode(self.b64_json, validate=True)
        except (binascii.Error, ValueError) as exc:
            message = f"an image in the answer is not valid base64 at `b64_json`: {exc}"
            raise DecodeError(message) from exc

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the image to ``path``, whole or not at all, and give the path.

        Raises:
            DecodeError: The server's base64 is not valid; nothing is written.
            OSError: The file cannot be written.
        """
        return write_atomically(path, self.content())


class UnknownImage(msgspec.Struct, frozen=True):
    """An element of ``data`` without a readable ``b64_json``.

    Attributes:
        raw: The element as it came; ``bytes(raw)`` are its exact bytes.
    """

    raw: msgspec.Raw


class ImageResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Images that were drawn or changed.

    Attributes:
        created: Unix time in seconds; None when the server does not say.
        usage: Token usage as the server reports it, or None.
    """

    created: int | None = None
    data: list[ImageData | UnknownImage]
    background: str | None = None
    quality: str | None = None
    size: str | None = None
    output_format: str | None = None
    usage: dict[str, Any] | None = None

    @property
    def images(self) -> list[ImageData]:
        """The elements of ``data`` that hold an image."""
        return [image for image in self.data if isinstance(image, ImageData)]

    def save(self, path: str | os.PathLike[str]) -> list[Path]:
        """Write every image and give the paths.

        One image goes to ``path`` itself; several go to ``name-1.png``, ``name-2.png`` ... beside
        it. Each file is whole or not there.

        Raises:
            DecodeError: There is no image in the answer, or its base64 is not valid.
            OSError: A file cannot be written.
        """
        images = self.images
        if not images:
            message = "the answer holds no image to save: `data` has no element with `b64_json`"
            raise DecodeError(message)
        target = Path(path)
        if len(images) == 1:
            return [images[0].save(target)]
        return [
            image.save(target.with_name(f"{target.stem}-{number}{target.suffix}"))
            for number, image in enumerate(images, 1)
        ]
