"""The public API's unary endpoints through both fronts, against aimock."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import ApiKeyAuth, AsyncClient, Client, Network, Provider, errors
from codex_api.types.models import PublicModel
from tests.peers.aimock import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.front import Front

pytestmark = [pytest.mark.peer, pytest.mark.anyio]

PNG = b"\x89PNG\r\n\x1a\nand more"
FIXTURES = [
    {
        "match": {"userMessage": "the sea", "endpoint": "image", "model": "gpt-image-2"},
        "response": {"image": {"b64Json": base64.b64encode(PNG).decode()}},
    },
    {
        "match": {"userMessage": "two seas", "endpoint": "image"},
        "response": {"images": [{"b64Json": "QUJD"}, {"url": "https://images.example/x"}]},
    },
]


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("aimock"), FIXTURES) as url:
        yield url


def client_of(front: Front, base_url: str) -> Any:
    provider = Provider("aimock", base_url)
    network = Network(proxy=None)
    return front.pick(Client, AsyncClient)(provider, ApiKeyAuth("mock"), network=network)


async def test_models_are_listed_in_the_public_shape(front: Front, base_url: str) -> None:
    async with front.entering(client_of(front, base_url)) as client:
        page = await front(client.models.list)

    assert page.models == [PublicModel("gpt-image-2", "model", 1686935002, "aimock")]
    assert page.etag is None


async def test_an_image_is_drawn_and_saved(front: Front, base_url: str, tmp_path: Path) -> None:
    async with front.entering(client_of(front, base_url)) as client:
        response = await front(client.images.generate, "the sea", size="1024x1024")

    assert [path.read_bytes() for path in response.save(tmp_path / "sea.png")] == [PNG]


async def test_an_image_without_bytes_is_kept_raw_beside_one_with(
    front: Front, base_url: str
) -> None:
    async with front.entering(client_of(front, base_url)) as client:
        response = await front(client.images.generate, "two seas", n=2)

    assert [image.content() for image in response.images] == [b"ABC"]
    assert len(response.data) == 2


async def test_a_prompt_without_a_fixture_is_a_typed_error(front: Front, base_url: str) -> None:
    async with front.entering(client_of(front, base_url)) as client:
        with pytest.raises(errors.CodexApiError) as caught:
            await front(client.images.generate, "a desert")

    assert caught.value.status in {404, 503}


async def test_a_file_is_stored(front: Front, base_url: str, tmp_path: Path) -> None:
    path = tmp_path / "größe.txt"
    path.write_bytes(b"some bytes\r\n--boundary\r\n\x00\xff")
    async with front.entering(client_of(front, base_url)) as client:
        stored = await front(client.files.create, path, "user_data")

    assert stored.id.startswith("file-")
    assert (stored.filename, stored.bytes, stored.purpose) == (
        "größe.txt",
        path.stat().st_size,
        "user_data",
    )


async def test_a_purpose_that_the_server_does_not_know_is_a_typed_error(
    front: Front, base_url: str
) -> None:
    async with front.entering(client_of(front, base_url)) as client:
        with pytest.raises(errors.InvalidRequestError, match="purpose"):
            await front(client.files.create, b"x", "secrets")
