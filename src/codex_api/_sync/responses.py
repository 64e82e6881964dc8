# Generated from src/codex_api/_async/responses.py by tools/generate_sync.py; do not edit.
"""The Responses endpoints in blocking code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._logic.endpoints import responses as core
from codex_api._logic.endpoints.compaction import compaction_options
from codex_api._sync.compaction import Compactor
from codex_api._sync.response_stream import ResponseStream
from codex_api.types.request import ResponsesOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_api._sync.runner import Runner
    from codex_api._sync.websocket import ResponsesWebSocket
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.transport.network import Network
    from codex_api.types.compaction import CompactionInput, CompactionRoute
    from codex_api.types.item import ResponseItem
    from codex_api.types.request import ResponsesApiRequest
    from codex_api.types.response import Response
    from codex_api.types.turn_state import TurnState
    from codex_api.types.websocket import WebSocketProbe

_NO_OPTIONS = ResponsesOptions()


class Responses:
    """``client.responses``."""

    def __init__(self, runner: Runner, network: Network) -> None:
        self._runner = runner
        self._network = network

    def create(
        self,
        request: ResponsesApiRequest,
        options: ResponsesOptions = _NO_OPTIONS,
        timeout: float | None = None,
    ) -> Response:
        """Make a response and give it as a whole, when all of it is there.

        The key ``stream`` is left out, whatever the request says. With ``background`` the answer
        comes at once, and its ``status`` tells that it is not finished.

        Args:
            request: What to ask.
            options: As for ``stream``; what concerns events is not looked at.
            timeout: Limit in seconds on the whole call; None takes ``Timeouts.total``, else twice
                the provider's idle limit.

        Raises:
            RequestBuildError: The request cannot be encoded, or a header is illegal.
            ResponseIncompleteError: The response was cut off; what there is of it is ``partial``.
            DecodeError: The answer is no response.
            DeadlineExceededError: The limit on the whole call passed; it is not made again.
            CodexApiError: The call or the response failed.
        """
        return self._runner.run(
            core.create(self._runner.settings.context, request, options, timeout)
        )

    def stream(
        self, request: ResponsesApiRequest, options: ResponsesOptions = _NO_OPTIONS
    ) -> ResponseStream:
        """Prepare a streamed response; entering the result makes the call.

        Raises:
            RequestBuildError: The request cannot be encoded or says ``stream=False``, or a header
                is illegal.
        """
        settings = self._runner.settings
        call = core.stream_call(settings.context, request, options, settings.telemetry)
        return ResponseStream(self._runner, call)

    def stream_raw(
        self, body: bytes | Mapping[str, object], options: ResponsesOptions = _NO_OPTIONS
    ) -> ResponseStream:
        """Prepare a streamed response whose body was built elsewhere.

        Args:
            body: JSON that goes out byte for byte, or a mapping to encode.
            options: As for ``stream``.

        Raises:
            RequestBuildError: A header is illegal, or the mapping has no JSON form.
        """
        settings = self._runner.settings
        call = core.raw_stream_call(settings.context, body, options, settings.telemetry)
        return ResponseStream(self._runner, call)

    def connect(
        self,
        options: ResponsesOptions = _NO_OPTIONS,
        extra_headers: Mapping[str, str] | Headers | None = None,
    ) -> ResponsesWebSocket:
        """Open a WebSocket that carries one response after another.

        Args:
            options: For the handshake, and for each response unless it brings its own.
            extra_headers: For the handshake only, over those of the provider and the options.

        Returns:
            The connection, which is open. Close it, or use it in a ``with`` block.

        Raises:
            CodexApiError: The connection could not be made, or was refused.
        """
        from codex_api._sync.websocket import connect_responses  # noqa: PLC0415 - loaded on first use

        return connect_responses(self._runner, self._network, options, extra_headers)

    def probe(
        self,
        options: ResponsesOptions = _NO_OPTIONS,
        extra_headers: Mapping[str, str] | Headers | None = None,
        *,
        immediate_close_timeout: float = 1.0,
    ) -> WebSocketProbe:
        """See whether the server takes WebSockets, without sending a request.

        Args:
            options: As for ``connect``.
            extra_headers: As for ``connect``.
            immediate_close_timeout: Seconds to wait for a close frame after the handshake.

        Raises:
            CodexApiError: The connection could not be made, or was refused.
        """
        from codex_api._sync.websocket import probe_responses  # noqa: PLC0415 - loaded on first use

        return probe_responses(
            self._runner, self._network, options, extra_headers, immediate_close_timeout
        )

    def compact(
        self,
        compaction: CompactionInput,
        extra_headers: HeaderSource | Headers | None = None,
        timeout: float | None = None,
        turn_state: TurnState | str | None = None,
        *,
        via: CompactionRoute = "endpoint",
        options: ResponsesOptions = _NO_OPTIONS,
    ) -> list[ResponseItem]:
        """Compact a history, and give the one to go on with.

        Args:
            compaction: The history, at least one item.
            extra_headers: For this call; laid over those of ``options``.
            timeout: Limit in seconds on the whole call; None takes 4 times the idle limit.
            turn_state: Cell of this turn: sent if set, and set by the answer if not. A string is
                only sent.
            via: ``endpoint`` calls ``responses/compact``; ``stream`` ends the input of a streamed
                response with a trigger; ``auto`` takes what the server has.
            options: Says which session and sub-agent the call belongs to.

        Returns:
            By stream: the user's messages and the compaction item. An element that is no known item
            is an ``UnknownItem``.

        Raises:
            RequestBuildError: The history is empty, or ``via`` not one of the three.
            DecodeError: The answer is not what was promised.
            DeadlineExceededError: The limit on the whole call passed.
            CodexApiError: The call failed.
        """
        settled = compaction_options(options, extra_headers, turn_state)
        return Compactor(self._runner, compaction, settled, timeout).run(via)
