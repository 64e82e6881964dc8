from __future__ import annotations

import asyncio
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

import pytest

from codex_api.transport.errors import RequestBuildError
from codex_api.voice.microphone import Loudspeaker, loudspeaker, microphone

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


class Stream:
    """Stands in for a device of the sound card."""

    opened: list[Stream]

    def __init__(self, *, callback: Callable[..., None], **options: Any) -> None:
        self.callback, self.options = callback, options
        self.is_open = False
        Stream.opened.append(self)

    def __enter__(self) -> Self:
        self.is_open = True
        return self

    def __exit__(self, *_: object) -> None:
        self.is_open = False


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> list[Stream]:
    module = ModuleType("sounddevice")
    module.RawInputStream = module.RawOutputStream = Stream  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    Stream.opened = []
    return Stream.opened


async def test_microphone_gives_what_the_card_hears(card: list[Stream]) -> None:
    pieces = microphone("usb")
    first = asyncio.ensure_future(anext(pieces))
    while not card:  # noqa: ASYNC110 - the other task opens it
        await asyncio.sleep(0)
    [stream] = card
    for number in range(3):
        await asyncio.to_thread(stream.callback, bytes([number]) * 960, 480, None, None)

    assert await first == bytes(960)
    assert await anext(pieces) == b"\1" * 960
    assert stream.options == {
        "device": "usb",
        "samplerate": 24000,
        "blocksize": 480,
        "channels": 1,
        "dtype": "int16",
    }
    await pieces.aclose()  # type: ignore[attr-defined]  # an async generator has it
    assert not stream.is_open


async def test_microphone_that_nobody_listens_to_keeps_the_newest(card: list[Stream]) -> None:
    pieces = microphone()
    first = asyncio.ensure_future(anext(pieces))
    while not card:  # noqa: ASYNC110 - the other task opens it
        await asyncio.sleep(0)
    for number in range(252):
        card[0].callback(number.to_bytes(2, "big"), 1, None, None)
    await first

    heard = [int.from_bytes(await anext(pieces)) for _ in range(249)]

    assert heard == list(range(3, 252))
    await pieces.aclose()  # type: ignore[attr-defined]  # an async generator has it


def test_loudspeaker_plays_what_it_is_given_and_silence(card: list[Stream]) -> None:
    with loudspeaker() as speaker:
        speaker.play(b"\1" * 6)
        out = bytearray(4)
        for expected in (b"\1" * 4, b"\1\1\0\0", bytes(4)):
            card[0].callback(memoryview(out), 2, None, None)
            assert out == expected
    assert not card[0].is_open


def test_loudspeaker_drops_the_oldest_and_may_be_cleared() -> None:
    speaker = Loudspeaker(max_seconds=2 / 24000)
    speaker.play(b"\1\1\2\2\3\3")

    assert speaker.fill(6) == b"\2\2\3\3\0\0"
    speaker.play(b"\1\1")
    speaker.clear()
    assert speaker.fill(2) == b"\0\0"


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)

    with pytest.raises(RequestBuildError, match=r"codex-api\[microphone\]"), loudspeaker():
        pass


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> ModuleType:
        raise OSError(f"PortAudio library not found by {name}")  # noqa: EM102 - as the package does

    monkeypatch.setattr("codex_api.voice.microphone.import_module", broken)

    with pytest.raises(RequestBuildError, match="PortAudio"), loudspeaker():
        pass
