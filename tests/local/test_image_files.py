from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from codex_api._logic.outgoing.image_formats import data_url
from codex_api.errors import RequestBuildError
from codex_api.local import image_files
from codex_api.local.image_files import load_edit, load_images
from codex_api.types.images import ImageEditRequest, ImageUrl

if TYPE_CHECKING:
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\nrest"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    target = tmp_path / "cat.dat"  # What it is shows in the bytes, not in the name.
    target.write_bytes(PNG)
    return target


def test_every_kind_of_source_is_taken_alone_and_in_a_list(picture: Path) -> None:
    url = ImageUrl("https://a.example/x.png")
    inline = ImageUrl(data_url(PNG))

    for source in (
        picture,
        str(picture),
        PNG,
        bytearray(PNG),
        memoryview(PNG),
        inline.image_url,
        inline,
    ):
        assert load_images(source) == [inline]
    assert load_images(["https://a.example/x.png", picture, url]) == [url, inline, url]


@pytest.mark.parametrize(
    ("images", "told"),
    [
        ([], "`images` is empty"),
        (
            ["https://a.example", "no.png"],
            r"`images\[1\] \(no\.png\)` cannot be read: No such file",
        ),
        (b"", r"`images\[0\]` cannot be used.*empty"),
        (b"%PDF", r"`images\[0\]`.*PNG, JPEG, WebP or GIF"),
        ("/", r"`images\[0\] \(/\)` cannot be read"),
        (None, r"`images\[0\]` is NoneType; expected a URL, a path or the bytes"),
        (["https://a.example", 5], r"`images\[1\]` is int"),
        (os.devnull, r"`images\[0\].*is no regular file"),
        ("A" * 100_000, r"`images\[0\] \(A{200}\.\.\.\)` cannot be read: File name too long"),
        (ImageUrl("https://"), r"`images\[0\]`.*with a host"),
        ("data:image/png;base64,hush!", r"`images\[0\]`.*not base64"),
    ],
)
def test_a_bad_source_names_its_place_and_file(images: Any, told: str) -> None:
    with pytest.raises(RequestBuildError, match=told) as caught:
        load_images(images)

    assert "hush" not in str(caught.value)


def test_a_file_that_is_no_image_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "cat.png"
    text.write_text("not a cat")

    with pytest.raises(RequestBuildError, match=r"cat\.png.*no known image"):
        load_images(text)


def test_a_file_over_the_limit_is_refused_unread(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "MAX_IMAGE_BYTES", len(PNG) - 1)

    with pytest.raises(RequestBuildError, match=f"has {len(PNG)} bytes, the limit is"):
        load_images(picture)


def test_the_images_of_a_whole_request_are_checked_too() -> None:
    request = ImageEditRequest(images=[ImageUrl("https://a.example")], prompt="x", model="m")

    assert load_edit(request) == request
    assert load_edit("https://a.example") == [ImageUrl("https://a.example")]
    with pytest.raises(RequestBuildError, match=r"images\[0\]"):
        load_edit(ImageEditRequest(images=[ImageUrl("https://")], prompt="x", model="m"))
