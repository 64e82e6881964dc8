from __future__ import annotations

import dataclasses
import multiprocessing
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from codex_api._logic.calling.operation import CallContext
from codex_api._logic.calling.policy import CallSettings
from codex_api.clock import SystemClock
from codex_api.errors import CodexApiError, NetworkError
from codex_api.events import ModelsEtag
from codex_api.local.models_cache import ModelsCache, cache_key, list_cached
from codex_api.provider import Provider
from codex_api.transport._core.flow import Authorize, Send
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Response
from codex_api.types.models import Model, ModelsPage, PublicModel

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT = CallContext(provider=Provider("mock", "https://h/v1?key=hush"))
KEY = cache_key(CONTEXT, "1.0")
BODY = b'{"data":[{"id":"m"}]}'
MODELS: list[Model] = [PublicModel("m")]


class Wall:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def cache(tmp_path: Path, wall: Wall) -> ModelsCache:
    return ModelsCache(tmp_path / "deep" / "models.json", max_age=300, clock=wall)


class Listing:
    """A cached listing, driven by hand."""

    def __init__(self, cache: ModelsCache, client_version: str = "1.0") -> None:
        settings = CallSettings(context=CONTEXT, clock=SystemClock(), telemetry=None)
        policy = settings.unary_policy(None, frozenset())
        provider = CONTEXT.provider
        plain = replace(policy, retry=dataclasses.replace(provider.retry, max_attempts=0))
        self.flow = list_cached(CONTEXT, cache, plain, client_version=client_version)
        self.sent: list[Headers] = []

    def run(self, *results: Response | CodexApiError) -> ModelsPage:
        """Perform it; each request gets the next result."""
        answers = list(results)
        result: Any = None
        try:
            while True:
                effect = self.flow.send(result)
                if isinstance(effect, Authorize):
                    result = effect.request
                    continue
                assert isinstance(effect, Send)
                self.sent.append(effect.request.headers)
                result = answers.pop(0)
                if isinstance(result, Exception):
                    self.flow.throw(result)
        except StopIteration as stop:
            assert not answers
            page: ModelsPage = stop.value
            return page


def ok(etag: str | None = '"1"', body: bytes = BODY) -> Response:
    return Response(200, Headers({} if etag is None else {"etag": etag}), body)


def test_the_first_listing_asks_and_the_next_does_not(cache: ModelsCache) -> None:
    first = Listing(cache)
    assert first.run(ok()) == ModelsPage(MODELS, '"1"')
    assert "if-none-match" not in first.sent[0]

    second = Listing(cache)
    assert second.run() == ModelsPage(MODELS, '"1"')
    assert second.sent == []


def test_an_old_entry_is_asked_about_and_made_new_by_304(cache: ModelsCache, wall: Wall) -> None:
    Listing(cache).run(ok())
    wall.now += 300

    stale = Listing(cache)
    page = stale.run(Response(304, Headers(), b""))

    assert stale.sent[0]["if-none-match"] == '"1"'
    assert page == ModelsPage(MODELS, '"1"')
    wall.now += 299
    assert Listing(cache).run() == page


def test_an_old_entry_is_replaced_by_a_new_list(cache: ModelsCache, wall: Wall) -> None:
    Listing(cache).run(ok())
    wall.now += 300

    page = Listing(cache).run(ok('"2"', b'{"data":[]}'))

    assert page == ModelsPage([], '"2"')
    assert Listing(cache).run() == page


def test_an_old_entry_without_etag_is_asked_for_anew(cache: ModelsCache, wall: Wall) -> None:
    Listing(cache).run(ok(None))
    wall.now += 300

    stale = Listing(cache)
    stale.run(ok())

    assert "if-none-match" not in stale.sent[0]


def test_a_failing_server_is_an_error_even_with_an_old_entry(
    cache: ModelsCache, wall: Wall
) -> None:
    Listing(cache).run(ok())
    wall.now += 300

    with pytest.raises(NetworkError):
        Listing(cache).run(NetworkError("down"))


