from __future__ import annotations

import base64

import pytest

from codex_api._logic.outgoing.image_formats import check_url, data_url, image_type, is_url

PNG = b"\x89PNG\r\n\x1a\nrest"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b"\x89PNG", None),
        (b"<svg/>", None),
        (b"", None),
    ],
)
def test_images_are_known_by_how_they_begin(data: bytes, expected: str | None) -> None:
    assert image_type(data) == expected


def test_a_file_becomes_a_data_url() -> None:
    assert data_url(PNG) == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


@pytest.mark.parametrize(("data", "told"), [(b"", "empty"), (b"%PDF-1.7", "no known image")])
def test_what_is_no_image_becomes_no_url(data: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=f"{told}.*PNG, JPEG, WebP or GIF"):
        data_url(data)


@pytest.mark.parametrize("text", ["http://a", "HTTPS://a", "data:image/png;base64,AA=="])
def test_urls_are_told_from_paths(text: str) -> None:
    assert is_url(text)
    assert not is_url(f"./{text}")
    assert not is_url("cat.png")


@pytest.mark.parametrize("url", ["https://a.example/x.png?y=1", data_url(PNG), "HTTP://a"])
def test_usable_urls_pass(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://", "with a host"),
        ("https://a b", "with a host"),
        ("data:image/png;base64", "must begin"),
        ("data:text/plain;base64,QUJD", "must begin"),
        ("data:image/png,QUJD", "must be base64"),
        ("data:image/png;base64,Q!", "not base64"),
        ("data:image/png;base64,QUJD", "no image"),
    ],
)
def test_unusable_urls_say_what_is_expected(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_url(url)
