from __future__ import annotations

import msgspec
import pytest

from codex_api import items

CITATIONS = [
    (
        {"type": "url_citation", "start_index": 1, "end_index": 2, "url": "u", "title": "t"},
        items.UrlCitation(start_index=1, end_index=2, url="u", title="t"),
    ),
    (
        {"type": "file_citation", "index": 0, "file_id": "f", "filename": "n"},
        items.FileCitation(index=0, file_id="f", filename="n"),
    ),
    (
        {
            "type": "container_file_citation",
            "start_index": 1,
            "end_index": 2,
            "container_id": "c",
            "file_id": "f",
            "filename": "n",
        },
        items.ContainerFileCitation(
            start_index=1, end_index=2, container_id="c", file_id="f", filename="n"
        ),
    ),
    (
        {"type": "file_path", "index": 3, "file_id": "f"},
        items.FilePath(index=3, file_id="f"),
    ),
    (
        {"type": "file_path", "index": 3, "file_id": "f", "later": [1]},
        items.FilePath(index=3, file_id="f", extra=items.Extra({"later": b"[1]"})),
    ),
    ({"type": "later", "a": 1}, items.UnknownPart(b'{"type":"later","a":1}')),
    ({"type": "file_path"}, items.UnknownPart(b'{"type":"file_path"}')),
    ({"type": ["odd"]}, items.UnknownPart(b'{"type":["odd"]}')),
    ("odd", items.UnknownPart(b'"odd"')),
]


@pytest.mark.parametrize(("plain", "typed"), CITATIONS)
def test_an_annotation_is_read_as_a_typed_value(plain: object, typed: object) -> None:
    part = items.OutputText("x", annotations=[plain])

    assert part.citations == [typed]


@pytest.mark.parametrize("typed", [typed for _, typed in CITATIONS])
def test_a_typed_annotation_is_read_as_it_is(typed: object) -> None:
    part = items.OutputText("x", annotations=[typed])

    assert part.citations == [typed]


def test_a_typed_annotation_goes_out() -> None:
    part = items.OutputText("x", annotations=[items.FilePath(index=3, file_id="f")])
    message = items.Message(id="m", role="assistant", content=[part])

    encoded = msgspec.json.decode(items.encode_item(message, keep_ids=True))

    (sent,) = encoded["content"][0]["annotations"]
    assert sent == {"type": "file_path", "index": 3, "file_id": "f"}


def test_tokens_are_read_with_their_alternatives() -> None:
    alternative = {"token": "b", "logprob": -1, "bytes": [98]}
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [alternative, 1]}
    part = items.OutputText("a", logprobs=[token, "odd", {"token": 1}])

    (read,) = part.token_logprobs

    assert (read.token, read.logprob, read.bytes) == ("a", -0.5, [97])
    assert read.top_logprobs == [items.TokenAlternative(token="b", logprob=-1.0, bytes=[98])]  # noqa: S106 - no secret
    assert items.OutputText("a", logprobs=[read]).token_logprobs == [read]


@pytest.mark.parametrize("nothing", [None, (), []])
def test_a_text_without_either_has_none(nothing: list[object] | None) -> None:
    part = items.OutputText("x", annotations=nothing, logprobs=nothing)

    assert part.citations == []
    assert part.token_logprobs == []
