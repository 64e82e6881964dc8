"""A headless Chromium with a fake microphone, driven over its debugging protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import ClientConnection, connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BINARY = shutil.which("chromium")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--remote-debugging-port=0",
    "--window-size=1100,720",
    # A beep each second instead of a microphone, and no question about it.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    # Calls stay on this machine.
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)

    async def command(self, method: str, **params: object) -> Any:
        number = next(self._ids)
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(await self._socket.recv())
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                return message["result"]

    async def evaluate(self, expression: str) -> Any:
        answer = await self.command(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def click(self, selector: str) -> None:
        await self.evaluate(f"document.querySelector({selector!r}).click()")

    async def text(self, selector: str) -> str:
        return str(await self.evaluate(f"document.querySelector({selector!r}).innerText"))

    async def until(self, expression: str, seconds: float = 20) -> Any:
        """Wait until a JavaScript expression is truthy, and give it."""
        async with asyncio.timeout(seconds):
            while not (value := await self.evaluate(expression)):  # noqa: ASYNC110 - a browser's
                await asyncio.sleep(0.05)
        return value

    async def screenshot(self, path: Path) -> None:
        answer = await self.command("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(answer["data"]))  # noqa: ASYNC240 - a test's file


@asynccontextmanager
async def browsing(profile: Path, url: str) -> AsyncIterator[Page]:
    """Open ``url`` in a browser of its own."""
    assert BINARY is not None
    process = await asyncio.create_subprocess_exec(
        BINARY,
        *_FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        port, path = await _debugging_address(profile)
        async with connect(f"ws://127.0.0.1:{port}{path}", max_size=None) as browser:
            tabs = await Page(browser).command("Target.getTargets")
            target = next(t["targetId"] for t in tabs["targetInfos"] if t["type"] == "page")
        tab = f"ws://127.0.0.1:{port}/devtools/page/{target}"
        async with connect(tab, max_size=None) as socket:
            page = Page(socket)
            await page.command("Page.navigate", url=url)
            await page.until(
                "document.readyState === 'complete' && location.href !== 'about:blank'"
            )
            yield page
    finally:
        process.terminate()
        await process.wait()


async def _debugging_address(profile: Path) -> tuple[str, str]:
    file = profile / "DevToolsActivePort"
    async with asyncio.timeout(30):
        while not file.exists() or "\n" not in file.read_text():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.05)
    port, path = file.read_text().split("\n")[:2]
    return port, path
