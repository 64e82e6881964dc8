"""``codex-api realtime listen`` and ``say``: sessions over a WebSocket."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path  # noqa: TC003 - read by cyclopts
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from codex_api._async.client import AsyncClient
from codex_api.cli.connection import Connection, Endpoint
from codex_api.cli.realtime.options import SessionOptions
from codex_api.cli.realtime.sound_files import frames_of, writer_for
from codex_api.cli.realtime.transcript import printing
from codex_api.types.realtime import RealtimeVersion  # noqa: TC001 - read by cyclopts
from codex_api.types.realtime_events import AudioOut, RealtimeErrorEvent
from codex_api.types.realtime_options import RealtimeOptions

if TYPE_CHECKING:
    from codex_api._async.realtime_connection import AsyncRealtimeConnection
    from codex_api.cli.realtime.transcript import EventPrinter
    from codex_api.types.realtime import RealtimeAudioFrame, RealtimeSessionConfig
    from codex_api.voice.audio import WavWriter

_OPTIONS = RealtimeOptions(acknowledge=True)
# Silence after the file, in frames of 20 ms, so that the server hears where the speech ends.
_CLOSING_FRAMES = 50

JsonLines = Annotated[bool, Parameter(name="--json", negative="", help="Print one event a line.")]
Quiet = Annotated[float, Parameter(help="Seconds without an event after which it is over.")]


def listen(
    wav: Annotated[Path, Parameter(help="What to transcribe: 16-bit PCM, any rate.")],
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    session: SessionOptions = SessionOptions(),  # noqa: B008 - frozen
    quiet: Quiet = 3.0,
    json_lines: JsonLines = False,
) -> None:
    """Print what is said in a WAV file, as it is heard."""
    frames = frames_of(wav)
    config = msgspec.structs.replace(session.config("v2"), mode="transcription")
    with (
        connection.endpoint() as endpoint,
        printing(sys.stdout, json_lines=json_lines) as printer,
    ):
        asyncio.run(_listen(endpoint, config, frames, printer, quiet))


def say(
    text: Annotated[str, Parameter(help="What to say to the model.")],
    /,
    *,
    output: Annotated[Path | None, Parameter(help="WAV file for the spoken answer.")] = None,
    version: Annotated[RealtimeVersion, Parameter(help="Protocol version.")] = "v2",
    connection: Connection = Connection(),  # noqa: B008 - frozen
    session: SessionOptions = SessionOptions(),  # noqa: B008 - frozen
    quiet: Quiet = 3.0,
    json_lines: JsonLines = False,
) -> None:
    """Say something in writing; print the answer and keep its sound."""
    config = session.config(version)
    with (
        connection.endpoint() as endpoint,
        printing(sys.stdout, json_lines=json_lines) as printer,
        writer_for(output) as writer,
    ):
        asyncio.run(_say(endpoint, config, text, printer, writer, quiet))


async def _listen(
    endpoint: Endpoint,
    config: RealtimeSessionConfig,
    frames: list[RealtimeAudioFrame],
    printer: EventPrinter,
    quiet: float,
) -> None:
    async with (
        AsyncClient(endpoint.provider, endpoint.auth, timeouts=endpoint.timeouts) as client,
        client.realtime.connect(config, options=_OPTIONS) as connection,
    ):
        sending = asyncio.ensure_future(_send(connection, frames))
        try:
            await _follow(connection, printer, None, quiet, sending)
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending


async def _send(connection: AsyncRealtimeConnection, frames: list[RealtimeAudioFrame]) -> None:
    for frame in frames:
        await connection.send_audio_frame(frame)
    for _ in range(_CLOSING_FRAMES):
        await connection.send_audio_frame(bytes(960))


async def _say(
    endpoint: Endpoint,
    config: RealtimeSessionConfig,
    text: str,
    printer: EventPrinter,
    writer: WavWriter | None,
    quiet: float,
) -> None:
    async with (
        AsyncClient(endpoint.provider, endpoint.auth, timeouts=endpoint.timeouts) as client,
        client.realtime.connect(config, options=_OPTIONS) as connection,
    ):
        await connection.send_conversation_item_create(text)
        if config.version == "v2":
            await connection.send_response_create()
        await _follow(connection, printer, writer, quiet, None)


async def _follow(
    connection: AsyncRealtimeConnection,
    printer: EventPrinter,
    writer: WavWriter | None,
    quiet: float,
    sending: asyncio.Future[None] | None,
) -> None:
    """Show events until none has come for ``quiet`` seconds and everything is sent."""
    while True:
        try:
            async with asyncio.timeout(quiet):
                event = await connection.next_event()
        except TimeoutError:
            if sending is None or sending.done():
                return
            continue
        if event is None:
            return
        printer.show(event)
        if isinstance(event, AudioOut) and writer is not None:
            try:
                writer.write_frame(event.frame)
            except ValueError as exc:
                printer.show(RealtimeErrorEvent(f"a piece of sound is lost: {exc}"))
