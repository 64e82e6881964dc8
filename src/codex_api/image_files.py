"""Images to edit: URLs as they are, files and bytes as data URLs.

Everything is read and checked before a request is made, so a bad source costs no call.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from codex_api._core.image_formats import check_url, data_url, is_url
from codex_api.transport.errors import RequestBuildError
from codex_api.types.images import ImageEditRequest, ImageSource, ImageUrl

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What the image endpoint takes for one file.
MAX_IMAGE_BYTES = 50 * 1024 * 1024


def load_images(images: ImageSource | Sequence[ImageSource]) -> list[ImageUrl]:
    """Turn image sources into what the endpoint takes.

    Args:
        images: One source, or several: http(s) or data URLs, paths, or the bytes of a file.

    Raises:
        RequestBuildError: There is none, a file cannot be read, or is too large, or one is no
            PNG, JPEG, WebP or GIF; the error names the position and the file.
    """
    sources = [images] if isinstance(images, str | bytes | os.PathLike | ImageUrl) else images
    loaded = [_load(source, f"images[{index}]") for index, source in enumerate(sources)]
    if not loaded:
        message = "`images` is empty; give at least one URL, path or file content"
        raise RequestBuildError(message)
    return loaded


def load_edit(
    images: ImageSource | Sequence[ImageSource] | ImageEditRequest,
) -> list[ImageUrl] | ImageEditRequest:
    """Do as ``load_images``; the images of a whole request are checked and left in it.

    Raises:
        RequestBuildError: As ``load_images``.
    """
    if not isinstance(images, ImageEditRequest):
        return load_images(images)
    return msgspec.structs.replace(images, images=load_images(images.images))


def _load(source: ImageSource, field: str) -> ImageUrl:
    shown = field
    try:
        if isinstance(source, ImageUrl):
            check_url(source.image_url)
            return source
        if isinstance(source, bytes):
            return ImageUrl(data_url(source))
        if isinstance(source, str) and is_url(source):
            check_url(source)
            return ImageUrl(source)
        shown = f"{field} ({os.fspath(source)})"
        return ImageUrl(data_url(_read(Path(source))))
    except ValueError as exc:
        message = f"`{shown}` cannot be used as an image: {exc}"
        raise RequestBuildError(message) from exc
    except OSError as exc:
        message = f"`{shown}` cannot be read: {exc.strerror or exc}; expected an image file or URL"
        raise RequestBuildError(message) from exc


def _read(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_IMAGE_BYTES:
        message = f"it has {size} bytes, the limit is {MAX_IMAGE_BYTES}"
        raise ValueError(message)
    return path.read_bytes()
