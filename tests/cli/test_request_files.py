from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from codex_api import errors
from codex_api.cli.request_files import image_url, read_history, read_schema

if TYPE_CHECKING:
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n" + b"rest"


def file_of(folder: Path, content: bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b'[{"type":"a", "n":1.0}, {"type":"b"}]',
        b'{"type":"a", "n":1.0}\n\n{"type":"b"}\n',
        b'\xef\xbb\xbf{"type":"a", "n":1.0}\r\n{"type":"b"}',
    ],
)
def test_a_history_is_a_list_or_lines_and_its_items_stay_as_they_are(
    tmp_path: Path, content: bytes
) -> None:
    raws = read_history(file_of(tmp_path, content))

    assert [bytes(raw) for raw in raws] == [b'{"type":"a", "n":1.0}', b'{"type":"b"}']


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"[1, 2", "no JSON list"),
        (b'[{"type":"a"}, 2]', "item 1: no JSON object"),
        (b'{"type":"a"}\nnope', "line 2: no JSON object"),
        (b'{"type":"\xff"}', "line 1: no JSON object"),
    ],
)
def test_a_bad_history_is_refused_by_its_place(tmp_path: Path, content: bytes, place: str) -> None:
    path = file_of(tmp_path, content)

    with pytest.raises(errors.RequestBuildError, match=place) as caught:
        read_history(path)
    assert str(caught.value).startswith(f"--input {path}: ")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.RequestBuildError, match=r"--input .*nope: No such file"):
        read_history(tmp_path / "nope")
    with pytest.raises(errors.RequestBuildError, match=r"--image .*: Is a directory"):
        image_url(str(tmp_path))


def test_a_schema_keeps_its_order(tmp_path: Path) -> None:
    schema = read_schema(file_of(tmp_path, b'{"type":"object","properties":{},"a":1}'))

    assert list(schema) == ["type", "properties", "a"]


@pytest.mark.parametrize("content", [b"[]", b"{", b"", b"\xff"])
def test_a_schema_is_an_object(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(errors.RequestBuildError, match="no JSON Schema"):
        read_schema(file_of(tmp_path, content))


def test_an_image_file_is_known_by_its_content(tmp_path: Path) -> None:
    url = image_url(str(file_of(tmp_path, PNG, "no-suffix")))

    assert url == "data:image/png;base64," + base64.b64encode(PNG).decode()


def test_a_url_is_passed_on() -> None:
    assert image_url("https://example.com/a.png") == "https://example.com/a.png"


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.RequestBuildError, match=r"--image .*no known image"):
        image_url(str(file_of(tmp_path, b"hello")))
    with pytest.raises(errors.RequestBuildError, match="--image data:"):
        image_url("data:text/plain;base64," + "A" * 500)
