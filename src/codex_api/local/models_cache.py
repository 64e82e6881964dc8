"""The model list kept on disk, between calls and between processes.

An entry holds for ``max_age`` seconds. After that its ETag is asked about, and an answer that
nothing changed makes it new again. A ``ModelsEtag`` event of a stream with another ETag ends it at
once. The file is replaced in one step, so processes that share it never see a part of one; a file
that cannot be read is as good as none. What is kept is the server's own JSON.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from codex_api._logic.endpoints.models import decode_models, list_models, resolved_client_version
from codex_api._logic.incoming.answers import UNREADABLE
from codex_api.errors import DecodeError
from codex_api.transport._core.flow import call
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Response, public_url
from codex_api.types.atomic_file import write_atomically
from codex_api.types.models import ModelsPage

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from codex_api._logic.calling.operation import CallContext
    from codex_api.events import ModelsEtag
    from codex_api.transport._core.flow import CallPolicy, Flow
    from codex_api.transport._core.headers import HeaderSource

DEFAULT_MAX_AGE = 300.0
_FORMAT = 1
# Longer ago than any entry may hold.
_STALE = 0.0
_OK = 200


class _Entry(msgspec.Struct, frozen=True):
    format: int
    key: str
    fetched_at: float
    etag: str | None
    body: msgspec.Raw


_ENTRY: msgspec.json.Decoder[_Entry] = msgspec.json.Decoder(_Entry)


@dataclass(frozen=True, slots=True)
class CachedModels:
    """What the cache knows.

    Attributes:
        fresh: Whether it still holds without asking the server.
    """

    page: ModelsPage
    fresh: bool


class ModelsCache:
    """A file with one model list.

    Safe to share between threads and processes; the last writer wins.

    Args:
        path: The file. Its folder is made when something is stored.
        max_age: Seconds for which an entry holds.
        clock: Gives Unix seconds.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_age: float = DEFAULT_MAX_AGE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path: Path = Path(path)
        self.max_age = max_age
        self._clock = clock

    def load(self, key: str) -> CachedModels | None:
        """Return what is stored for ``key``, however old, or None."""
        entry = self._read()
        if entry is None or entry.key != key:
            return None
        try:
            models = decode_models(Response(_OK, Headers(), bytes(entry.body)))
        except DecodeError:
            return None
        # Damage can leave an ETag that no header may hold.
        etag = None if entry.etag is None else Headers.lenient([("etag", entry.etag)]).get("etag")
        age = self._clock() - entry.fetched_at
        # A clock that was set back must not keep an entry alive for years.
        return CachedModels(ModelsPage(models, etag), fresh=0 <= age < self.max_age)

    def store(self, key: str, etag: str | None, body: bytes) -> None:
        """Keep an answer of the server.

        Args:
            key: What the list depends on; see ``cache_key``.
            body: The answer's JSON, as it came.

        Raises:
            OSError: The file cannot be written; what was stored before still is.
        """
        self._write(_Entry(_FORMAT, key, self._clock(), etag, msgspec.Raw(body)))

    def renew(self, key: str) -> None:
        """Make the entry for ``key`` new again: the server said that it still holds.

        Raises:
            OSError: The file cannot be written.
        """
        entry = self._read()
        if entry is not None and entry.key == key:
            self._write(msgspec.structs.replace(entry, fetched_at=self._clock()))

    def observe(self, event: ModelsEtag | str) -> None:
        """Take in the server's current ETag, from a ``ModelsEtag`` event or as it is.

        The entry with that ETag is new again; one with another ETag is asked about next time.

        Raises:
            OSError: The file cannot be written.
        """
        etag = event if isinstance(event, str) else event.etag
        entry = self._read()
        if entry is None:
            return
        fetched_at = self._clock() if entry.etag == etag else _STALE
        if entry.fetched_at != fetched_at:
            self._write(msgspec.structs.replace(entry, fetched_at=fetched_at))

    def clear(self) -> None:
        """Forget everything."""
        self.path.unlink(missing_ok=True)

    def _read(self) -> _Entry | None:
        try:
            entry = _ENTRY.decode(self.path.read_bytes())
        except (OSError, *UNREADABLE):
            return None
        return entry if entry.format == _FORMAT else None

    def _write(self, entry: _Entry) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, msgspec.json.encode(entry), private=True)


def cache_key(ctx: CallContext, client_version: str) -> str:
    """Name what a list depends on: the server and the version that asks."""
    return f"{public_url(ctx.provider.url_for_path('models'))} {client_version}"


def list_cached(
    ctx: CallContext,
    cache: ModelsCache,
    policy: CallPolicy,
    *,
    client_version: str | None = None,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Flow[ModelsPage]:
    """List the models from the cache while it holds, else from the server.

    A cache file that cannot be written costs no call its answer.

    Raises:
        CodexApiError: As the plain call.
    """
    version = resolved_client_version(ctx, client_version)
    key = cache_key(ctx, version)
    cached = cache.load(key)
    if cached is not None and cached.fresh:
        return cached.page
    operation = list_models(
        ctx,
        client_version=version,
        etag=None if cached is None else cached.page.etag,
        extra_headers=extra_headers,
        timeout=timeout,
    )
    accepting = msgspec.structs.replace(policy, accept=operation.accept)
    response = yield from call(operation.request, accepting)
    page = operation.decode(response)
    with suppress(OSError):
        if page.not_modified:
            cache.renew(key)
        else:
            cache.store(key, page.etag, response.body)
    return cached.page if page.not_modified and cached is not None else page
