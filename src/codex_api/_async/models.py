"""The model list under asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._async.unary import Endpoints, unary
from codex_api._logic.endpoints import models as core
from codex_api._logic.outgoing.header_arguments import hides_headers

if TYPE_CHECKING:
    from codex_api.local.models_cache import ModelsCache
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.types.models import ModelsPage


class AsyncModels(Endpoints):
    """``client.models``."""

    @unary(core.list_models)
    def list(self) -> None:
        """List."""

    @hides_headers
    async def list_cached(
        self,
        cache: ModelsCache,
        client_version: str | None = None,
        *,
        extra_headers: HeaderSource | Headers | None = None,
        timeout: float | None = None,
    ) -> ModelsPage:
        """List the models, from ``cache`` while it holds.

        Args:
            cache: Asked first, and told what the server answers.
            client_version: As for ``list``.
            extra_headers: For this call.
            timeout: Limit in seconds on the whole call, or None.

        Raises:
            CodexApiError: As ``list``; a cache that cannot be read or written costs nothing.
        """
        from codex_api.local.models_cache import list_cached  # noqa: PLC0415 - on first use

        settings = self._runner.settings
        return await self._runner.drive(
            list_cached(
                settings.context,
                cache,
                settings.unary_policy(timeout, frozenset()),
                client_version=client_version,
                extra_headers=extra_headers,
                timeout=timeout,
            )
        )
