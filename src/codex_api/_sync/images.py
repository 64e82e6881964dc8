# Generated from src/codex_api/_async/images.py by tools/generate_sync.py; do not edit.
"""Images in blocking code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codex_api._logic.endpoints import images as core
from codex_api._logic.outgoing.header_arguments import hides_headers
from codex_api._sync.waits import off_loop
from codex_api.local.image_files import load_edit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codex_api._sync.runner import Runner
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.types.images import (
        ImageBackground,
        ImageEditRequest,
        ImageGenerationRequest,
        ImageQuality,
        ImageResponse,
        ImageSource,
    )
    from codex_api.types.request import ResponsesOptions


class Images:
    """``client.images``."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    @hides_headers
    def generate(
        self,
        prompt: str | ImageGenerationRequest | Mapping[str, Any],
        *,
        model: str | None = None,
        background: ImageBackground | None = None,
        n: int | None = None,
        quality: ImageQuality | None = None,
        size: str | None = None,
        extra_headers: HeaderSource | Headers | None = None,
        options: ResponsesOptions | None = None,
        timeout: float | None = None,
    ) -> ImageResponse:
        """Draw images.

        Args:
            prompt: What to draw, or a whole request or a mapping of its fields, in which the other
                arguments replace fields.
            model: None takes ``gpt-image-2``.
            background: ``transparent``, ``opaque`` or ``auto``.
            n: Number of images, at least 1.
            quality: ``low``, ``medium``, ``high`` or ``auto``.
            size: Such as ``1024x1024`` or ``auto``.
            extra_headers: For this call.
            options: Says which session and sub-agent the call belongs to.
            timeout: Limit in seconds on the whole call, or None.

        Raises:
            RequestBuildError: An argument is not legal; nothing was sent.
            DecodeError: The answer is not what was promised.
            CodexApiError: The call failed.
        """
        request = core.generation_request(
            prompt, model=model, background=background, n=n, quality=quality, size=size
        )
        context = self._runner.settings.context
        return self._runner.run(
            core.generate_images(
                context, request, extra_headers=extra_headers, options=options, timeout=timeout
            )
        )

    @hides_headers
    def edit(
        self,
        images: ImageSource | Sequence[ImageSource] | ImageEditRequest | Mapping[str, Any],
        prompt: str | None = None,
        *,
        model: str | None = None,
        background: ImageBackground | None = None,
        n: int | None = None,
        quality: ImageQuality | None = None,
        size: str | None = None,
        extra_headers: HeaderSource | Headers | None = None,
        options: ResponsesOptions | None = None,
        timeout: float | None = None,
    ) -> ImageResponse:
        """Change images.

        Args:
            images: One or more: http(s) URL, data URL, path, or the bytes of a file. Or a whole
                request or a mapping of its fields, in which the other arguments replace fields.
            prompt: What to change.
            model: As for ``generate``, and so are the other arguments.

        Raises:
            RequestBuildError: An argument is not legal, or a file cannot be read or is no image;
                nothing was sent.
            DecodeError: The answer is not what was promised.
            CodexApiError: The call failed.
        """
        loaded = off_loop(load_edit, images)
        request = core.edit_request(
            loaded, prompt, model=model, background=background, n=n, quality=quality, size=size
        )
        context = self._runner.settings.context
        return self._runner.run(
            core.edit_images(
                context, request, extra_headers=extra_headers, options=options, timeout=timeout
            )
        )
