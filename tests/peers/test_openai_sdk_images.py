"""Pictures by the official SDK, sync and async: whole and streamed, drawn and edited."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import openai
import pytest

from codex_api.testing import EmbeddedServer
from codex_api.testing.server.drawing import drawn
from codex_api.testing.server.png import size_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.front import Front

pytestmark = pytest.mark.anyio

MODEL = "gpt-image-2"
PICTURE = base64.b64decode(drawn("a cat", (40, 20)))


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
async def sdk(front: Front, server: EmbeddedServer) -> AsyncIterator[Any]:
    kind = front.pick(openai.OpenAI, openai.AsyncOpenAI)
    async with front.entering(kind(api_key="k", base_url=server.url)) as client:
        yield client


def size(drawing: Any) -> tuple[int, int] | None:
    return size_of(base64.b64decode(drawing.b64_json))


async def test_a_form_edits_pictures(front: Front, sdk: Any) -> None:
    made = await front(
        sdk.images.edit,
        image=[("a.png", PICTURE, "image/png"), ("b.png", PICTURE, "image/png")],
        mask=("mask.png", PICTURE, "image/png"),
        prompt="bluer",
        model=MODEL,
        n=2,
        quality="low",
        background="transparent",
        input_fidelity="high",
    )

    assert [size(each) for each in made.data] == [(40, 20), (40, 20)]
    assert (made.quality, made.background, made.size) == ("low", "transparent", "40x20")


async def test_a_picture_is_streamed_in_parts(front: Front, sdk: Any) -> None:
    stream = await front(
        sdk.images.generate,
        prompt="a cat",
        model=MODEL,
        size="16x16",
        partial_images=2,
        stream=True,
    )
    events = [event async for event in front.iterate(stream)]

    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert {size(event) for event in events} == {(16, 16)}
    assert events[-1].usage.total_tokens > 0


async def test_an_edit_is_streamed(front: Front, sdk: Any) -> None:
    stream = await front(
        sdk.images.edit,
        image=("a.png", PICTURE, "image/png"),
        prompt="bluer",
        model=MODEL,
        partial_images=1,
        stream=True,
    )
    events = [event async for event in front.iterate(stream)]

    assert [event.type for event in events] == ["image_edit.partial_image", "image_edit.completed"]
    assert size(events[-1]) == (40, 20)


async def test_what_is_no_picture_is_refused(front: Front, sdk: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="valid image"):
        await front(sdk.images.edit, image=("a.png", b"no", "image/png"), prompt="x", model=MODEL)
