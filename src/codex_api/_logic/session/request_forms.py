"""A request in the forms that a session needs: to compare, to send over a socket, to post."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from codex_api._logic.outgoing.body import (
    encode_request,
    encode_response_create,
    response_create_client_metadata,
)
from codex_api._logic.outgoing.websocket_handshake import LITE, TURN_STATE
from codex_api._logic.session.encoded_input import EncodedInput
from codex_api._logic.session.input_json import InputJson
from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import RequestBuildError
from codex_api.types.content import wire_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api._logic.session.held_input import Outgoing
    from codex_api.types.request import ResponsesApiRequest, ResponsesOptions
    from codex_api.types.trace import W3cTraceContext

_NAMES = ("previous_response_id", "conversation")
_STARTED = "x-codex-ws-stream-request-start-ms"
_LITE_MARK = "ws_request_header_x_openai_internal_codex_responses_lite"
_INPUT = msgspec.json.Decoder(dict[str, msgspec.Raw])


class RequestForms:
    """One request; encoding happens when it is made, so that its failure costs nothing.

    Attributes:
        fields: The body without input and client metadata.
        input: The whole input.

    Args:
        encoded: What a session remembers of its last input; None remembers nothing.

    Raises:
        RequestBuildError: The request cannot be encoded.
    """

    def __init__(
        self,
        request: ResponsesApiRequest,
        options: ResponsesOptions,
        encoded: EncodedInput | None = None,
    ) -> None:
        self._request = request
        self._keep_ids = options.keeps_ids(store=request.is_stored)
        self._is_lite = LITE in Headers(options.extra_headers)
        bare = msgspec.structs.replace(
            request,
            input=(),
            client_metadata=None,
            stream_options=None,
            prompt_cache_breakpoints=(),
        )
        self.fields: bytes = encode_request(bare)
        self.input: InputJson = self._encode_input(encoded or EncodedInput())

    @property
    def keep_ids(self) -> bool:
        """Whether typed items go out with their ids."""
        return self._keep_ids

    @property
    def stored(self) -> bool:
        """Whether the server keeps the response, so that its rest can be asked for."""
        request = self._request
        return request.is_stored or True in (request.background, _extra(request).get("background"))

    @property
    def may_chain(self) -> bool:
        """Whether the session may name what the server holds; not when the caller does."""
        request, extra = self._request, _extra(self._request)
        named = (request.previous_response_id, request.conversation)
        return all(name is None for name in (*named, *map(extra.get, _NAMES)))

    @property
    def starts_turn(self) -> bool:
        """Whether a new turn begins: not with the output of a tool, which goes on with one."""
        items = self._request.input
        if isinstance(items, str) or not items:
            return True
        last = items[-1]
        if isinstance(last, msgspec.Raw):
            kind = wire_type(last)
        else:
            kind = str(last.get("type")) if isinstance(last, Mapping) else last.type
        return not kind.endswith("_output")

    def posted(
        self, kept: Sequence[msgspec.Raw], instead: Outgoing | None = None
    ) -> ResponsesApiRequest:
        """Return the request to post.

        Args:
            kept: Items behind the caller's.
            instead: What goes out in place of them all, or None.
        """
        if instead is not None:
            return msgspec.structs.replace(
                self._request,
                input=_spliced(instead.input),
                previous_response_id=instead.previous_response_id,
                conversation=instead.conversation,
                prompt_cache_breakpoints=(),
            )
        return msgspec.structs.replace(
            self._request,
            input=[*_spliced(bytes(self.input)), *kept],
            prompt_cache_breakpoints=(),
        )

    def frame(
        self,
        items: bytes,
        *,
        previous_response_id: str | None,
        generate: bool | None,
        turn_state: str | None,
        trace: W3cTraceContext | None,
        wall: float,
        conversation: str | None = None,
    ) -> bytes:
        """Encode the frame that asks for the response.

        Args:
            items: The input to send, a JSON array.
            wall: Unix seconds now.
            conversation: Id of the conversation to add to; None leaves it to the request.
        """
        metadata = dict(self._request.client_metadata or {})
        if turn_state is not None:
            metadata[TURN_STATE] = turn_state
        if self._is_lite:
            metadata[_LITE_MARK] = "true"
        metadata[_STARTED] = str(int(wall * 1000))
        request = msgspec.structs.replace(
            self._request,
            input=_spliced(items),
            client_metadata=response_create_client_metadata(metadata, trace),
            prompt_cache_breakpoints=(),
            conversation=conversation or self._request.conversation,
        )
        return encode_response_create(
            request,
            previous_response_id=previous_response_id,
            generate=generate,
            keep_ids=self._keep_ids,
        )

    def _encode_input(self, encoded: EncodedInput) -> InputJson:
        request, items = self._request, self._request.input
        marks = request.prompt_cache_breakpoints
        if not marks:
            return encoded.encode(items, keep_ids=self._keep_ids)
        # The marks are part of what the server is given, so they are part of the comparison.
        if type(items) in {list, tuple}:
            with suppress(RequestBuildError):  # the whole request names the item better
                return encoded.encode(items, keep_ids=self._keep_ids, breakpoints=marks)
        body = encode_request(request, keep_ids=self._keep_ids)
        return InputJson(bytes(_INPUT.decode(body)["input"]))


def _spliced(items: bytes) -> list[msgspec.Raw]:
    """Return what stands for a JSON array among raw items: its text, however many it holds."""
    return [msgspec.Raw(memoryview(items)[1:-1])] if len(items) > len(b"[]") else []


def _extra(request: ResponsesApiRequest) -> Mapping[str, object]:
    return request.extra_body or {}
