"""Images to edit: URLs as they are, files and bytes as data URLs.

Everything is read and checked before a request is made, so a bad source costs no call.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from codex_api._logic.outgoing.image_formats import check_url, data_url, is_url
from codex_api._logic.outgoing.plain_values import as_value
from codex_api.transport.errors import RequestBuildError
from codex_api.types.images import (
    DEFAULT_IMAGE_MODEL,
    ImageEditRequest,
    ImageSource,
    ImageUrl,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What the image endpoint takes for one file.
MAX_IMAGE_BYTES = 50 * 1024 * 1024
#: The most of a path that an error quotes.
MAX_PATH_CHARS = 200

_URL = "image_url"
_SINGLE = (str, bytes, bytearray, memoryview, os.PathLike, ImageUrl)


def load_images(
    images: ImageSource | Sequence[ImageSource] | Mapping[str, Any],
) -> list[ImageUrl]:
    """Turn image sources into what the endpoint takes.

    Args:
        images: One source, or several: http(s) or data URLs, paths, or the bytes of a file.

    Raises:
        RequestBuildError: There is none, a file cannot be read, or is too large, or one is no
            PNG, JPEG, WebP or GIF; the error names the position and the file.
    """
    loaded = [_load(source, f"images[{index}]") for index, source in enumerate(_sources(images))]
    if not loaded:
        message = "`images` is empty; give at least one URL, path or file content"
        raise RequestBuildError(message)
    return loaded


def load_edit(
    images: ImageSource | Sequence[ImageSource] | ImageEditRequest | Mapping[str, Any],
) -> list[ImageUrl] | ImageEditRequest:
    """Do as ``load_images``; the images of a whole request are checked and left in it.

    Raises:
        RequestBuildError: As ``load_images``.
        TypeError: A mapping has other keys than a request.
    """
    if isinstance(images, Mapping) and _URL not in images:
        whole = {"model": DEFAULT_IMAGE_MODEL, "prompt": "", **images}
        images = as_value(ImageEditRequest, whole, "image edit request")
    if not isinstance(images, ImageEditRequest):
        return load_images(images)
    return msgspec.structs.replace(images, images=load_images(images.images))


def _sources(images: Any) -> list[ImageSource | Mapping[str, Any]]:  # noqa: ANN401 - not every caller has a type checker
    return [*images] if _are_several(images) else [images]


def _are_several(images: object) -> bool:
    return isinstance(images, Iterable) and not isinstance(images, (Mapping, *_SINGLE))


def _load(given: ImageSource | Mapping[str, Any], field: str) -> ImageUrl:
    source = as_value(ImageUrl, given, field) if isinstance(given, Mapping) else given
    if not isinstance(source, _SINGLE):  # pyright: ignore[reportUnnecessaryIsInstance]  # as above
        kind = type(source).__name__
        message = f"`{field}` is {kind}; expected a URL, a path or the bytes of an image"
        raise RequestBuildError(message)
    shown = field
    try:
        if isinstance(source, ImageUrl):
            check_url(source.image_url)
            return source
        if isinstance(source, bytes | bytearray | memoryview):
            return ImageUrl(data_url(bytes(source)))
        if isinstance(source, str) and is_url(source):
            check_url(source)
            return ImageUrl(source)
        shown = f"{field} ({_shortened(os.fspath(source))})"
        return ImageUrl(data_url(_read(Path(source))))
    except ValueError as exc:
        message = f"`{shown}` cannot be used as an image: {exc}"
        raise RequestBuildError(message) from exc
    except OSError as exc:
        message = f"`{shown}` cannot be read: {exc.strerror or exc}; expected an image file or URL"
        raise RequestBuildError(message) from exc


def _shortened(path: str) -> str:
    # What is taken for a path may be a whole image in base64.
    return path if len(path) <= MAX_PATH_CHARS else path[:MAX_PATH_CHARS] + "..."


def _read(path: Path) -> bytes:
    status = path.stat()
    # To read a pipe is to wait for its writer; a folder says so itself.
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
        message = "it is no regular file"
        raise ValueError(message)
    if status.st_size > MAX_IMAGE_BYTES:
        message = f"it has {status.st_size} bytes, the limit is {MAX_IMAGE_BYTES}"
        raise ValueError(message)
    return path.read_bytes()
