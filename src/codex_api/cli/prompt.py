"""What a command asks: a prompt and images, made a message."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from codex_api import items
from codex_api.cli.request_files import image_url
from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    import msgspec

    from codex_api.types.item import ResponseItem


def messages(
    prompt: str | None, images: tuple[str, ...], *, alone: bool
) -> list[ResponseItem | msgspec.Raw]:
    """Make the message of a prompt; nothing of no prompt.

    Args:
        prompt: What to ask; ``-`` reads it from standard input.
        images: Files and URLs.
        alone: Whether nothing else is asked, so that there must be something.

    Raises:
        RequestBuildError: There is nothing to ask, or an image cannot be used.
    """
    text = _prompt(prompt)
    if not text and not images:
        if alone or prompt is not None:
            message = "there is nothing to ask: give a PROMPT that is not empty"
            raise RequestBuildError(message)
        return []
    parts: list[items.InputText | items.InputImage] = [items.InputText(text)] if text else []
    parts += [items.InputImage(image_url(source)) for source in images]
    return [items.Message(role="user", content=parts)]


def _prompt(prompt: str | None) -> str:
    try:
        text = sys.stdin.read() if prompt == "-" else prompt or ""
        text.encode()
    except UnicodeError:
        message = "PROMPT is not valid UTF-8"
        raise RequestBuildError(message) from None
    return text if text.strip() else ""
