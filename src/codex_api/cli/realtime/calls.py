"""``codex-api realtime call``: a WebRTC call from WAV file to WAV file."""

from __future__ import annotations

import asyncio
import sys
from asyncio import FIRST_COMPLETED
from contextlib import contextmanager
from pathlib import Path  # noqa: TC003 - read by cyclopts
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from codex_api.cli.connection import Connection, Endpoint
from codex_api.cli.realtime.clients import call_clients
from codex_api.cli.realtime.options import SessionOptions
from codex_api.cli.realtime.sessions import JsonLines, Quiet  # noqa: TC001 - read by cyclopts
from codex_api.cli.realtime.sound_files import frames_of, writer_for
from codex_api.cli.realtime.transcript import printing
from codex_api.transport.errors import RequestBuildError
from codex_api.types.realtime_events import HandoffRequested

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from codex_api.cli.realtime.transcript import EventPrinter
    from codex_api.types.realtime import RealtimeAudioFrame, RealtimeSessionConfig
    from codex_api.voice.audio import WavWriter
    from codex_api.voice.webrtc import RealtimePeer

_LOUD = 500


def call(
    wav: Annotated[
        Path | None,
        Parameter(help="What to say: 16-bit PCM, any rate. Without it the microphone is used."),
    ] = None,
    /,
    *,
    output: Annotated[Path | None, Parameter(help="WAV file for what is heard.")] = None,
    version: Annotated[Literal["v1", "v3"], Parameter(help="Protocol version.")] = "v1",
    stun: Annotated[
        tuple[str, ...], Parameter(help="STUN or TURN URL; may be repeated.", negative="")
    ] = (),
    agent: Annotated[
        str | None, Parameter(help="What to answer when the model hands work over.")
    ] = None,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    session: SessionOptions = SessionOptions(),  # noqa: B008 - frozen
    quiet: Quiet = 3.0,
    json_lines: JsonLines = False,
) -> None:
    """Call the model, say what is in a WAV file, and keep what it answers."""
    frames = None if wav is None else frames_of(wav)
    config = session.config(version)
    with (
        connection.endpoint() as endpoint,
        printing(sys.stdout, json_lines=json_lines) as printer,
        writer_for(output) as writer,
    ):
        conversation = _Conversation(frames, config, printer, writer, agent, quiet)
        asyncio.run(conversation.hold(endpoint, stun))


class _Conversation:
    def __init__(
        self,
        frames: list[RealtimeAudioFrame] | None,
        config: RealtimeSessionConfig,
        printer: EventPrinter,
        writer: WavWriter | None,
        agent: str | None,
        quiet: float,
    ) -> None:
        self._frames, self._config, self._agent, self._quiet = frames, config, agent, quiet
        self._printer, self._writer = printer, writer
        self._quiet_at = 0.0
        self._play: Callable[[bytes], None] | None = None

    async def hold(self, endpoint: Endpoint, stun: tuple[str, ...]) -> None:
        """Call, speak, listen and hang up."""
        try:
            from codex_api.voice.webrtc import RealtimePeer  # noqa: PLC0415 - the extra may be missing
        except ModuleNotFoundError as exc:
            message = "calls need: pip install 'codex-api[webrtc]'"
            raise RequestBuildError(message) from exc
        with self._speaker():
            async with (
                call_clients(endpoint) as clients,
                RealtimePeer(
                    clients.caller,
                    self._config,
                    on_audio=self._hear,
                    sideband_client=clients.sideband,
                    ice_servers=stun,
                ) as peer,
            ):
                following = asyncio.ensure_future(self._follow(peer))
                speaking = asyncio.ensure_future(self._speak(peer))
                try:
                    await asyncio.wait({following, speaking}, return_when=FIRST_COMPLETED)
                finally:
                    following.cancel()
                    speaking.cancel()
                    results = await asyncio.gather(following, speaking, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    @contextmanager
    def _speaker(self) -> Generator[None]:
        if self._frames is not None:
            yield
            return
        from codex_api.voice.microphone import loudspeaker  # noqa: PLC0415 - rarely wanted

        with loudspeaker() as speaker:
            self._play = speaker.play
            yield

    async def _speak(self, peer: RealtimePeer) -> None:
        if self._frames is None:
            from codex_api.voice.microphone import microphone  # noqa: PLC0415 - rarely wanted

            await peer.play(microphone())
            return
        now = asyncio.get_running_loop().time
        await peer.play(self._frames)
        self._active()
        while (left := self._quiet_at - now()) > 0:  # noqa: ASYNC110 - each sound moves the end
            await asyncio.sleep(left)

    def _hear(self, pcm16: bytes) -> None:
        if self._play is not None:
            self._play(pcm16)
        if self._writer is not None:
            self._writer.write_pcm16(pcm16)
        if max(memoryview(pcm16).cast("h"), default=0) > _LOUD:
            self._active()

    def _active(self) -> None:
        self._quiet_at = asyncio.get_running_loop().time() + self._quiet

    async def _follow(self, peer: RealtimePeer) -> None:
        async for event in peer.sideband:
            self._printer.show(event)
            self._active()
            if isinstance(event, HandoffRequested) and self._agent is not None:
                await peer.sideband.send_conversation_function_call_output(
                    event.handoff_id, self._agent
                )
