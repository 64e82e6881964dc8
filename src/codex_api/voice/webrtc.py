"""A realtime call over WebRTC, from this process. Needs the extra ``codex-api[webrtc]``.

::

    async with RealtimePeer(client, RealtimeSessionConfig("be brief")) as peer:
        await peer.play(session_frames("question.wav"))
        async for event in peer.sideband:
            ...

The peer connection is aiortc's. Sound and the ``oai-events`` data channel go over it; the sideband
is a WebSocket that joins the same call, where an agent listens and answers handoffs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from codex_api._imports import installed_by
from codex_api._logic.realtime.calls import check_callable
from codex_api._logic.realtime.connection import SessionMachine
from codex_api.errors import ClientStateError, ConnectTimeoutError, DecodeError, NetworkError
from codex_api.types.realtime import RealtimeSessionConfig
from codex_api.types.realtime_options import RealtimeOptions
from codex_api.voice.audio import WavWriter
from codex_api.voice.webrtc_audio import Pcm16Track, pcm16_of

with installed_by("webrtc", "aiortc", "av"):
    from aiortc import (
        RTCConfiguration,
        RTCIceServer,
        RTCPeerConnection,
        RTCSessionDescription,
    )

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import IO

    from aiortc import MediaStreamTrack, RTCDataChannel

    from codex_api._async.client import AsyncClient
    from codex_api._async.realtime_connection import AsyncRealtimeConnection
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.types.realtime import RealtimeCall
    from codex_api.types.realtime_events import RealtimeEvent
    from codex_api.voice.webrtc_audio import SoundSource

__all__ = ["RealtimePeer"]

EVENTS_CHANNEL = "oai-events"
_OPTIONS = RealtimeOptions()
_MAX_EVENTS = 4096


class RealtimePeer:
    """One end of a call: makes the offer, creates the call, and speaks and listens on it.

    Entering it calls; leaving it hangs up. It belongs to one event loop.

    Args:
        client: Creates the call and joins the sideband.
        config: The session; None leaves it to the server, and there is no sideband then.
        record: WAV file that gets the remote sound, 24 kHz mono.
        on_audio: Called with each piece of remote sound: PCM16, 24 kHz, mono.
        sideband: Whether to join the call beside its sound.
        sideband_client: Joins the sideband in place of ``client``: calls of the ChatGPT backend are
            joined at the API's own address.
        options: How the sideband is watched and kept.
        extra_headers: On the call and on the sideband.
        ice_servers: STUN and TURN URLs; empty uses the addresses of this machine only.
        connect_timeout: Seconds from the call's answer until sound can flow.

    Attributes:
        microphone: Track that is sent; ``play`` is its shorthand.
        call: The answered call, once there is one.
        heard_seconds: Remote sound received so far.
        dropped_events: Events of the data channel lost because nobody read them.
    """

    def __init__(
        self,
        client: AsyncClient,
        config: RealtimeSessionConfig | None = None,
        *,
        record: str | Path | IO[bytes] | None = None,
        on_audio: Callable[[bytes], None] | None = None,
        sideband: bool = True,
        sideband_client: AsyncClient | None = None,
        options: RealtimeOptions = _OPTIONS,
        extra_headers: HeaderSource | Headers | None = None,
        ice_servers: Sequence[str] = (),
        connect_timeout: float = 15.0,
    ) -> None:
        self._client = client
        self._sideband_client = sideband_client or client
        self._config = config
        self._joins = sideband and config is not None
        self._options = options
        self._extra_headers = extra_headers
        self._ice_servers = [RTCIceServer(url) for url in ice_servers]
        self._connect_timeout = connect_timeout
        self._record = record
        self._on_audio = on_audio
        self._machine = SessionMachine(config or RealtimeSessionConfig(), options, sideband=True)
        self._events: deque[RealtimeEvent] = deque()
        self._arrived = asyncio.Event()
        self._ended = False
        self._pc: RTCPeerConnection | None = None
        self._channel: RTCDataChannel | None = None
        self._sideband: AsyncRealtimeConnection | None = None
        self._listener: asyncio.Task[None] | None = None
        self._writer: WavWriter | None = None
        self.microphone: Pcm16Track = Pcm16Track()
        self.call: RealtimeCall | None = None
        self.heard_seconds: float = 0.0
        self.dropped_events: int = 0

    @property
    def sideband(self) -> AsyncRealtimeConnection:
        """The WebSocket that joined the call.

        Raises:
            ClientStateError: There is none.
        """
        if self._sideband is None:
            message = "this call has no sideband"
            raise ClientStateError(message)
        return self._sideband

    @property
    def is_connected(self) -> bool:
        """Whether sound flows."""
        return self._pc is not None and self._pc.connectionState == "connected"

    async def start(self) -> None:
        """Call. Entering the peer does this.

        Raises:
            InvalidRequestError: The session asks for v2, for transcription or for written answers,
                none of which calls have.
            OSError: The recording cannot be written.
            DecodeError: The call was answered with what is no answer to the offer.
            ConnectTimeoutError: The call was answered, but no sound could flow in time.
            CodexApiError: The call, or joining its sideband, failed.
        """
        if self._pc is not None:
            message = "this peer has called already: make another one"
            raise ClientStateError(message)
        if self._config is not None:
            check_callable(self._config)  # looking for addresses may ask STUN servers already
        self._pc = pc = RTCPeerConnection(RTCConfiguration(iceServers=self._ice_servers))
        try:
            if self._record is not None:
                self._writer = WavWriter(self._record)
            await self._call(pc)
        except BaseException:
            await self.hang_up()
            raise

    async def _call(self, pc: RTCPeerConnection) -> None:
        pc.addTrack(self.microphone)
        pc.on("track", self._listen)
        self._channel = channel = pc.createDataChannel(EVENTS_CHANNEL)
        channel.on("message", self._receive)
        opened = asyncio.Event()
        channel.on("open", opened.set)
        changed = asyncio.Event()
        pc.on("connectionstatechange", changed.set)
        pc.on("connectionstatechange", self._watch)
        await pc.setLocalDescription(await pc.createOffer())
        self.call = call = await self._client.realtime.create_call(
            pc.localDescription.sdp, self._config, self._extra_headers
        )
        try:
            await pc.setRemoteDescription(RTCSessionDescription(call.sdp, "answer"))
        except Exception as exc:  # its parser raises whatever it stumbles over
            message = f"the SDP answer of the call {call.call_id} cannot be used"
            raise DecodeError(f"{message}: {exc}" if str(exc) else message) from exc
        await self._connected(pc, opened, changed)
        if self._joins and self._config is not None:
            self._sideband = await self._sideband_client.realtime.join_call(
                self._config, call.call_id, self._extra_headers, options=self._options
            )

    async def _connected(
        self, pc: RTCPeerConnection, opened: asyncio.Event, changed: asyncio.Event
    ) -> None:
        try:
            async with asyncio.timeout(self._connect_timeout):
                while pc.connectionState not in {"connected", "failed", "closed"}:
                    changed.clear()
                    await changed.wait()
                if pc.connectionState == "connected":
                    await opened.wait()
        except TimeoutError:
            message = f"the call was answered, but not connected in {self._connect_timeout} s"
            raise ConnectTimeoutError(message) from None
        if pc.connectionState != "connected":
            message = "the call was answered, but no path for its sound was found"
            raise NetworkError(message)

    def _watch(self) -> None:
        if self._pc is not None and self._pc.connectionState in {"failed", "closed"}:
            self._ended = True
            self._arrived.set()

    def _listen(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and self._listener is None:
            self._listener = asyncio.ensure_future(self._hear(track))

    async def _hear(self, track: MediaStreamTrack) -> None:
        async for pcm16 in pcm16_of(track):
            self.heard_seconds += len(pcm16) / 48_000
            if self._writer is not None:
                self._writer.write_pcm16(pcm16)
            if self._on_audio is not None:
                self._on_audio(pcm16)

    def _receive(self, message: str | bytes) -> None:
        now = asyncio.get_running_loop().time()
        for event in self._machine.feed(message, now):
            if len(self._events) >= _MAX_EVENTS:
                self._events.popleft()
                self.dropped_events += 1
            self._events.append(event)
        self._arrived.set()

    async def events(self) -> AsyncIterator[RealtimeEvent]:
        """Iterate over the events of the data channel until the call ends.

        The last few thousand are kept for a slow reader; see ``dropped_events``. A sideband has
        events of its own and loses none.
        """
        while True:
            while self._events:
                yield self._events.popleft()
            if self._ended:
                return
            self._arrived.clear()
            await self._arrived.wait()

    async def play(self, source: SoundSource) -> None:
        """Say something: frames, or pieces of PCM16, of 24 kHz mono; returns when it is said."""
        await self.microphone.play_all(source)

    def send_payload(self, payload: str) -> None:
        """Send a message as it is over the data channel.

        Raises:
            ClientStateError: The channel is not open.
        """
        channel = self._channel
        if channel is None or channel.readyState != "open":
            message = "the data channel of this call is not open"
            raise ClientStateError(message)
        channel.send(payload)

    async def hang_up(self) -> None:
        """End the call, its sideband and its recording. May be called again."""
        self._ended = True
        self._arrived.set()
        if self._sideband is not None:
            await self._sideband.close()
        self.microphone.stop()
        if self._pc is not None:
            await self._pc.close()
        try:
            if self._listener is not None:
                self._listener.cancel()
                with suppress(asyncio.CancelledError):
                    await self._listener
        finally:
            if self._writer is not None:
                self._writer.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.hang_up()
