"""The unary endpoints through both fronts, against the embedded server."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from codex_api import (
    ApiKeyAuth,
    AsyncClient,
    Client,
    CompactionInput,
    MemorySummarizeInput,
    Network,
    Provider,
    RawMemory,
    RawMemoryMetadata,
    ResponsesApiRequest,
    RetryConfig,
    SearchRequest,
    errors,
    items,
)
from codex_api._logic.outgoing.image_formats import data_url
from codex_api.testing import EmbeddedServer, ServerSettings
from codex_api.testing.scenarios import Scenario
from codex_api.types.models import ModelInfo
from codex_api.types.search import OpenOperation, SearchCommands, SearchQuery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.front import Front

pytestmark = pytest.mark.anyio

MODEL = "gpt-5.1-codex"
HISTORY = [
    items.Message.developer("You are brief."),
    items.Message.user("Remember the word heron."),
    items.Message.assistant("Done."),
]
DATA = bytes(range(256)) * 8000


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


@pytest.fixture
def server(files: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(ServerSettings(files_dir=files), api_key="sk-1") as running:
        yield running


def client_of(front: Front, server: EmbeddedServer) -> Any:
    provider = Provider("mock", server.url, retry=RetryConfig(base_delay=0.0))
    network = Network(proxy=None)
    return front.pick(Client, AsyncClient)(provider, ApiKeyAuth("sk-1"), network=network)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("via", ["endpoint", "stream", "auto"])
async def test_a_compacted_history_can_be_gone_on_from(
    front: Front, server: EmbeddedServer, via: str
) -> None:
    async with front.entering(client_of(front, server)) as client:
        left = await front(client.responses.compact, CompactionInput(MODEL, HISTORY), via=via)
        again = await front(
            client.responses.compact,
            CompactionInput(MODEL, [*left, items.Message.user("And newt.")]),
            via=via,
        )
        request = ResponsesApiRequest(
            model=MODEL, input=[*again, items.Message.user("What do you know?")]
        )
        answer = await front(client.responses.stream(request).collect)

    assert [type(item) for item in left] == [items.Message, items.Compaction]
    assert [getattr(item, "text", None) for item in again][:2] == [
        "Remember the word heron.",
        "And newt.",
    ]
    assert isinstance(again[-1], items.Compaction)
    assert answer.text


async def test_a_compaction_of_another_server_is_refused(
    front: Front, server: EmbeddedServer
) -> None:
    foreign = CompactionInput(MODEL, [items.Compaction(encrypted_content="not ours")])
    async with front.entering(client_of(front, server)) as client:
        with pytest.raises(errors.InvalidRequestError, match="could not be verified"):
            await front(client.responses.compact, foreign)


async def test_memories_are_summarized_in_order(front: Front, server: EmbeddedServer) -> None:
    memories = [
        RawMemory(name, RawMemoryMetadata(f"/{name}"), [items.Message.user(f"about {name}")])
        for name in ("one", "two")
    ]
    async with front.entering(client_of(front, server)) as client:
        summaries = await front(client.memories.summarize, MemorySummarizeInput(MODEL, memories))

    assert ["one" in each.memory_summary for each in summaries] == [True, False]
    assert ["two" in each.memory_summary for each in summaries] == [False, True]


async def test_the_catalogue_is_typed_and_not_sent_twice(
    front: Front, server: EmbeddedServer
) -> None:
    async with front.entering(client_of(front, server)) as client:
        page = await front(client.models.list, "0.142.5")
        known = await front(client.models.list, "0.142.5", page.etag)

    assert all(isinstance(model, ModelInfo) for model in page.models)
    assert page.models[0].slug == MODEL
    assert page.etag
    assert known.not_modified
    assert known.models == []


async def test_images_are_real_and_can_be_edited(
    front: Front, server: EmbeddedServer, tmp_path: Path
) -> None:
    async with front.entering(client_of(front, server)) as client:
        drawn = await front(client.images.generate, "a heron", size="48x32", n=2)
        paths = drawn.save(tmp_path / "heron.png")
        sources = [paths[0], str(paths[1]), data_url(paths[0].read_bytes())]
        edited = await front(client.images.edit, sources, "add a newt", quality="low")

    assert [path.name for path in paths] == ["heron-1.png", "heron-2.png"]
    for content in (paths[0].read_bytes(), edited.images[0].content()):
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert struct.unpack(">II", content[16:24]) == (48, 32)
    assert edited.quality == "low"


async def test_a_search_finds_and_opens(front: Front, server: EmbeddedServer) -> None:
    async with front.entering(client_of(front, server)) as client:
        commands = SearchCommands(search_query=[SearchQuery("python")])
        found = await front(client.search, SearchRequest("t", MODEL, commands=commands))
        opened = await front(
            client.search,
            SearchRequest(
                "t", MODEL, commands=SearchCommands(open=[OpenOperation("turn0search0")])
            ),
        )

    assert found.results
    assert opened.output


async def test_an_upload_lands_byte_for_byte(
    front: Front, server: EmbeddedServer, files: Path
) -> None:
    async with front.entering(client_of(front, server)) as client:
        result = await front(client.files.upload, DATA, "report.txt")

    assert names(files) == [result.file_id]
    assert (files / result.file_id).read_bytes() == DATA
    assert (result.file_name, result.mime_type) == ("report.txt", "text/plain")
    assert httpx2.get(result.download_url).content == DATA
    assert len([each for each in server.requests if each.path.endswith("/uploaded")]) == 2


async def test_a_connection_killed_half_way_is_made_again(
    front: Front, server: EmbeddedServer, files: Path
) -> None:
    server.play(Scenario(cut_upload_after=len(DATA) // 2), endpoint="blobs")
    async with front.entering(client_of(front, server)) as client:
        result = await front(client.files.upload, DATA, "report.txt")

    assert names(files) == [result.file_id]
    assert (files / result.file_id).read_bytes() == DATA


async def test_the_server_never_keeps_half_a_file(
    front: Front, server: EmbeddedServer, files: Path
) -> None:
    server.play(Scenario(cut_upload_after=len(DATA) // 2), endpoint="blobs")
    halves = iter([DATA[: len(DATA) // 2], DATA[len(DATA) // 2 :]])
    async with front.entering(client_of(front, server)) as client:
        with pytest.raises(errors.FileUploadError, match="cannot be read twice") as caught:
            await front(client.files.upload, halves, "report.txt", len(DATA))

    assert names(files) == []
    assert "sig=" not in str(caught.value)


async def test_a_refused_key_is_a_typed_error_on_every_endpoint(
    front: Front, server: EmbeddedServer
) -> None:
    made = front.pick(Client, AsyncClient)(
        Provider("mock", server.url), ApiKeyAuth("wrong"), network=Network(proxy=None)
    )
    async with front.entering(made) as client:
        for method, argument in [
            (client.responses.compact, CompactionInput(MODEL, HISTORY)),
            (client.models.list, "1.0"),
            (client.images.generate, "x"),
            (client.search, SearchRequest("t", MODEL)),
            (client.files.upload, b"x"),
        ]:
            with pytest.raises(errors.AuthenticationError):
                await front(method, argument)
