"""The Responses endpoints under asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._async.response_stream import AsyncResponseStream
from codex_api._core import responses as core
from codex_api.types.request import ResponsesOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_api._async.runner import Runner
    from codex_api.types.request import ResponsesApiRequest

_NO_OPTIONS = ResponsesOptions()


class AsyncResponses:
    """``client.responses``."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def stream(
        self, request: ResponsesApiRequest, options: ResponsesOptions = _NO_OPTIONS
    ) -> AsyncResponseStream:
        """Prepare a streamed response; entering the result makes the call.

        Raises:
            RequestBuildError: The request cannot be encoded, or a header is illegal.
        """
        settings = self._runner.settings
        call = core.stream_call(settings.context, request, options, settings.telemetry)
        return AsyncResponseStream(self._runner, call)

    def stream_raw(
        self, body: bytes | Mapping[str, object], options: ResponsesOptions = _NO_OPTIONS
    ) -> AsyncResponseStream:
        """Prepare a streamed response whose body was built elsewhere.

        Args:
            body: JSON that goes out byte for byte, or a mapping to encode.
            options: As for ``stream``.

        Raises:
            RequestBuildError: A header is illegal, or the mapping has no JSON form.
        """
        settings = self._runner.settings
        call = core.raw_stream_call(settings.context, body, options, settings.telemetry)
        return AsyncResponseStream(self._runner, call)
