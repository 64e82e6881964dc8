"""The options by which every command finds its server and its credentials."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import msgspec
from cyclopts import Parameter

from codex_api._sync.client import Client
from codex_api.auth import ApiKeyAuth, AuthProvider, ChatGptAuth, NoAuth
from codex_api.provider import Provider, Timeouts
from codex_api.transport.errors import AuthBuildError, RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Generator

ProviderName = Literal["openai", "chatgpt", "azure", "ollama", "lmstudio", "embedded"]

_KEY_VARIABLES = ("OPENAI_API_KEY", "CODEX_API_KEY")
_BASE_URL_VARIABLE = "OPENAI_BASE_URL"
_AZURE_KEY = "AZURE_OPENAI_API_KEY"
_HELP = """no credentials found. Choose a provider with --provider:
  openai     set OPENAI_API_KEY, and OPENAI_BASE_URL for another server
  chatgpt    sign in with the Codex CLI; its auth.json is read from $CODEX_HOME or ~/.codex
  azure      set AZURE_OPENAI_API_KEY and give --base-url
  ollama, lmstudio   a server on this machine, no key
  embedded   a built-in server that answers without any model, no key"""


class Endpoint(NamedTuple):
    """What a client is made of."""

    provider: Provider
    auth: AuthProvider
    timeouts: Timeouts


@Parameter(name="*")
@dataclass(frozen=True)
class Connection:
    """Where to send requests."""

    provider: Annotated[
        ProviderName | None, Parameter(help="Default: by the credentials there are.")
    ] = None
    base_url: Annotated[str | None, Parameter(help="Another server that speaks the same API.")] = (
        None
    )
    api_version: Annotated[str | None, Parameter(help="Azure's api-version.")] = None
    header: Annotated[
        tuple[str, ...],
        Parameter(help="One more 'name: value'; may be repeated.", negative="", show_default=False),
    ] = ()
    timeout: Annotated[float | None, Parameter(help="Seconds for the whole call.")] = None

    @contextmanager
    def client(self) -> Generator[Client]:
        """Open a client, and the embedded server when that is the provider.

        Raises:
            AuthBuildError: There are no credentials for the provider.
            RequestBuildError: An option does not make sense.
        """
        with (
            self.endpoint() as end,
            Client(end.provider, end.auth, timeouts=end.timeouts) as client,
        ):
            yield client

    @contextmanager
    def endpoint(self) -> Generator[Endpoint]:
        """Find what a client of either front is made of, and open the embedded server.

        Raises:
            AuthBuildError: There are no credentials for the provider.
            RequestBuildError: An option does not make sense.
        """
        name = self.provider or self._found()
        if self.timeout is not None and not self.timeout > 0:
            message = "--timeout must be more than 0 seconds"
            raise RequestBuildError(message)
        timeouts = Timeouts(total=self.timeout)
        if name == "embedded":
            with _embedded() as base_url:
                provider = Provider("Embedded", base_url, headers=self._headers())
                yield Endpoint(provider, NoAuth(), timeouts)
            return
        provider, auth = self._chosen(name)
        if self.base_url is not None:
            provider = replace(provider, base_url=self.base_url)
        provider = replace(provider, headers={**provider.headers, **self._headers()})
        yield Endpoint(provider, auth, timeouts)

    def _found(self) -> ProviderName:
        if self.base_url or any(
            os.environ.get(name, "").strip() for name in (*_KEY_VARIABLES, _BASE_URL_VARIABLE)
        ):
            return "openai"
        if auth_file().is_file():
            return "chatgpt"
        raise AuthBuildError(_HELP)

    def _chosen(self, name: ProviderName) -> tuple[Provider, AuthProvider]:
        if name == "openai":
            provider = Provider.openai()
            elsewhere = os.environ.get(_BASE_URL_VARIABLE, "").strip()
            # A key for another server must not go to the public one.
            return replace(provider, base_url=elsewhere or provider.base_url), self._key_auth()
        if name == "chatgpt":
            return Provider.chatgpt(), auth_from_file(auth_file())
        if name == "azure":
            if self.base_url is None:
                message = "--provider azure needs --base-url, such as https://NAME.openai.azure.com/openai"
                raise RequestBuildError(message)
            azure = Provider.azure(self.base_url, api_version=self.api_version)
            return azure, ApiKeyAuth.from_env(_AZURE_KEY, header="api-key")
        return (Provider.ollama() if name == "ollama" else Provider.lm_studio()), NoAuth()

    def _key_auth(self) -> AuthProvider:
        for variable in _KEY_VARIABLES:
            if os.environ.get(variable, "").strip():
                return ApiKeyAuth.from_env(variable)
        if self.base_url is not None or os.environ.get(_BASE_URL_VARIABLE, "").strip():
            return NoAuth()
        raise AuthBuildError(_HELP)

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for line in self.header:
            name, colon, value = line.partition(":")
            if not colon or not name.strip():
                message = "--header needs 'name: value'"
                raise RequestBuildError(message)
            headers[name.strip()] = value.strip()
        return headers


class _Tokens(msgspec.Struct):
    access_token: str
    account_id: str | None = None


class _Stored(msgspec.Struct):
    tokens: _Tokens | None = None
    api_key: str | None = msgspec.field(default=None, name="OPENAI_API_KEY")


def auth_file() -> Path:
    """Where the Codex CLI keeps its credentials."""
    home = os.environ.get("CODEX_HOME", "").strip()
    return (Path(home) if home else Path.home() / ".codex") / "auth.json"


def auth_from_file(path: Path) -> AuthProvider:
    """Read credentials that the Codex CLI stored.

    Raises:
        AuthBuildError: The file is missing or holds none; its content is not in the text.
    """
    try:
        stored = msgspec.json.decode(path.read_bytes(), type=_Stored)
    except (OSError, msgspec.DecodeError) as exc:
        message = f"cannot read credentials from {path}: {type(exc).__name__}"
        raise AuthBuildError(message) from None
    if stored.tokens is not None:
        return ChatGptAuth(stored.tokens.access_token, stored.tokens.account_id)
    if stored.api_key is not None:
        return ApiKeyAuth(stored.api_key)
    message = f"{path} holds no credentials: sign in with the Codex CLI"
    raise AuthBuildError(message)


@contextmanager
def _embedded() -> Generator[str]:
    try:
        from codex_api.testing.server import EmbeddedServer  # noqa: PLC0415 - needs an extra
    except ModuleNotFoundError as exc:
        if exc.name not in {"starlette", "uvicorn"}:
            raise
        message = "--provider embedded needs: pip install 'codex-api[server]'"
        raise RequestBuildError(message) from None
    with EmbeddedServer() as server:
        yield server.url
