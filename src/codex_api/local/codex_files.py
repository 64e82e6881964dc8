"""Where the Codex CLI keeps its files, and the credentials in them. None is written."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from codex_api.auth import ApiKeyAuth, ChatGptAuth
from codex_api.transport.errors import AuthBuildError

if TYPE_CHECKING:
    from codex_api.auth import AuthProvider


def codex_home() -> Path:
    """Return the folder in which the Codex CLI keeps its files."""
    home = os.environ.get("CODEX_HOME", "").strip()
    return Path(home) if home else Path.home() / ".codex"


def auth_file() -> Path:
    """Return where the Codex CLI keeps its credentials."""
    return codex_home() / "auth.json"


class _Tokens(msgspec.Struct):
    access_token: str
    account_id: str | None = None


class _Stored(msgspec.Struct):
    tokens: _Tokens | None = None
    api_key: str | None = msgspec.field(default=None, name="OPENAI_API_KEY")


def auth_from_file(path: Path) -> AuthProvider:
    """Read credentials that the Codex CLI stored.

    Raises:
        AuthBuildError: The file is missing or holds none; its content is not in the text.
    """
    try:
        stored = msgspec.json.decode(path.read_bytes().removeprefix(BOM_UTF8), type=_Stored)
    except (OSError, ValueError, RecursionError) as exc:
        message = f"cannot read credentials from {path}: {type(exc).__name__}"
        raise AuthBuildError(message) from None
    if stored.tokens is not None:
        return ChatGptAuth(stored.tokens.access_token, stored.tokens.account_id)
    if stored.api_key is not None:
        return ApiKeyAuth(stored.api_key)
    message = f"{path} holds no credentials: sign in with the Codex CLI"
    raise AuthBuildError(message)
