"""One realtime session under asyncio."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from codex_api._async.waits import Lock, Signal, Waiter, at_most
from codex_api._logic.realtime.connection import (
    SessionMachine,
    closed_error,
    final_error,
    sideband_delay,
)
from codex_api.transport.errors import (
    ClientStateError,
    CodexApiError,
    TransportTimeoutError,
    WebSocketClosedError,
)
from codex_api.types.realtime import RealtimeAudioFrame

if TYPE_CHECKING:
    from types import TracebackType

    from codex_api._async.runner import Runner
    from codex_api._logic.calling.dialing import Dialing
    from codex_api._logic.realtime.watch import SessionWatch
    from codex_api.transport._core.headers import Headers
    from codex_api.transport.network import Network
    from codex_api.transport.websocket_async import AsyncWebSocket
    from codex_api.types.realtime import (
        RealtimeModality,
        RealtimeMode,
        RealtimeRole,
        RealtimeSessionConfig,
        TranscriptEntry,
    )
    from codex_api.types.realtime_events import RealtimeEvent

_GOODBYE_TIMEOUT = 3.0
_PAUSE_PIECE = 1.0


class AsyncRealtimeConnection:
    """A realtime session. One task reads; others may send meanwhile, and never wait for it.

    Iterating gives events until the session ends. Frames that nobody reads stay with the network
    once a few dozen are held, so a slow reader slows the server and not the memory.

    Attributes:
        close_code: Code of the close frame that ended the session, or None.
        close_reason: What that frame said.
    """

    def __init__(
        self,
        machine: SessionMachine,
        runner: Runner,
        network: Network,
        dialing: Dialing,
        watch: SessionWatch,
    ) -> None:
        self._machine = machine
        self._watch: SessionWatch = watch
        self._runner = runner
        self._network = network
        self._dialing = dialing
        self._clock = runner.settings.clock
        self._waiter = Waiter(self._clock.monotonic)
        self._socket: AsyncWebSocket | None = None
        self._opening: AsyncWebSocket | None = None
        self._ready: deque[RealtimeEvent] = deque()
        self._writing = Lock()
        self._reading = self._closing = False
        self._changed = Signal()
        self.close_code: int | None = None
        self.close_reason: str = ""

    async def open(self) -> None:
        """Make the first connection. The client does this.

        Raises:
            CodexApiError: It could not be made, or the server refused the session.
        """
        retry = self._runner.settings.context.provider.retry
        attempt = 0
        while True:
            try:
                events = await self._establish()
            except CodexApiError as exc:
                delay = None
                if self._machine.sideband:
                    delay = sideband_delay(exc, attempt, retry, self._clock.draw)
                if delay is None:
                    raise
                attempt += 1
                await self._clock.sleep_async(delay)
            else:
                self._watch.open(reconnected=False)
                self._tell(events)
                return

    @property
    def config(self) -> RealtimeSessionConfig:
        """The session's configuration as last sent."""
        return self._machine.config

    @property
    def headers(self) -> Headers:
        """Header fields of the answer to the handshake."""
        return self._live().headers

    @property
    def is_closed(self) -> bool:
        """Whether no more events will come."""
        return self._closing or self._machine.closed

    @property
    def transcript(self) -> tuple[TranscriptEntry, ...]:
        """What was said so far, as far as it is kept."""
        return self._machine.state.transcript

    @property
    def response_active(self) -> bool:
        """Whether the model is answering now."""
        return self._machine.state.response_active

    def take_transcript_tail(self) -> tuple[TranscriptEntry, ...]:
        """Return what was said since the last handoff, once."""
        return self._machine.state.take_transcript_tail()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RealtimeEvent:
        event = await self.next_event()
        if event is None:
            raise StopAsyncIteration
        return event

    async def next_event(self) -> RealtimeEvent | None:
        """Wait for an event. Where it can be cancelled, nothing is lost by that.

        Returns:
            The event, or None when the session has ended, however often this is called.

        Raises:
            StreamClosedError: The connection broke and was not, or could not be, made again.
            IdleTimeoutError: No event came in time; ``LivenessTimeoutError`` if not even a byte.
            ClientStateError: Another task is reading.
        """
        if self._reading:
            message = "another task is reading from this realtime connection"
            raise ClientStateError(message)
        self._reading = True
        try:
            while not self._ready and not self.is_closed:
                await self._read()
            return self._ready.popleft() if self._ready and not self._closing else None
        finally:
            self._reading = False
            if self._closing:
                self._waiter.stop()

    async def _read(self) -> None:
        try:
            frame = await self._receive(self._live())
            self._tell(self._machine.feed(frame, self._clock.monotonic()))
        except ClientStateError:
            raise
        except CodexApiError as exc:
            if not self._closing:
                await self._recover(exc)

    async def _receive(self, socket: AsyncWebSocket) -> str | bytes:
        machine, now = self._machine, self._clock.monotonic
        machine.waiting(now())
        while True:
            try:
                return await self._waiter.receive(socket, machine.wake_at(socket.last_activity))
            except TransportTimeoutError:
                error = machine.timed_out(now(), socket.last_activity)
                if error is not None:
                    raise error from None
                if machine.ping_due(now(), socket.last_activity):
                    await socket.ping()

    async def _recover(self, error: CodexApiError) -> None:
        """Make a new connection after ``error``, or end the session with it."""
        machine, cause = self._machine, error
        while (delay := machine.lost(cause, self._clock.draw)) is not None:
            self._live().abort()
            await self._pause(delay)
            if self._closing:
                return
            try:
                events = await self._establish()
            except CodexApiError as exc:
                if self._closing:
                    return
                cause = exc
            else:
                self._watch.open(reconnected=True)
                self._tell([machine.reopened(), *events])
                return
        self._end(cause)
        if machine.ends_quietly(cause):
            self._watch.end(None)
            return
        error = final_error(cause, now=self._clock.wall())
        self._watch.end(error)
        raise error from cause

    def _tell(self, events: list[RealtimeEvent]) -> None:
        for event in events:
            self._watch.event(event)
        self._ready.extend(events)

    async def _pause(self, delay: float) -> None:
        # In pieces, so that a reader ends soon after close().
        while delay > 0 and not self._closing:
            await self._clock.sleep_async(min(delay, _PAUSE_PIECE))
            delay -= _PAUSE_PIECE

    def _end(self, error: CodexApiError) -> None:
        if isinstance(error, WebSocketClosedError):
            self.close_code, self.close_reason = error.code, error.reason
        self._live().abort()
        self._changed.set()

    async def _establish(self) -> list[RealtimeEvent]:
        """Open a WebSocket and the session on it; give what came before the acknowledgement."""
        self._opening = socket = await self._runner.connect(
            self._dialing, self._network, self._watch.observer
        )
        try:
            self._check_wanted()  # close() may have come when there was nothing to drop
            machine = self._machine
            for frame in machine.opened(self._clock.monotonic()):
                await socket.send(frame, machine.options.send_timeout)
            events: list[RealtimeEvent] = []
            while not machine.acknowledged:
                events += machine.feed(await self._receive(socket), self._clock.monotonic())
            self._check_wanted()
        except BaseException:
            socket.abort()
            raise
        finally:
            self._opening = None
        self._socket = socket
        self._changed.set()
        self._changed = Signal()
        return events

    def _check_wanted(self) -> None:
        if self._closing:
            raise closed_error()

    def _live(self) -> AsyncWebSocket:
        if self._socket is None:
            message = "this realtime connection was never opened"
            raise ClientStateError(message)
        return self._socket

    async def send_audio_frame(self, frame: RealtimeAudioFrame | bytes) -> None:
        """Send sound: 24 kHz mono, as a frame or as PCM16 bytes.

        Raises:
            StreamClosedError: The session has ended; true of every method that sends.
            TransportTimeoutError: The network did not take the message, or no new connection stood,
                within ``send_timeout``; true of every method that sends.
        """
        if isinstance(frame, bytes):
            frame = RealtimeAudioFrame.from_pcm16(frame)
        await self._send([self._machine.dialect.audio_append(frame.data)])

    async def send_conversation_item_create(self, text: str, role: RealtimeRole = "user") -> None:
        """Add ``text`` to the conversation."""
        await self._send(self._machine.dialect.item_create(text, role))

    async def send_conversation_handoff_append(self, handoff_id: str, text: str) -> None:
        """Report progress on a handoff."""
        await self._send(self._machine.dialect.handoff_append(handoff_id, text))

    async def send_standalone_handoff(self, handoff_id: str, text: str) -> None:
        """Bring news that no handoff asked for.

        Raises:
            InvalidRequestError: The session speaks v2, which has no such message.
        """
        await self._send(self._machine.dialect.standalone_handoff(handoff_id, text))

    async def send_conversation_function_call_output(self, call_id: str, text: str) -> None:
        """End a handoff, or answer a call to stay silent, with ``text``."""
        await self._send(self._machine.dialect.function_call_output(call_id, text))

    async def send_response_create(self) -> None:
        """Ask the model to answer now.

        Raises:
            InvalidRequestError: The session speaks v3, which has no such message.
        """
        await self._send([self._machine.dialect.response_create()])

    async def send_session_update(
        self,
        instructions: str | None = None,
        mode: RealtimeMode | None = None,
        output_modality: RealtimeModality | None = None,
        voice: str | None = None,
    ) -> None:
        """Change the session's settings; None leaves one as it is."""
        frame = self._machine.update(
            instructions=instructions, mode=mode, output_modality=output_modality, voice=voice
        )
        await self._send([frame])

    async def send_payload(self, payload: str) -> None:
        """Send a message as it is."""
        await self._send([payload])

    async def _send(self, frames: list[str]) -> None:
        async with self._writing:
            for frame in frames:
                await self._send_one(frame)

    async def _send_one(self, frame: str) -> None:
        timeout = self._machine.options.send_timeout
        while True:
            if self.is_closed:
                raise closed_error()
            # In this order: a new connection between the two must not go unnoticed.
            changed, socket = self._changed, self._live()
            try:
                await socket.send(frame, timeout)
            except TransportTimeoutError:
                # A part of the message may be under way: nothing can follow it.
                socket.abort()
                raise
            except WebSocketClosedError as exc:
                if self._machine.options.reconnect is None:
                    raise closed_error() from exc
                if not await changed.wait(timeout):
                    message = f"no new realtime connection stood within {timeout} s"
                    raise TransportTimeoutError(message) from None
            else:
                return

    async def close(self) -> None:
        """Say goodbye and close. May be called again, and while another task reads or sends."""
        if self._closing:
            return
        self._closing = True
        self._watch.end(None)
        self._changed.set()
        if (opening := self._opening) is not None:
            opening.abort()
        socket = self._socket
        if socket is None:
            return
        try:
            # A peer that takes nothing would hold the goodbye, and with it the caller.
            async with at_most(_GOODBYE_TIMEOUT, socket.abort):
                with suppress(CodexApiError):
                    for frame in self._machine.goodbye():
                        await socket.send(frame)
                await socket.close()
        finally:
            if not self._reading:  # a reader still needs its limits
                self._waiter.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
