"""``GET models``: both shapes of the list, and the answer that nothing changed.

See wire.md, Other endpoints.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from codex_api import __version__
from codex_api._logic.calling.operation import Operation
from codex_api._logic.incoming.answers import (
    UNREADABLE,
    decode_answer,
    failure_in,
    unreadable,
)
from codex_api._logic.incoming.objects import object_reader
from codex_api._logic.outgoing.fields import require_text
from codex_api.types.models import Model, ModelInfo, ModelsPage, PublicModel, UnknownModel

if TYPE_CHECKING:
    from codex_api._logic.calling.operation import CallContext
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.transport._core.messages import Response

ENDPOINT = "models"
NOT_MODIFIED = 304


class _Body(msgspec.Struct):
    models: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET
    data: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET


class _Named(msgspec.Struct):
    slug: Any = None
    id: Any = None


_BODY: msgspec.json.Decoder[_Body] = msgspec.json.Decoder(_Body)
_MODEL: msgspec.json.Decoder[ModelInfo] = msgspec.json.Decoder(ModelInfo)
_READ_PUBLIC = object_reader(PublicModel)
_FIELDS: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
_NAMED: msgspec.json.Decoder[_Named] = msgspec.json.Decoder(_Named)


def list_models(
    ctx: CallContext,
    client_version: str | None = None,
    etag: str | None = None,
    *,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[ModelsPage]:
    """List the models.

    Args:
        client_version: The Codex backend lists what this version can use; None takes the
            provider's ``version`` header, else this library's version.
        etag: Of a page that is known; the answer is ``not_modified`` while it holds.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.

    Returns:
        An element of neither known shape is an ``UnknownModel``.

    Raises:
        RequestBuildError: ``client_version`` is blank, or a header is illegal; nothing was sent.
        DecodeError: The answer is not what was promised.
        CodexApiError: The call failed.
    """
    version = resolved_client_version(ctx, client_version)
    conditional = {} if etag is None else {"if-none-match": etag}
    return Operation(
        name=ENDPOINT,
        request=ctx.request(
            "GET",
            "models",
            extra_headers=extra_headers,
            forced_headers=conditional,
            query={"client_version": version},
            timeout=timeout,
        ),
        decode=partial(_decode_page, etag=etag),
        timeout=timeout,
        accept=frozenset() if etag is None else frozenset({NOT_MODIFIED}),
    )


def resolved_client_version(ctx: CallContext, client_version: str | None) -> str:
    """Return the version to ask with.

    Raises:
        RequestBuildError: ``client_version`` is blank.
    """
    if client_version is None:
        return ctx.provider.headers.get("version", __version__)
    require_text(client_version, "client_version", "models call", "one such as 0.142.5, or None")
    return client_version


def decode_models(response: Response) -> list[Model]:
    """Read the list in either shape.

    Raises:
        DecodeError: The body is neither shape.
    """
    body = decode_answer(_BODY, response, ENDPOINT)
    if body.models:
        found = [_decode_model(raw) for raw in body.models]
        # Some servers send both, and of the two only that of the public API is of a known shape.
        if not body.data or any(isinstance(model, ModelInfo) for model in found):
            return found
    if body.data:
        return [_decode_public(raw) for raw in body.data]
    is_listed = msgspec.UNSET is not body.models or msgspec.UNSET is not body.data
    # Where a list that was never filled is null, an empty one is meant.
    if is_listed and failure_in(response) is None:
        return []
    what = "there is neither `models` (Codex backend) nor `data` (public API)"
    raise unreadable(response, ENDPOINT, "$", what)


def _decode_page(response: Response, *, etag: str | None) -> ModelsPage:
    answered = response.headers.get("etag")
    if response.status == NOT_MODIFIED:
        return ModelsPage([], answered or etag, not_modified=True)
    return ModelsPage(decode_models(response), answered)


def _decode_model(raw: msgspec.Raw) -> Model:
    try:
        return _MODEL.decode(raw)
    except UNREADABLE:
        pass
    try:
        # A null stands for an absent field as far as callers can tell, so it takes the default.
        present = {name: value for name, value in _FIELDS.decode(raw).items() if value is not None}
        return msgspec.convert(present, ModelInfo)
    except UNREADABLE:
        return _unknown_model(raw.copy())


def _decode_public(raw: msgspec.Raw) -> Model:
    found = _READ_PUBLIC(raw)
    return found if isinstance(found, PublicModel) else _unknown_model(found)


def _unknown_model(raw: msgspec.Raw) -> UnknownModel:
    try:
        named = _NAMED.decode(raw)
    except UNREADABLE:
        return UnknownModel(None, raw)
    slug = named.slug or named.id
    return UnknownModel(slug if isinstance(slug, str) else None, raw)
