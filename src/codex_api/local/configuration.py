"""Providers by name, from files and the environment, each value with where it came from.

Three places are read, none is written. For one provider, higher ones stand over lower ones:

1. environment variables: ``OPENAI_BASE_URL`` and ``OPENAI_API_KEY`` for ``openai``, and those that
   a file names (``env_key``, ``env_headers``);
2. ``[providers.NAME]`` of ``config.toml`` in ``$XDG_CONFIG_HOME/codex-api`` or
   ``~/.config/codex-api``;
3. the built-in provider of that name; or else ``[model_providers.NAME]`` of the Codex CLI's
   ``config.toml`` in ``$CODEX_HOME`` or ``~/.codex``.

Errors name the file, the line and the key. No value of a file is ever in a message.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec

from codex_api.auth import ApiKeyAuth, AuthProvider, NoAuth
from codex_api.local.codex_files import auth_file, auth_from_file, codex_home
from codex_api.local.toml_file import TomlFile
from codex_api.provider import Provider, Timeouts
from codex_api.transport._core.retry import RetryConfig
from codex_api.transport.errors import AuthBuildError, RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_KEY_VARIABLES = ("OPENAI_API_KEY", "CODEX_API_KEY")
_BASE_URL_VARIABLE = "OPENAI_BASE_URL"
_AZURE_KEY = "AZURE_OPENAI_API_KEY"
_LOCAL_VARIABLES = ("CODEX_OSS_BASE_URL", "CODEX_OSS_PORT")
# Where the settings of our classes stand in a table of ours.
_TABLES = {"Provider": "", "RetryConfig": "retry", "Timeouts": "timeouts"}
# How settings of the Codex CLI are called here.
_OUR_NAMES = {
    "http_headers": "headers",
    "env_http_headers": "env_headers",
    "stream_idle_timeout_ms": "stream_idle_timeout",
    "request_max_retries": "retry",
}
_BUILT_IN: dict[str, Callable[[], Provider]] = {
    "openai": Provider.openai,
    "chatgpt": Provider.chatgpt,
    "azure": lambda: Provider.azure("https://"),
    "ollama": Provider.ollama,
    "lmstudio": Provider.lm_studio,
}


# What is no name may be the key itself, which no message may show.
_Variable: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_]\w*$")]


class _Retry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    max_attempts: int | None = None
    base_delay: float | None = None
    retry_429: bool | None = None
    retry_5xx: bool | None = None
    retry_transport: bool | None = None
    max_delay: float | None = None
    max_retry_after: float | None = None
    unsafe: bool | None = None


class _Timeouts(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    connect: float | None = None
    first_event: float | None = None
    liveness: float | None = None
    total: float | None = None


class _Own(msgspec.Struct, forbid_unknown_fields=True):
    """``[providers.NAME]``."""

    name: str | None = None
    base_url: str | None = None
    query_params: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    headers: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    env_headers: dict[str, _Variable] = msgspec.field(default_factory=dict[str, str])
    env_key: _Variable | None = None
    key_header: str = "authorization"
    stream_idle_timeout: float | None = None
    retry: _Retry = msgspec.field(default_factory=_Retry)
    timeouts: _Timeouts = msgspec.field(default_factory=_Timeouts)


class _OwnFile(msgspec.Struct, forbid_unknown_fields=True):
    provider: str | None = None
    providers: dict[str, object] = msgspec.field(default_factory=dict[str, object])


class _Codex(msgspec.Struct):
    """``[model_providers.NAME]`` of the Codex CLI; what is not ours to use is not read."""

    name: str = ""
    base_url: str | None = None
    env_key: _Variable | None = None
    env_key_instructions: str | None = None
    experimental_bearer_token: str | None = None
    query_params: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    http_headers: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    env_http_headers: dict[str, _Variable] = msgspec.field(default_factory=dict[str, str])
    request_max_retries: int | None = None
    stream_idle_timeout_ms: int | None = None
    requires_openai_auth: bool = False
    auth: object = None
    aws: object = None
    wire_api: str = "responses"


@dataclass(frozen=True, slots=True)
class _Credentials:
    """How to find the credentials when they are asked for.

    Attributes:
        variables: Environment variables that may hold a key; the first that is set counts.
        is_needed: Whether it is an error that none is set.
        is_login: Whether they are those that the Codex CLI stored.
    """

    variables: tuple[str, ...] = ()
    header: str = "authorization"
    is_needed: bool = True
    is_login: bool = False
    token: str | None = None
    hint: str = ""

    def __repr__(self) -> str:
        return f"_Credentials({self.variables!r}, is_login={self.is_login!r})"


@dataclass(frozen=True, slots=True)
class Configuration:
    """A provider as it was found, ready to make a client of.

    Attributes:
        id: The name that was asked for, or that the file has as its ``provider``.
        provider: Where requests go.
        timeouts: Limits of the file, else the defaults.
        sources: From the name of a setting, such as ``base_url`` or ``key``, to where it came from:
            a file and its line, a variable, or ``built in``.
    """

    id: str
    provider: Provider
    timeouts: Timeouts
    sources: Mapping[str, str]
    _credentials: _Credentials

    @classmethod
    def load(cls, name: str | None = None) -> Configuration:
        """Find the provider ``name`` in the files and the environment.

        Args:
            name: As in a file, or ``openai``, ``chatgpt``, ``azure``, ``ollama`` or ``lmstudio``.
                None takes the one that our file has as its ``provider``, else ``openai``.

        Raises:
            RequestBuildError: There is no such provider, or a file has a mistake.
        """
        own = TomlFile(config_file())
        top = own.read(_OwnFile)
        chosen = name or top.provider or "openai"
        if chosen in top.providers:
            return _from_own(own, chosen)
        if chosen in _BUILT_IN:
            return _built_in(chosen)
        codex = TomlFile(codex_home() / "config.toml")
        if chosen in codex.table("model_providers"):
            return _from_codex(codex, chosen)
        known = ", ".join([*_BUILT_IN, *top.providers, *codex.table("model_providers")])
        message = (
            f"there is no provider {chosen!r}: neither built in nor in {own.path}; known: {known}"
        )
        raise RequestBuildError(message)

    def auth(self) -> AuthProvider:
        """Make the credentials, read from where ``sources["key"]`` says.

        Raises:
            AuthBuildError: There are none and the provider needs some, or the Codex CLI's cannot be
                read.
        """
        ways = self._credentials
        if ways.is_login:
            return auth_from_file(auth_file())
        if (variable := _first_set(ways.variables)) is not None:
            return ApiKeyAuth.from_env(variable, header=ways.header)
        if ways.token is not None:
            return ApiKeyAuth(ways.token)
        if not ways.is_needed:
            return NoAuth()
        wanted = " or ".join(ways.variables)
        message = f"no API key for {self.id}: set the environment variable {wanted}{ways.hint}"
        raise AuthBuildError(message)


def default_provider() -> str | None:
    """Return what our file has as its ``provider``; None when it names none.

    Raises:
        RequestBuildError: The file has a mistake.
    """
    return TomlFile(config_file()).read(_OwnFile).provider


def config_file() -> Path:
    """Return where our file is, whether it is there or not."""
    home = os.environ.get("XDG_CONFIG_HOME", "").strip()
    return (Path(home) if home else Path.home() / ".config") / "codex-api" / "config.toml"


def _built_in(name: str) -> Configuration:
    if name == "azure":
        message = (
            "azure needs a base_url: --base-url on the command line, or under [providers.azure] in "
            f"{config_file()}"
        )
        raise RequestBuildError(message)
    moved = _first_set(_LOCAL_VARIABLES) if name in {"ollama", "lmstudio"} else None
    base_url_from = "built in" if moved is None else f"environment {moved}"
    sources = {"provider": "built in", "base_url": base_url_from}
    return _settled(name, _BUILT_IN[name](), Timeouts(), sources, _usual_credentials(name))


def _from_own(file: TomlFile, name: str) -> Configuration:
    keys = ("providers", name)
    table = file.read(_Own, *keys)
    if table.base_url is None and (name == "azure" or name not in _BUILT_IN):
        raise file.error(keys, "base_url is missing")
    present = file.table(*keys)
    sources = {"provider": file.place(*keys), "base_url": "built in"}
    sources.update({key: file.place(*keys, key) for key in present})
    try:
        provider, timeouts = _provider_of(table, name)
    except RequestBuildError as exc:
        raise file.error((*keys, *_guilty_key(str(exc))), str(exc)) from None
    credentials = _usual_credentials(name)
    if table.env_key is not None:
        credentials = _Credentials((table.env_key,), header=table.key_header)
    elif name not in _BUILT_IN:
        credentials = _Credentials(is_needed=False)
    return _settled(name, provider, timeouts, sources, credentials)


def _provider_of(table: _Own, name: str) -> tuple[Provider, Timeouts]:
    base = _BUILT_IN[name]() if name in _BUILT_IN else Provider(name, "")
    idle = table.stream_idle_timeout
    provider = Provider(
        table.name or base.name,
        table.base_url or base.base_url,
        query_params={**base.query_params, **table.query_params},
        headers={**base.headers, **table.headers, **_from_variables(table.env_headers)},
        retry=replace(base.retry, **_given(table.retry)),
        stream_idle_timeout=base.stream_idle_timeout if idle is None else idle,
    )
    provider.url_for_path("")
    return provider, replace(Timeouts(), **_given(table.timeouts))


def _from_codex(file: TomlFile, name: str) -> Configuration:
    keys = ("model_providers", name)
    table = file.read(_Codex, *keys)
    for key in ("auth", "aws"):
        if getattr(table, key) is not None:
            raise file.error((*keys, key), "only the Codex CLI itself can use these credentials")
    if table.wire_api != "responses":
        raise file.error((*keys, "wire_api"), 'only the Responses API is spoken: "responses"')
    if table.base_url is None:
        raise file.error(keys, "base_url is missing")
    present = file.table(*keys)
    sources = {"provider": file.place(*keys)}
    sources.update({_OUR_NAMES.get(key, key): file.place(*keys, key) for key in present})
    idle, retries = table.stream_idle_timeout_ms, table.request_max_retries
    try:
        provider = Provider(
            table.name or name,
            table.base_url,
            query_params=table.query_params,
            headers={**table.http_headers, **_from_variables(table.env_http_headers)},
            retry=RetryConfig() if retries is None else RetryConfig(max_attempts=min(retries, 100)),
        )
        if idle is not None:
            provider = replace(provider, stream_idle_timeout=idle / 1000)
        provider.url_for_path("")
    except RequestBuildError as exc:
        raise file.error(keys, str(exc)) from None
    if table.experimental_bearer_token is not None and table.env_key is None:
        sources["key"] = sources.pop("experimental_bearer_token")
    return _settled(name, provider, Timeouts(), sources, _codex_credentials(table))


def _codex_credentials(table: _Codex) -> _Credentials:
    if table.env_key is not None:
        hint = f" ({table.env_key_instructions})" if table.env_key_instructions else ""
        return _Credentials((table.env_key,), hint=hint)
    if table.experimental_bearer_token is not None:
        return _Credentials(token=table.experimental_bearer_token)
    return _Credentials(is_login=table.requires_openai_auth, is_needed=False)


def _usual_credentials(name: str) -> _Credentials:
    if name == "openai":
        return _Credentials(_KEY_VARIABLES)
    if name == "azure":
        return _Credentials((_AZURE_KEY,), header="api-key")
    return _Credentials(is_login=name == "chatgpt", is_needed=False)


def _settled(
    name: str,
    provider: Provider,
    timeouts: Timeouts,
    sources: dict[str, str],
    credentials: _Credentials,
) -> Configuration:
    """Lay the environment over what was found, and note where the key is."""
    elsewhere = os.environ.get(_BASE_URL_VARIABLE, "").strip()
    if name == "openai" and elsewhere:
        # A key for another server must not go to the public one.
        provider = replace(provider, base_url=elsewhere)
        sources["base_url"] = f"environment {_BASE_URL_VARIABLE}"
    if sources["base_url"].startswith("environment "):
        try:
            provider.url_for_path("")
        except RequestBuildError as exc:
            message = f"{sources['base_url']}: {exc}"
            raise RequestBuildError(message) from None
    if name == "openai" and sources["base_url"] != "built in":
        # A server of one's own may take no key.
        credentials = replace(credentials, is_needed=False)
    variable = _first_set(credentials.variables)
    if credentials.is_login:
        sources["key"] = str(auth_file())
    elif variable is not None:
        sources["key"] = f"environment {variable}"
    return Configuration(name, provider, timeouts, sources, credentials)


def _first_set(variables: tuple[str, ...]) -> str | None:
    return next((name for name in variables if os.environ.get(name, "").strip()), None)


def _from_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the header fields whose variable is set and not blank."""
    found = {header: os.environ.get(name, "").strip() for header, name in variables.items()}
    return {header: value for header, value in found.items() if value}


def _given(settings: msgspec.Struct) -> dict[str, Any]:
    return {
        key: value for key, value in msgspec.structs.asdict(settings).items() if value is not None
    }


def _guilty_key(message: str) -> tuple[str, ...]:
    """Return the key in the table of the setting that a message of ours begins with."""
    found = re.match(r"(Provider|RetryConfig|Timeouts)\.(\w+)", message)
    if found is None:
        return ()
    table = _TABLES[found[1]]
    return (table, found[2]) if table else (found[2],)
