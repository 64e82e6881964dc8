from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec
import pytest

from codex_api.errors import DecodeError
from codex_api.types.images import ImageData, ImageResponse, UnknownImage

if TYPE_CHECKING:
    from pathlib import Path


def image(data: bytes) -> ImageData:
    return ImageData(base64.b64encode(data).decode())


def test_one_image_goes_to_the_path_itself(tmp_path: Path) -> None:
    response = ImageResponse(created=1, data=[UnknownImage(msgspec.Raw(b"{}")), image(b"A")])

    assert response.save(tmp_path / "cat.png") == [tmp_path / "cat.png"]
    assert (tmp_path / "cat.png").read_bytes() == b"A"


def test_several_images_are_numbered_beside_the_path(tmp_path: Path) -> None:
    response = ImageResponse(created=1, data=[image(b"A"), image(b"B")])

    saved = response.save(str(tmp_path / "cat.png"))

    assert [path.name for path in saved] == ["cat-1.png", "cat-2.png"]
    assert [path.read_bytes() for path in saved] == [b"A", b"B"]


def test_an_image_can_be_saved_alone(tmp_path: Path) -> None:
    target = tmp_path / "a.png"

    assert image(b"A").save(target) == target
    assert image(b"A").content() == b"A"
    assert target.read_bytes() == b"A"


def test_bad_base64_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match="`b64_json`"):
        ImageData("!!").save(tmp_path / "a.png")

    assert list(tmp_path.iterdir()) == []


def test_an_answer_without_an_image_cannot_be_saved(tmp_path: Path) -> None:
    response = ImageResponse(created=1, data=[UnknownImage(msgspec.Raw(b"{}"))])

    with pytest.raises(DecodeError, match="no image"):
        response.save(tmp_path / "a.png")


def test_the_repr_of_an_image_is_short() -> None:
    assert repr(ImageData("A" * 10_000)) == "ImageData(b64_json=<10000 characters>)"
