"""Files in the store of the public API, once they are there. See wire.md, Files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from codex_api._logic.endpoints.pages import Listing, Order, page_query
from codex_api._logic.incoming.objects import object_reader, read_deleted, read_object
from codex_api._logic.outgoing.fields import path_id
from codex_api.types.files import FileObject

if TYPE_CHECKING:
    from msgspec import Raw

    from codex_api._logic.calling.operation import CallContext, Operation
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.transport._core.messages import Response
    from codex_api.types.stored import Deleted

_ALL: Final = "files"
_ONE: Final = "files/{file_id}"


def retrieve(
    ctx: CallContext,
    file_id: str,
    *,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[FileObject]:
    """Ask what is known of a file.

    Args:
        file_id: Which.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.

    Raises:
        RequestBuildError: The id is blank, or a header is illegal.
        DecodeError: The answer is no file.
        CodexApiError: The call failed: ``UnexpectedStatusError`` with 404 when there is none.
    """
    return ctx.operation(
        "GET",
        _path(file_id),
        _ONE,
        partial(read_object, endpoint=_ONE, kind=FileObject),
        extra_headers=extra_headers,
        timeout=timeout,
    )


def content(
    ctx: CallContext,
    file_id: str,
    *,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[bytes]:
    """Return the content of a file, which is held in memory: at most 256 MiB.

    Args:
        file_id: Which.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.

    Raises:
        RequestBuildError: The id is blank, or a header is illegal.
        CodexApiError: The call failed: ``UnexpectedStatusError`` with 404 when there is none.
    """
    name = f"{_ONE}/content"
    return ctx.operation(
        "GET", _path(file_id, "/content"), name, _body, extra_headers=extra_headers, timeout=timeout
    )


def delete(
    ctx: CallContext,
    file_id: str,
    *,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[Deleted]:
    """Delete a file.

    Args:
        file_id: Which.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.

    Raises:
        RequestBuildError: The id is blank, or a header is illegal.
        DecodeError: The answer is no JSON.
        CodexApiError: The call failed: ``UnexpectedStatusError`` with 404 when there is none.
    """
    return ctx.operation(
        "DELETE",
        _path(file_id),
        _ONE,
        partial(read_deleted, endpoint=_ONE, of=file_id),
        extra_headers=extra_headers,
        timeout=timeout,
    )


def list_files(
    ctx: CallContext,
    *,
    purpose: str | None = None,
    order: Order | None = None,
    limit: int | None = None,
    after: str | None = None,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Listing[FileObject | Raw]:
    """List the files; what makes no sense stays as exact JSON.

    Args:
        purpose: Only files for this, such as ``batch``; None gives all.
        order: ``asc`` begins with the oldest; None leaves it to the server.
        limit: Files on a page; None leaves it to the server.
        after: Id of the file after which to begin.
        extra_headers: For each call.
        timeout: Limit in seconds on each call, or None.
    """
    wanted = [] if purpose is None else [("purpose", purpose)]
    return Listing(
        context=ctx,
        path=_ALL,
        name=_ALL,
        element=object_reader(FileObject),
        query=[*wanted, *page_query(limit, order)],
        after=after,
        extra_headers=extra_headers,
        timeout=timeout,
    )


def _body(answer: Response) -> bytes:
    return answer.body


def _path(file_id: str, rest: str = "") -> str:
    return f"files/{path_id(file_id, 'file_id', 'the id of a file')}{rest}"
