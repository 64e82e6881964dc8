"""The options by which every command finds its server and its credentials."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter

from codex_api._sync.client import Client
from codex_api.auth import ApiKeyAuth, AuthProvider, NoAuth
from codex_api.local.codex_files import auth_file
from codex_api.local.configuration import Configuration, default_provider
from codex_api.provider import Provider, Timeouts
from codex_api.transport.errors import AuthBuildError, RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

_KEY_VARIABLES = ("OPENAI_API_KEY", "CODEX_API_KEY")
_BASE_URL_VARIABLE = "OPENAI_BASE_URL"
_AZURE_KEY = "AZURE_OPENAI_API_KEY"
_HELP = """no credentials found. Choose a provider with --provider:
  openai     set OPENAI_API_KEY, and OPENAI_BASE_URL for another server
  chatgpt    sign in with the Codex CLI; its auth.json is read from $CODEX_HOME or ~/.codex
  azure      set AZURE_OPENAI_API_KEY and give --base-url
  ollama, lmstudio   a server on this machine, no key
  NAME       a provider of ~/.config/codex-api/config.toml or ~/.codex/config.toml
  embedded   a built-in server that answers without any model, no key"""


class Endpoint(NamedTuple):
    """What a client is made of, and where each setting came from."""

    provider: Provider
    auth: AuthProvider
    timeouts: Timeouts
    sources: Mapping[str, str]


@Parameter(name="*")
@dataclass(frozen=True)
class Connection:
    """Where to send requests."""

    provider: Annotated[
        str | None,
        Parameter(
            help="openai, chatgpt, azure, ollama, lmstudio, embedded, or one of a configuration "
            "file. Default: the file's own, else by the credentials there are."
        ),
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
        if name == "embedded":
            with _embedded() as base_url:
                provider = Provider("Embedded", base_url, headers=self._headers())
                timeouts = Timeouts(total=self.timeout)
                yield Endpoint(provider, NoAuth(), timeouts, {"provider": "--provider"})
            return
        provider, auth, timeouts, sources = self._configured(name)
        if self.header:
            provider = replace(provider, headers={**provider.headers, **self._headers()})
            sources["headers"] = " and ".join(filter(None, (sources.get("headers"), "--header")))
        if self.timeout is not None:
            timeouts = replace(timeouts, total=self.timeout)
            sources["timeouts"] = "--timeout"
        yield Endpoint(provider, auth, timeouts, sources)

    def _found(self) -> str:
        if self.base_url is None and (chosen := default_provider()) is not None:
            return chosen
        if self.base_url or any(
            os.environ.get(name, "").strip() for name in (*_KEY_VARIABLES, _BASE_URL_VARIABLE)
        ):
            return "openai"
        if auth_file().is_file():
            return "chatgpt"
        raise AuthBuildError(_HELP)

    def _configured(self, name: str) -> tuple[Provider, AuthProvider, Timeouts, dict[str, str]]:
        """Find the provider, and lay the options over it."""
        if name == "azure" and self.base_url is not None:
            azure = Provider.azure(self.base_url, api_version=self.api_version)
            auth: AuthProvider = ApiKeyAuth.from_env(_AZURE_KEY, header="api-key")
            key = f"environment {_AZURE_KEY}"
            return azure, auth, Timeouts(), {"base_url": "--base-url", "key": key}
        found = Configuration.load(name)
        provider, sources = found.provider, dict(found.sources)
        if self.base_url is not None:
            provider = replace(provider, base_url=self.base_url)
            sources["base_url"] = "--base-url"
        if self.api_version is not None:
            query = {**provider.query_params, "api-version": self.api_version}
            provider = replace(provider, query_params=query)
            sources["query_params"] = "--api-version"
        if "key" not in sources and self.base_url is not None:
            return provider, NoAuth(), found.timeouts, sources
        return provider, found.auth(), found.timeouts, sources

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for line in self.header:
            name, colon, value = line.partition(":")
            if not colon or not name.strip():
                message = "--header needs 'name: value'"
                raise RequestBuildError(message)
            headers[name.strip()] = value.strip()
        return headers


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
