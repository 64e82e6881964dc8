# Generated from src/codex_api/_async/responses.py by tools/generate_sync.py; do not edit.
"""The Responses endpoints in blocking code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from codex_api._logic.calling.resume import resume_call
from codex_api._logic.endpoints import responses as core
from codex_api._logic.endpoints import stored_responses as stored
from codex_api._logic.endpoints.compaction import compact, compaction_options
from codex_api._logic.outgoing.header_arguments import hides_headers
from codex_api._logic.outgoing.plain_values import as_value
from codex_api._sync.compaction import Compactor
from codex_api._sync.pages import paged
from codex_api._sync.response_stream import ResponseStream
from codex_api._sync.unary import Endpoints, unary
from codex_api.types.background import BackgroundHandle
from codex_api.types.compaction import CompactionInput
from codex_api.types.request import ResponsesOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codex_api._sync.background import BackgroundResponse
    from codex_api._sync.runner import Runner
    from codex_api._sync.websocket import ResponsesWebSocket
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.transport.network import Network
    from codex_api.types.compaction import CompactionRoute
    from codex_api.types.item import ResponseItem
    from codex_api.types.request import AnyRequest
    from codex_api.types.response import Response
    from codex_api.types.stored import InputTokens
    from codex_api.types.turn_state import TurnState
    from codex_api.types.websocket import WebSocketProbe

_NO_OPTIONS = ResponsesOptions()


class Responses(Endpoints):
    """``client.responses``."""

    def __init__(self, runner: Runner, network: Network) -> None:
        super().__init__(runner)
        self._network = network

    def create(
        self,
        request: AnyRequest,
        options: ResponsesOptions = _NO_OPTIONS,
        timeout: float | None = None,
    ) -> Response:
        """Make a response and give it as a whole, when all of it is there.

        The key ``stream`` is left out, whatever the request says. With ``background`` the answer
        comes at once, and its ``status`` tells that it is not finished.

        Args:
            request: What to ask; a mapping says nothing but what is in it.
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

    def create_raw(
        self,
        body: bytes | Mapping[str, object],
        options: ResponsesOptions = _NO_OPTIONS,
        timeout: float | None = None,
    ) -> Response:
        """Make a response of a body that was built elsewhere, and give it when all of it is there.

        Since nobody looks whether it is stored, it is not made again once the server may have begun
        it.

        Args:
            body: JSON that goes out byte for byte and asks for no stream, or a mapping to encode.
            options: As for ``stream``; what concerns events is not looked at.
            timeout: As for ``create``.

        Raises:
            RequestBuildError: A header is illegal, or the mapping has no JSON form.
            ResponseIncompleteError: The response was cut off; what there is of it is ``partial``.
            DecodeError: The answer is no response.
            DeadlineExceededError: The limit on the whole call passed; it is not made again.
            CodexApiError: The call or the response failed.
        """
        return self._runner.run(
            core.raw_create(self._runner.settings.context, body, options, timeout)
        )

    def stream(
        self, request: AnyRequest, options: ResponsesOptions = _NO_OPTIONS
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

    @overload
    def retrieve(
        self,
        response_id: str,
        *,
        stream: Literal[False] = False,
        include: Sequence[str] = (),
        starting_after: int | None = None,
        options: ResponsesOptions = _NO_OPTIONS,
        timeout: float | None = None,
    ) -> Response: ...
    @overload
    def retrieve(
        self,
        response_id: str,
        *,
        stream: Literal[True],
        include: Sequence[str] = (),
        starting_after: int | None = None,
        options: ResponsesOptions = _NO_OPTIONS,
        timeout: float | None = None,
    ) -> ResponseStream: ...
    def retrieve(
        self,
        response_id: str,
        *,
        stream: bool = False,
        include: Sequence[str] = (),
        starting_after: int | None = None,
        options: ResponsesOptions = _NO_OPTIONS,
        timeout: float | None = None,
    ) -> Response | ResponseStream:
        """Ask for a stored response, as it is now or as the events that made it.

        Args:
            response_id: Which.
            stream: Whether to give its events, which servers keep only of responses that were made
                in the background and asked for as a stream.
            include: What to give besides, such as ``file_search_call.results``.
            starting_after: With ``stream``: sequence number after which the events begin.
            options: Headers for this call, and how events are read.
            timeout: Without ``stream``: limit in seconds on the whole call, or None.

        Returns:
            The response, whatever became of it: look at its ``status``. With ``stream``, a stream
            that makes the call when it is entered.

        Raises:
            RequestBuildError: ``response_id`` is blank, or a header is illegal.
            DecodeError: The answer is no response.
            CodexApiError: The call failed: ``UnexpectedStatusError`` with 404 when there is none.
        """
        settings = self._runner.settings
        if stream:
            call = resume_call(
                settings.context,
                response_id,
                starting_after,
                options,
                settings.telemetry,
                include=include,
            )
            return ResponseStream(self._runner, call)
        operation = stored.retrieve(
            settings.context,
            response_id,
            include=include,
            extra_headers=core.caller_headers(options),
            timeout=timeout,
        )
        return self._runner.run(operation)

    @unary(stored.cancel)
    def cancel(self) -> None:
        """Cancel."""

    @unary(stored.delete)
    def delete(self) -> None:
        """Delete."""

    @paged(stored.input_items)
    def input_items(self) -> None:
        """List."""

    def input_tokens(
        self,
        request: AnyRequest,
        options: ResponsesOptions = _NO_OPTIONS,
        timeout: float | None = None,
    ) -> InputTokens:
        """Count the tokens that a request would send, without making a response.

        Only what the count depends on goes out, and the keys of ``extra_body``.

        Args:
            request: What would be asked.
            options: As for ``create``.
            timeout: Limit in seconds on the whole call, or None.

        Raises:
            RequestBuildError: The request cannot be encoded, or a header is illegal.
            DecodeError: The answer is no count.
            CodexApiError: The call failed.
        """
        return self._runner.run(
            stored.input_tokens(self._runner.settings.context, request, options, timeout)
        )

    def background(
        self, request: AnyRequest, options: ResponsesOptions = _NO_OPTIONS
    ) -> BackgroundResponse:
        """Let the server make a response without a connection.

        The request is sent with ``background``, as a stream that is left as soon as the response
        has an id, and is stored even if ``store`` says False: servers do not follow others.

        Args:
            request: What to ask; a mapping says nothing but what is in it.
            options: For this call and all that follow.

        Raises:
            RequestBuildError: The request cannot be encoded, or a header is illegal.
            CodexApiError: The call failed; ``sent`` says whether the response may have been begun.
        """
        from codex_api._sync.background import begin_background  # noqa: PLC0415 - loaded on first use

        return begin_background(self._runner, request, options)

    def reopen(
        self, handle: BackgroundHandle | str, options: ResponsesOptions = _NO_OPTIONS
    ) -> BackgroundResponse:
        """Find a background response again, without a call.

        Args:
            handle: As ``background(...).handle`` gave it, or the id of the response.
            options: For all calls that follow.
        """
        from codex_api._sync.background import BackgroundResponse  # noqa: PLC0415 - loaded on first use

        known = BackgroundHandle(response_id=handle) if isinstance(handle, str) else handle
        return BackgroundResponse(self._runner, known, options)

    @hides_headers
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

    @hides_headers
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

    @hides_headers
    def compact(
        self,
        compaction: CompactionInput | Mapping[str, Any],
        extra_headers: HeaderSource | Headers | None = None,
        timeout: float | None = None,
        turn_state: TurnState | str | None = None,
        *,
        via: CompactionRoute = "endpoint",
        options: ResponsesOptions = _NO_OPTIONS,
    ) -> list[ResponseItem]:
        """Compact a history, and give the one to go on with.

        Args:
            compaction: The history, at least one item; a mapping has the fields as keys.
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
            TypeError: ``compaction`` is neither, or a mapping with other keys.
            DecodeError: The answer is not what was promised.
            DeadlineExceededError: The limit on the whole call passed.
            CodexApiError: The call failed.
        """
        settled = compaction_options(options, extra_headers, turn_state)
        history = as_value(CompactionInput, compaction, "compaction")
        if via == "endpoint":  # nothing to fall back on
            context = self._runner.settings.context
            operation = compact(context, history, timeout=timeout, options=settled)
            return self._runner.run(operation)
        return Compactor(self._runner, history, settled, timeout).run(via)
