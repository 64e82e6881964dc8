"""Where requests go: base URL, headers, query, retries and the idle limit (wire.md, Provider).

A provider is a plain value and does no I/O. The built-in ones read the environment variables that
the Codex CLI reads, at the time they are made.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from codex_api import __version__
from codex_api.transport._core.messages import public_url
from codex_api.transport._core.retry import RetryConfig
from codex_api.transport.errors import RequestBuildError

OPENAI_BASE_URL = "https://api.openai.com/v1"
CHATGPT_BASE_URL = "https://chatgpt.com/backend-api/codex"
DEFAULT_STREAM_IDLE_TIMEOUT = 300.0

_AZURE_MARKERS = (
    "openai.azure.",
    "cognitiveservices.azure.",
    "aoai.azure.",
    "azure-api.",
    "azurefd.",
    "windows.net/openai",
)
# What RFC 3986 allows unescaped in a query, less the separators & + = and ;.
_QUERY_SAFE = "-._~!$'()*,:@/"
_WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss"}
# An abstract class is asked slowly, and sequences are mostly one of the others.
_SEQUENCES = (tuple, list, Sequence)
_EMPTY: Mapping[str, str] = {}
# 31 years. Somewhere beyond it clocks of the platform and the engine overflow.
_MAX_TIMEOUT = 1e9


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits in seconds; None sets no limit. The progress clock is the provider's.

    Attributes:
        connect: Until TCP and TLS are up. Raises ``ConnectTimeoutError``.
        first_event: From the start of a streamed call, retries included, until its first event.
            Raises ``FirstEventTimeoutError``.
        liveness: Without any byte, comment or ping. Raises ``LivenessTimeoutError``.
        total: The whole call, a streamed body included. Raises ``DeadlineExceededError``.
    """

    connect: float | None = 10.0
    first_event: float | None = 300.0
    liveness: float | None = None
    total: float | None = None

    def __post_init__(self) -> None:
        for name in ("connect", "first_event", "liveness", "total"):
            _check_timeout(f"Timeouts.{name}", getattr(self, name))


@dataclass(frozen=True, slots=True, repr=False)
class Provider:
    """One server that speaks the Responses API.

    Attributes:
        name: Display name. ``azure`` in any case switches Azure behaviour on.
        base_url: For example ``https://api.openai.com/v1``. A query in it is kept.
        query_params: Appended to every URL in this order, percent-encoded.
        headers: Sent on every request, below all other layers.
        retry: How requests are retried.
        stream_idle_timeout: Seconds that a stream may pass without an event; None sets no limit.

    Raises:
        RequestBuildError: The limit is no number of seconds. A bad URL is found when it is used.
    """

    name: str
    base_url: str
    query_params: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    retry: RetryConfig = field(default_factory=RetryConfig)
    stream_idle_timeout: float | None = DEFAULT_STREAM_IDLE_TIMEOUT

    def __post_init__(self) -> None:
        # Copies, so that what the caller does to its own mappings later changes nothing here.
        object.__setattr__(self, "query_params", dict(self.query_params.items()))
        object.__setattr__(self, "headers", dict(self.headers.items()))
        _check_timeout("Provider.stream_idle_timeout", self.stream_idle_timeout)

    def __repr__(self) -> str:
        # Keys travel in headers and queries too: name what is set, not what it is set to.
        return (
            f"Provider(name={self.name!r}, base_url={public_url(self.base_url)!r}, "
            f"query_params={sorted(self.query_params)!r}, headers={sorted(self.headers)!r}, "
            f"retry={self.retry!r}, stream_idle_timeout={self.stream_idle_timeout!r})"
        )

    @classmethod
    def openai(cls, *, client_version: str = __version__) -> Provider:
        """Make the OpenAI API, with the organization and project of the environment.

        ``OPENAI_ORGANIZATION`` and ``OPENAI_PROJECT`` name them for the Codex CLI; where they are
        not set, ``OPENAI_ORG_ID`` and ``OPENAI_PROJECT_ID`` of the official SDK do.

        Args:
            client_version: Sent as ``version``.
        """
        headers = {"version": client_version}
        for name, *variables in (
            ("openai-organization", "OPENAI_ORGANIZATION", "OPENAI_ORG_ID"),
            ("openai-project", "OPENAI_PROJECT", "OPENAI_PROJECT_ID"),
        ):
            values = (os.environ.get(variable, "").strip() for variable in variables)
            if value := next(filter(None, values), ""):
                headers[name] = value
        return cls("OpenAI", OPENAI_BASE_URL, headers=headers)

    @classmethod
    def chatgpt(cls, *, client_version: str = __version__) -> Provider:
        """Make the Codex backend of ChatGPT; goes with ``ChatGptAuth``."""
        return cls("OpenAI", CHATGPT_BASE_URL, headers={"version": client_version})

    @classmethod
    def azure(cls, resource: str, *, api_version: str | None = None) -> Provider:
        """Make an Azure OpenAI resource.

        Args:
            resource: The resource's name, or its whole base URL.
            api_version: Sent as ``api-version``; None leaves it out, for the v1 API.
        """
        base_url = resource if "://" in resource else f"https://{resource}.openai.azure.com/openai"
        query = {} if api_version is None else {"api-version": api_version}
        return cls("Azure", base_url, query_params=query)

    @classmethod
    def ollama(cls) -> Provider:
        """Make a local Ollama; ``CODEX_OSS_BASE_URL`` and ``CODEX_OSS_PORT`` (11434) move it."""
        return cls("Ollama", _local_base_url(11434))

    @classmethod
    def lm_studio(cls) -> Provider:
        """Make a local LM Studio; ``CODEX_OSS_BASE_URL`` and ``CODEX_OSS_PORT`` (1234) move it."""
        return cls("LM Studio", _local_base_url(1234))

    @classmethod
    def load(cls, name: str | None = None) -> Provider:
        """Find a provider by name in the configuration files and the environment.

        ``Configuration.load`` gives the credentials, limits and sources as well.

        Args:
            name: As in a file, or of a built-in one. None takes the file's own choice, else OpenAI.

        Raises:
            RequestBuildError: There is no such provider, or a file has a mistake, which the text
                places by file, line and key.
        """
        from codex_api.local.configuration import Configuration  # noqa: PLC0415 - reads files, on first use

        return Configuration.load(name).provider

    @property
    def is_azure(self) -> bool:
        """Whether Azure behaviour applies (wire.md, Provider)."""
        return is_azure_responses_provider(self.name, self.base_url)

    def url_for_path(
        self, path: str, query: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    ) -> str:
        """Join the base URL with ``path`` and the query.

        Args:
            path: Slashes around the seam are collapsed to one; empty gives the base itself.
            query: More parameters, after the provider's own; pairs where one comes several times.

        Raises:
            RequestBuildError: The base URL is not an absolute http(s) or ws(s) URL.
        """
        if not query and not self.query_params:
            return _joined(self.base_url, path, ())
        more = query if isinstance(query, _SEQUENCES) else query.items()
        return _joined(self.base_url, path, (*self.query_params.items(), *more))

    def websocket_url(self, path: str) -> str:
        """Return ``url_for_path`` with ``ws`` for ``http`` and ``wss`` for ``https``.

        Raises:
            RequestBuildError: As ``url_for_path``.
        """
        scheme, colon, rest = self.url_for_path(path).partition(":")
        return _WEBSOCKET_SCHEMES.get(scheme, scheme) + colon + rest