def test_another_client_version_is_another_list(cache: ModelsCache) -> None:
    Listing(cache).run(ok())

    assert Listing(cache, "2.0").run(ok('"9"')).etag == '"9"'


def test_an_entry_from_the_future_does_not_count_as_new(cache: ModelsCache, wall: Wall) -> None:
    Listing(cache).run(ok())
    wall.now -= 10

    assert Listing(cache).run(ok('"2"')).etag == '"2"'


def test_another_etag_on_a_stream_ends_the_entry(cache: ModelsCache) -> None:
    Listing(cache).run(ok())

    cache.observe(ModelsEtag('"2"'))

    stale = Listing(cache)
    stale.run(ok('"2"'))
    assert stale.sent[0]["if-none-match"] == '"1"'


def test_the_same_etag_on_a_stream_makes_the_entry_new(cache: ModelsCache, wall: Wall) -> None:
    Listing(cache).run(ok())
    wall.now += 299

    cache.observe('"1"')

    wall.now += 299
    assert Listing(cache).run().etag == '"1"'


def test_an_etag_without_an_entry_is_nothing(cache: ModelsCache) -> None:
    cache.observe('"1"')

    assert not cache.path.exists()


def test_what_is_forgotten_is_asked_for(cache: ModelsCache) -> None:
    Listing(cache).run(ok())
    cache.clear()
    cache.clear()

    assert cache.load(KEY) is None
    assert Listing(cache).run(ok()).models == MODELS


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"format":1,"x":' + b"[" * 100_000,
        b'{"format":2,"key":"k","fetched_at":1,"etag":null,"body":{}}',
        msgspec.json.encode(
            {"format": 1, "key": KEY, "fetched_at": 1000, "etag": None, "body": {"no": "list"}}
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_as_good_as_none(cache: ModelsCache, content: bytes) -> None:
    cache.path.parent.mkdir()
    cache.path.write_bytes(content)

    assert cache.load(KEY) is None
    assert Listing(cache).run(ok()).models == MODELS
    assert Listing(cache).run().models == MODELS


def test_a_damaged_etag_is_not_asked_about(cache: ModelsCache, wall: Wall) -> None:
    cache.store(KEY, "a\nb", BODY)
    wall.now += cache.max_age

    listing = Listing(cache)

    assert listing.run(ok()).models == MODELS
    assert "if-none-match" not in listing.sent[-1]


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    blocked = ModelsCache(tmp_path / "file" / "models.json")

    assert Listing(blocked).run(ok()).models == MODELS


def test_the_file_keeps_the_servers_json_and_no_secret(cache: ModelsCache) -> None:
    Listing(cache).run(ok(body=b'{"data":[{"id":"m","future":[1]}]}'))

    stored = cache.path.read_bytes()
    assert b'{"data":[{"id":"m","future":[1]}]}' in stored
    assert b"hush" not in stored
    assert cache.path.stat().st_mode & 0o777 == 0o600


def test_renewing_what_is_not_there_changes_nothing(cache: ModelsCache) -> None:
    cache.renew(KEY)

    assert not cache.path.exists()


def _write(path: str, number: int, rounds: int) -> None:
    cache = ModelsCache(path)
    body = msgspec.json.encode({"data": [{"id": f"{number}"}] * 2000})
    for _ in range(rounds):
        cache.store(KEY, f"{number}", body)


def test_processes_that_share_the_file_never_see_a_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(str(path), n, 150)) for n in range(2)]
    for writer in writers:
        writer.start()
    cache, seen = ModelsCache(path), set()

    while any(writer.is_alive() for writer in writers):
        content = b""
        with suppress(FileNotFoundError):
            content = path.read_bytes()
        if content:
            entry = msgspec.json.decode(content)
            assert len(entry["body"]["data"]) == 2000
            assert {model["id"] for model in entry["body"]["data"]} == {entry["etag"]}
            assert cache.load(KEY) is not None
            seen.add(entry["etag"])

    assert [writer.exitcode for writer in writers] == [0, 0]
    assert seen
    assert [file.name for file in tmp_path.iterdir()] == ["models.json"]
