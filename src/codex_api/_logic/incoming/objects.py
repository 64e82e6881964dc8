"""Objects that the public API keeps, read member by member, and pages of them.

One member of another shape costs that member, unless nothing makes sense without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Raw

from codex_api._logic.incoming.answers import decode_answer, failure_in, unreadable
from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.incoming.item_codec import decode_item
from codex_api.types.stored import Deleted, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codex_api.transport._core.messages import Response
    from codex_api.types.item import ResponseItem

T = TypeVar("T")

_FIELDS: msgspec.json.Decoder[dict[str, Raw]] = msgspec.json.Decoder(dict[str, Raw])
_ABSENT = Raw()


def read_object(
    answer: Response, endpoint: str, *, kind: type[T], known: Mapping[str, Any] | None = None
) -> T:
    """Read an answer that is one object of a class, which may have a field ``raw``.

    Args:
        known: Values of fields that the answer may leave out.

    Raises:
        DecodeError: It is none, or lacks what the class cannot do without.
    """
    fields = decode_answer(_FIELDS, answer, endpoint)
    found, missing = _made(kind, fields, answer.body, known or {})
    if found is None:
        raise unreadable(answer, endpoint, f"$.{missing}", "it is missing or of another type")
    return found


def read_item(answer: Response, endpoint: str) -> ResponseItem:
    """Read an answer that is one item.

    Raises:
        DecodeError: It is no JSON object.
    """
    decode_answer(_FIELDS, answer, endpoint)
    return decode_item(Raw(answer.body))


def read_page(answer: Response, endpoint: str, *, element: Callable[[Raw], T]) -> Page[T]:
    """Read an answer that is a page of a list.

    Args:
        element: Reads an element; it does not raise.

    Raises:
        DecodeError: There is no list in it.
    """
    fields = decode_answer(_FIELDS, answer, endpoint)
    told = fields.get("data", _ABSENT)
    # Where a list that was never filled is null, an empty one is meant.
    data: list[Raw] | None = [] if bytes(told) == b"null" else read_as(list[Raw], told)
    if data is None or (not data and failure_in(answer) is not None):
        raise unreadable(answer, endpoint, "$.data", "it is missing or no list")
    last = read_as(str, fields.get("last_id", _ABSENT)) or (_id_of(data[-1]) if data else None)
    return Page(
        items=[element(raw) for raw in data],
        has_more=read_as(bool, fields.get("has_more", _ABSENT)) or False,
        last_id=last,
        raw=answer.body,
    )


def read_deleted(answer: Response, endpoint: str, *, of: str) -> Deleted:
    """Read the answer to a deletion, which may be empty.

    Args:
        of: Id of what was to be deleted, where the answer does not tell it.
    """
    fields = decode_answer(_FIELDS, answer, endpoint) if answer.body.strip() else {}
    failure = failure_in(answer)
    if failure is not None:
        raise failure
    deleted = read_as(bool, fields.get("deleted", _ABSENT))
    name = read_as(str, fields.get("id", _ABSENT)) or of
    return Deleted(id=name, deleted=deleted is not False, raw=answer.body)


def object_reader(kind: type[T]) -> Callable[[Raw], T | Raw]:
    """Return the reader of list elements of a class; one that makes no sense stays as it is."""

    def read(raw: Raw) -> T | Raw:
        fields = read_as(dict[str, Raw], raw)
        found = None if fields is None else _made(kind, fields, bytes(raw), {})[0]
        return raw.copy() if found is None else found

    return read


def _made(
    kind: type[T], fields: dict[str, Raw], body: bytes, known: Mapping[str, Any]
) -> tuple[T | None, str]:
    values: dict[str, Any] = dict(known)
    for field in msgspec.structs.fields(kind):  # type: ignore[arg-type]  # all of them are structs
        if field.name == "raw":
            values["raw"] = body
            continue
        value = read_as(field.type, fields.get(field.encode_name, _ABSENT))
        if value is not None:
            values[field.name] = value
        elif field.required and field.name not in known:
            return None, field.name
    return kind(**values), ""


def _id_of(raw: Raw) -> str | None:
    return read_as(str, (read_as(dict[str, Raw], raw) or {}).get("id", _ABSENT))
