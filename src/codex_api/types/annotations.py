"""What a server says about a text of the model: citations, and how likely each token was.

``OutputText`` keeps both as they came; here they are read as typed values, when somebody asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, cast

import msgspec

from codex_api.types.content import (
    Extensible,
    Extra,
    KeepsExtra,
    UnknownPart,
    encode_unknown,
)


class FileCitation(Extensible, frozen=True, tag="file_citation", gc=False):
    """Cites a file that was given to the model; ``index`` is its place in the list of files."""

    index: int
    file_id: str
    filename: str = ""


class UrlCitation(Extensible, frozen=True, tag="url_citation", gc=False):
    """Cites a web page for the characters from ``start_index`` up to ``end_index``."""

    start_index: int
    end_index: int
    url: str
    title: str = ""


class ContainerFileCitation(Extensible, frozen=True, tag="container_file_citation", gc=False):
    """Cites a file in the container of a tool, for the characters between the two indexes."""

    start_index: int
    end_index: int
    container_id: str
    file_id: str
    filename: str = ""


class FilePath(Extensible, frozen=True, tag="file_path", gc=False):
    """Names a file that the model made; ``index`` is its place in the list of files."""

    index: int
    file_id: str


class TokenAlternative(KeepsExtra, frozen=True):
    """A token that could have stood in a place.

    Attributes:
        logprob: Natural logarithm of its probability; None when not given, as for ``bytes``.
        bytes: Its UTF-8 bytes.
    """

    token: str = ""
    logprob: float | None = None
    bytes: Sequence[int] | None = None


class TokenLogprob(TokenAlternative, frozen=True):
    """A token of the answer, and how likely it was."""

    top_logprobs: Sequence[TokenAlternative] = ()


Annotation: TypeAlias = FileCitation | UrlCitation | ContainerFileCitation | FilePath | UnknownPart
_Annotation: TypeAlias = (
    type[FileCitation] | type[UrlCitation] | type[ContainerFileCitation] | type[FilePath]
)
_ANNOTATIONS: dict[str, _Annotation] = {
    "file_citation": FileCitation,
    "url_citation": UrlCitation,
    "container_file_citation": ContainerFileCitation,
    "file_path": FilePath,
}


def read_annotation(value: object) -> Annotation:
    """Read an annotation that is plain JSON or typed already."""
    if isinstance(value, FileCitation | UrlCitation | ContainerFileCitation | FilePath):
        return value
    if isinstance(value, UnknownPart):
        return value
    fields = _members(value)
    tag = fields.get("type")
    cls = _ANNOTATIONS.get(tag) if isinstance(tag, str) else None
    if cls is not None and (found := _as(cls, fields)) is not None:
        return found
    return UnknownPart(msgspec.json.encode(value, enc_hook=encode_unknown))


def read_annotations(values: Sequence[object] | None) -> list[Annotation]:
    """Read the annotations of a text."""
    return [read_annotation(value) for value in values or ()]


def read_logprobs(values: Sequence[object] | None) -> list[TokenLogprob]:
    """Read the tokens of a text; what has another form is left out."""
    read = (_token(value) for value in values or ())
    return [token for token in read if token is not None]


def _token(value: object) -> TokenLogprob | None:
    if isinstance(value, TokenLogprob):
        return value
    fields = _members(value)
    plain = {name: fields[name] for name in fields if name != "top_logprobs"}
    found = _as(TokenLogprob, plain) if fields else None
    others: list[object] = fields.get("top_logprobs") or []
    objects = (_members(other) for other in others if _is_object(other))
    read = (_as(TokenAlternative, other) for other in objects)
    if found is None or not others:
        return found
    return msgspec.structs.replace(
        found, top_logprobs=[other for other in read if other is not None]
    )


def _is_object(value: object) -> bool:
    return isinstance(value, Mapping)


def _members(value: object) -> Mapping[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


_Kept = TypeVar("_Kept", bound=KeepsExtra)


def _as(cls: type[_Kept], fields: Mapping[str, Any]) -> _Kept | None:
    """Make a value of the fields that ``cls`` has, and keep the others."""
    names = {*cls.__struct_encode_fields__, "type"}
    try:
        found = msgspec.convert({name: fields[name] for name in fields if name in names}, cls)
    except msgspec.ValidationError:
        return None
    others = {name: value for name, value in fields.items() if name not in names}
    return msgspec.structs.replace(found, extra=Extra.of(others)) if others else found
