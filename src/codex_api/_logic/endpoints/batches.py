"""Batches of the public API. See wire.md, Other endpoints."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from codex_api._logic.endpoints.pages import Listing, page_query
from codex_api._logic.incoming.objects import object_reader, read_object
from codex_api._logic.outgoing.fields import path_id, require_text
from codex_api.transport._core.messages import JsonBody
from codex_api.types.batches import Batch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msgspec import Raw

    from codex_api._logic.calling.operation import CallContext, Operation
    from codex_api.transport._core.headers import Headers, HeaderSource

_ALL: Final = "batches"
_ONE: Final = "batches/{batch_id}"


def create(
    ctx: CallContext,
    input_file_id: str,
    endpoint: str = "/v1/responses",
    completion_window: str = "24h",
    metadata: Mapping[str, str] | None = None,
    *,
    extra_body: Mapping[str, Any] | None = None,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[Batch]:
    """Begin a batch.

    Args:
        input_file_id: Of a file that was uploaded with the purpose ``batch``: one JSON object a
            line, with ``custom_id``, ``method``, ``url`` and ``body``.
        endpoint: Path that each of its requests goes to.
        completion_window: How long it may take; the public API knows ``24h``.
        metadata: Up to 16 pairs of strings.
        extra_body: Further keys.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.

    Raises:
        RequestBuildError: The id is blank, or a header is illegal.
        DecodeError: The answer is no batch.
        CodexApiError: The call failed; ``sent`` says whether the batch may have been begun.
    """
    require_text(input_file_id, "input_file_id", "batch", "the id of a file")
    kept = {} if metadata is None else {"metadata": dict(metadata)}
    body = {
        "input_file_id": input_file_id,
        "endpoint": endpoint,
        "completion_window": completion_window,
        **kept,
        **(extra_body or {}),
    }
    return ctx.operation(
        "POST",
        _ALL,
        _ALL,
        partial(read_object, endpoint=_ALL, kind=Batch),
        body=JsonBody(body),
        extra_headers=extra_headers,
        timeout=timeout,
        is_repeatable=False,
    )


def retrieve(
    ctx: CallContext,
    batch_id: str,
    *,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[Batch]:
    """Ask how far a batch is.

    Args:
        batch_id: Which.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.

    Raises:
        RequestBuildError: The id is blank, or a header is illegal.
        DecodeError: The answer is no batch.
        CodexApiError: The call failed: ``UnexpectedStatusError`` with 404 when there is none.
    """
    return ctx.operation(
        "GET",
        _path(batch_id),
        _ONE,
        partial(read_object, endpoint=_ONE, kind=Batch),
        extra_headers=extra_headers,
        timeout=timeout,
    )


def cancel(
    ctx: CallContext,
    batch_id: str,
    *,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[Batch]:
    """Cancel a batch; what is answered by then stays, and is charged.

    Args:
        batch_id: Which.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.

    Raises:
        RequestBuildError: The id is blank, or a header is illegal.
        DecodeError: The answer is no batch.
        CodexApiError: The call failed: ``UnexpectedStatusError`` with 404 when there is none.
    """
    name = f"{_ONE}/cancel"
    return ctx.operation(
        "POST",
        _path(batch_id, "/cancel"),
        name,
        partial(read_object, endpoint=name, kind=Batch),
        extra_headers=extra_headers,
        timeout=timeout,
    )


def list_batches(
    ctx: CallContext,
    *,
    limit: int | None = None,
    after: str | None = None,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Listing[Batch | Raw]:
    """List the batches, newest first; what makes no sense stays as exact JSON.

    Args:
        limit: Batches on a page, 1 to 100; None leaves it to the server.
        after: Id of the batch after which to begin.
        extra_headers: For each call.
        timeout: Limit in seconds on each call, or None.
    """
    return Listing(
        context=ctx,
        path=_ALL,
        name=_ALL,
        element=object_reader(Batch),
        query=page_query(limit, None),
        after=after,
        extra_headers=extra_headers,
        timeout=timeout,
    )


def _path(batch_id: str, rest: str = "") -> str:
    return f"batches/{path_id(batch_id, 'batch_id', 'the id of a batch')}{rest}"
