"""What kind of image some bytes are, by how they begin, and image URLs made and checked."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import urlsplit

SUPPORTED = "PNG, JPEG, WebP or GIF"

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def image_type(data: bytes) -> str | None:
    """Return the media type of an image file, or None for anything else."""
    for magic, media_type in _MAGIC:
        if data.startswith(magic):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def data_url(data: bytes) -> str:
    """Make a data URL of an image file.

    Raises:
        ValueError: The bytes are no supported image; the text says what was expected.
    """
    media_type = image_type(data)
    if media_type is None:
        what = "it is empty" if not data else "its first bytes are those of no known image"
        message = f"{what}; expected {SUPPORTED}"
        raise ValueError(message)
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def is_url(text: str) -> bool:
    """Return whether ``text`` means a URL rather than a path."""
    return text[:8].lower().startswith(("http://", "https://", "data:"))


def check_url(url: str) -> None:
    """Check an image URL as far as that needs no network.

    Raises:
        ValueError: It is not usable; the text says what was expected and holds no part of it.
    """
    if url[:5].lower() == "data:":
        _check_data_url(url)
        return
    if any(char <= " " for char in url) or not urlsplit(url).hostname:
        message = "it is no http(s) URL with a host"
        raise ValueError(message)


def _check_data_url(url: str) -> None:
    header, comma, payload = url[5:].partition(",")
    if not comma or not header.lower().startswith("image/"):
        message = "a data URL must begin `data:image/...;base64,`"
        raise ValueError(message)
    if not header.lower().endswith(";base64"):
        message = "the payload of a data URL must be base64"
        raise ValueError(message)
    try:
        data = base64.b64decode(payload, validate=True)
    except binascii.Error as exc:
        message = f"the payload of the data URL is not base64: {exc}"
        raise ValueError(message) from None
    if image_type(data) is None:
        message = f"the payload of the data URL is no image; expected {SUPPORTED}"
        raise ValueError(message)