# A client asks for the same few URLs over and over.
@lru_cache(maxsize=128)
def _joined(base_url: str, path: str, query: tuple[tuple[str, str], ...]) -> str:
    parts = _split(base_url)
    base, tail = parts.path.rstrip("/"), path.lstrip("/")
    joined = f"{base}/{tail}" if tail else base
    pairs = [f"{_escaped(name)}={_escaped(value)}" for name, value in query]
    if parts.query:
        pairs.insert(0, parts.query)
    return urlunsplit((parts.scheme, parts.netloc, joined, "&".join(pairs), ""))


def _escaped(text: str) -> str:
    try:
        return quote(text, safe=_QUERY_SAFE)
    except (TypeError, UnicodeEncodeError) as exc:
        message = "query parameters must be texts that have a UTF-8 form"
        raise RequestBuildError(message) from exc


def _split(base_url: str) -> SplitResult:
    if any(char <= " " or char == "\x7f" for char in base_url):
        message = "Provider.base_url contains white space or control characters"
        raise RequestBuildError(message)
    try:
        parts = urlsplit(base_url)
        host = parts.hostname
        _ = parts.port
    except ValueError as exc:
        message = f"Provider.base_url is not a URL: {exc}"
        raise RequestBuildError(message) from None
    if parts.scheme not in {"http", "https", "ws", "wss"} or not host:
        message = "Provider.base_url must be absolute, such as https://host/v1"
        raise RequestBuildError(message)
    return parts


def is_azure_responses_provider(name: str, base_url: str | None = None) -> bool:
    """Return whether a provider is Azure, by its name or by markers in its base URL.

    See wire.md, Provider.
    """
    if name.lower() == "azure":
        return True
    lowered = (base_url or "").lower()
    return any(marker in lowered for marker in _AZURE_MARKERS)


def _check_timeout(name: str, seconds: float | None) -> None:
    if seconds is not None and not 0 < seconds <= _MAX_TIMEOUT:
        message = f"{name} must be seconds > 0, at most {_MAX_TIMEOUT:g}, or None; got {seconds!r}"
        raise RequestBuildError(message)


def _local_base_url(default_port: int) -> str:
    if base_url := os.environ.get("CODEX_OSS_BASE_URL", "").strip():
        return base_url
    port = os.environ.get("CODEX_OSS_PORT", "").strip() or str(default_port)
    return f"http://localhost:{port}/v1"
