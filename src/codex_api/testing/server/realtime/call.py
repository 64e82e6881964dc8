"""The far end of a WebRTC call: a real peer connection for the model to hear and speak."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from codex_api.testing.server.realtime.conversation import Conversation
from codex_api.voice.webrtc_audio import Pcm16Track, pcm16_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc import MediaStreamTrack, RTCDataChannel

    from codex_api.testing.server.realtime.sayings import Version
    from codex_api.testing.wire import JsonObject


class Call:
    """One call, from its offer until either side hangs up.

    Attributes:
        listeners: Get every message, as the data channel does; one for each sideband.
    """

    def __init__(self, version: Version, new_id: Callable[[str], str]) -> None:
        self.listeners: set[Callable[[str], None]] = set()
        self._voice = Pcm16Track(max_seconds=600)
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._channel: RTCDataChannel | None = None
        self._early: list[str] = []
        self._ear: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self.conversation: Conversation = Conversation(
            version, self._emit, play=self._voice.play, new_id=new_id
        )

    async def answer(self, offer: str) -> str:
        """Return the answer to ``offer``.

        Raises:
            ValueError: The offer is no SDP that this end understands.
        """
        self._pc.on("track", self._listen)
        self._pc.on("datachannel", self._open)
        self._pc.on("connectionstatechange", self._watch)
        await self._pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        self._pc.addTrack(self._voice)
        await self._pc.setLocalDescription(await self._pc.createAnswer())
        return self._pc.localDescription.sdp

    async def over(self) -> None:
        """Return when the call has ended."""
        await self._over.wait()

    def end(self) -> None:
        """Let ``over`` return, so that the call is hung up."""
        self._over.set()

    async def hang_up(self) -> None:
        """Close the peer connection. May be called again."""
        self._over.set()
        await self._pc.close()
        if self._ear is not None:
            self._ear.cancel()
            await asyncio.gather(self._ear, return_exceptions=True)

    def _emit(self, message: JsonObject) -> None:
        text = json.dumps(message, separators=(",", ":"))
        for listener in list(self.listeners):
            listener(text)
        if self._channel is None:
            self._early.append(text)
        elif self._channel.readyState == "open":
            self._channel.send(text)

    def _open(self, channel: RTCDataChannel) -> None:
        self._channel = channel
        channel.on("message", self._receive)
        early, self._early = self._early, []
        for text in early:
            channel.send(text)

    def _receive(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self.conversation.receive(message)

    def _listen(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and self._ear is None:
            self._ear = asyncio.ensure_future(self._hear(track))

    async def _hear(self, track: MediaStreamTrack) -> None:
        async for pcm16 in pcm16_of(track):
            self.conversation.hear(pcm16)

    def _watch(self) -> None:
        if self._pc.connectionState in {"failed", "closed"}:
            self._over.set()
