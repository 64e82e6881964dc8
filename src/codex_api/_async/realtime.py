"""Realtime calls and sessions under asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._async.connecting import Connecting
from codex_api._async.realtime_connection import AsyncRealtimeConnection
from codex_api._logic.outgoing.header_arguments import hides_headers
from codex_api._logic.realtime import calls
from codex_api._logic.realtime.connection import SessionMachine, as_config, opening_error
from codex_api._logic.realtime.handshake import handshake
from codex_api._logic.realtime.watch import watch_session
from codex_api.transport.errors import CodexApiError
from codex_api.types.realtime_options import RealtimeOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_api._async.runner import Runner
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.transport.network import Network
    from codex_api.types.realtime import RealtimeCall, RealtimeSessionConfig

_OPTIONS = RealtimeOptions()


class AsyncRealtime:
    """``client.realtime``."""

    def __init__(self, runner: Runner, network: Network) -> None:
        self._runner = runner
        self._network = network

    @hides_headers
    async def create_call(
        self,
        sdp: str,
        session: RealtimeSessionConfig | Mapping[str, object] | None = None,
        extra_headers: HeaderSource | Headers | None = None,
    ) -> RealtimeCall:
        """Make the WebRTC call that answers the offer ``sdp``.

        Args:
            sdp: The offer of the peer connection.
            session: None leaves all settings to the server; a mapping has the fields as keys.
            extra_headers: Over the provider's.

        Raises:
            InvalidRequestError: The session asks for v2, for transcription or for written answers,
                none of which calls have; nothing is sent.
            CodexApiError: The call failed, or its answer makes no sense.
        """
        context = self._runner.settings.context
        meant = None if session is None else as_config(session)
        return await self._runner.run(calls.create_call(context, sdp, meant, extra_headers))

    @hides_headers
    def connect(
        self,
        config: RealtimeSessionConfig | Mapping[str, object],
        extra_headers: HeaderSource | Headers | None = None,
        *,
        options: RealtimeOptions = _OPTIONS,
    ) -> Connecting[AsyncRealtimeConnection]:
        """Open a session of its own.

        Returns:
            To be awaited, or entered with ``async with``; both give the connection.

        Raises:
            TypeError: ``config`` is neither a configuration nor a mapping.
            CodexApiError: The connection could not be made, or the server refused the session.
        """
        meant = as_config(config)
        return Connecting(lambda: self._open(meant, None, extra_headers, options))

    @hides_headers
    def join_call(
        self,
        config: RealtimeSessionConfig | Mapping[str, object],
        call_id: str,
        extra_headers: HeaderSource | Headers | None = None,
        *,
        options: RealtimeOptions = _OPTIONS,
    ) -> Connecting[AsyncRealtimeConnection]:
        """Join a WebRTC call beside its sound, as often as the provider's retry settings allow.

        Returns:
            To be awaited, or entered with ``async with``; both give the connection.

        Raises:
            CodexApiError: The last attempt failed, or the credentials were refused.
        """
        meant = as_config(config)
        return Connecting(lambda: self._open(meant, call_id, extra_headers, options))

    async def _open(
        self,
        config: RealtimeSessionConfig,
        call_id: str | None,
        extra_headers: HeaderSource | Headers | None,
        options: RealtimeOptions,
    ) -> AsyncRealtimeConnection:
        settings = self._runner.settings
        settings.check_open()
        dialing = handshake(settings.context, config, call_id, extra_headers)
        machine = SessionMachine(config, options, sideband=call_id is not None)
        watch = watch_session(settings.telemetry, dialing, config.model, call_id)
        connection = AsyncRealtimeConnection(machine, self._runner, self._network, dialing, watch)
        try:
            await connection.open()
        except CodexApiError as exc:
            error = opening_error(exc, now=settings.clock.wall())
            watch.end(error)
            if error is exc:
                raise
            raise error from exc
        except BaseException as exc:
            watch.end(exc)
            raise
        return connection
