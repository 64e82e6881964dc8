"""The realtime page in a real browser with a fake microphone."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("aiortc")

import aioice.ice

from codex_api._async.client import AsyncClient
from codex_api.cli.realtime.page_server import PageServer
from codex_api.provider import Provider
from codex_api.testing.server import EmbeddedServer
from codex_api.types.realtime import RealtimeSessionConfig
from tests.cli.realtime import chromium

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.skipif(chromium.BINARY is None, reason="needs Debian's chromium"),
]

PICTURE = Path(__file__).parents[3] / "docs" / "images" / "realtime-page.png"

# Gives the microphone only when it is let go.
HOLD_MICROPHONE = """
(() => {
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const held = new Promise((resolve) => (window.letGo = resolve));
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    await held;
    return (window.microphone = await open(wanted));
  };
})()
"""


@pytest.fixture(autouse=True)
def _calls_stay_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    def addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:  # noqa: FBT001 - as it is called
        del use_ipv4, use_ipv6
        return ["127.0.0.1"]

    monkeypatch.setattr(aioice.ice, "get_host_addresses", addresses)


@asynccontextmanager
async def page_server(base_url: str) -> AsyncIterator[PageServer]:
    async with AsyncClient(Provider("embedded", base_url)) as client:
        server = PageServer(client, RealtimeSessionConfig("be brief"))
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        running = asyncio.ensure_future(server.run(ready.set_result))
        await ready
        try:
            yield server
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.mark.timeout(120)
async def test_browser_calls_and_sees_what_is_said(tmp_path: Path) -> None:
    with EmbeddedServer() as embedded:
        async with (
            page_server(embedded.url) as server,
            chromium.browsing(tmp_path / "profile", server.url) as page,
        ):
            title = await page.evaluate("document.title")
            before = await page.text("#status")
            await page.click("#call")
            await page.until("document.querySelector('#status').dataset.state === 'connected'")
            turns = await page.until(
                "document.querySelectorAll('#transcript li.assistant').length > 1"
                " && document.querySelector('#transcript').innerText"
            )
            volume = await page.until(
                "document.querySelector('#sound').srcObject?.getAudioTracks()[0].readyState"
            )
            events = await page.text("#events")
            await page.screenshot(tmp_path / "page.png")
            await page.click("#hangup")
            await page.until("!document.querySelector('#call').disabled")

    assert title == "Realtime call"
    assert before == "Not connected"
    assert re.search(r"You\na tone of \d+ hertz for 0\.\d seconds", turns)
    assert "Model\nI heard a tone of" in turns
    assert volume == "live"
    assert "SessionUpdated" in events
    assert "InputTranscriptDone" in events
    assert (tmp_path / "page.png").stat().st_size > 10_000
    if os.environ.get("KEEP_PICTURES"):
        shutil.copy(tmp_path / "page.png", PICTURE)


@pytest.mark.timeout(120)
async def test_hanging_up_before_the_microphone_is_open_closes_it_again(tmp_path: Path) -> None:
    with EmbeddedServer() as embedded:
        async with (
            page_server(embedded.url) as server,
            chromium.browsing(tmp_path / "profile", server.url) as page,
        ):
            await page.evaluate(HOLD_MICROPHONE)
            await page.click("#call")
            await page.click("#hangup")
            await page.evaluate("window.letGo()")
            track = await page.until(
                "window.microphone?.getAudioTracks()[0].readyState === 'ended' && 'ended'"
            )
            status = await page.text("#status")
            can_call = not await page.evaluate("document.querySelector('#call').disabled")

    assert track == "ended"
    assert status == "Not connected"
    assert can_call


@pytest.mark.timeout(120)
async def test_page_says_when_its_program_has_stopped(tmp_path: Path) -> None:
    with EmbeddedServer() as embedded:
        async with AsyncExitStack() as program:
            server = await program.enter_async_context(page_server(embedded.url))
            async with chromium.browsing(tmp_path / "profile", server.url) as page:
                await page.click("#call")
                await page.until("document.querySelector('#status').dataset.state === 'connected'")
                await program.aclose()
                await page.until("document.querySelector('#status').dataset.state === 'gone'")
                status = await page.text("#status")

    assert status == "The program behind this page has stopped"
