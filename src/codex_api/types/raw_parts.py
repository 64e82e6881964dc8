"""Parts that are kept as their exact JSON and read on demand.

Each is an ``UnknownPart`` whose type is known: it goes back out byte for byte.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from codex_api.types.content import UnknownPart, wire_type

if TYPE_CHECKING:
    from typing import Self


class Refusal(UnknownPart):
    """The words with which the model refuses, as a part of its message."""

    __slots__ = ()
    __match_args__ = ("refusal",)

    @classmethod
    def saying(cls, text: str) -> Self:
        """Make a refusal in these words."""
        return cls(msgspec.json.encode({"type": "refusal", "refusal": text}))

    @property
    def refusal(self) -> str:
        """The words; empty when the part has none."""
        return _text(self, "refusal") or ""


class InputFile(UnknownPart):
    """A file for the model to read, by its id, its address or its content."""

    __slots__ = ()
    __match_args__ = ("file_id",)

    @classmethod
    def by_id(cls, file_id: str, *, detail: str | None = None) -> Self:
        """Name an uploaded file.

        Args:
            file_id: Its id.
            detail: ``auto``, ``low`` or ``high``; None leaves the choice to the server.
        """
        return cls._of({"detail": detail, "file_id": file_id})

    @classmethod
    def by_url(cls, url: str, *, detail: str | None = None) -> Self:
        """Name a file on the web, which the server fetches; ``detail`` as for ``by_id``."""
        return cls._of({"detail": detail, "file_url": url})

    @classmethod
    def holding(
        cls,
        content: bytes,
        filename: str,
        *,
        media_type: str = "application/pdf",
        detail: str | None = None,
    ) -> Self:
        """Put a file itself into the request; ``detail`` as for ``by_id``."""
        data = f"data:{media_type};base64,{base64.b64encode(content).decode()}"
        return cls._of({"detail": detail, "file_data": data, "filename": filename})

    @classmethod
    def _of(cls, values: dict[str, str | None]) -> Self:
        told = {key: value for key, value in values.items() if value is not None}
        return cls(msgspec.json.encode({"type": "input_file", **told}))

    @property
    def file_id(self) -> str | None:
        """Id of an uploaded file, or None."""
        return _text(self, "file_id")

    @property
    def file_url(self) -> str | None:
        """Address of the file, or None."""
        return _text(self, "file_url")

    @property
    def file_data(self) -> str | None:
        """The file as a ``data:`` URL, or None."""
        return _text(self, "file_data")

    @property
    def filename(self) -> str | None:
        """Name of the file, or None."""
        return _text(self, "filename")

    @property
    def detail(self) -> str | None:
        """``auto``, ``low`` or ``high``; None when not given."""
        return _text(self, "detail")


_Readable: TypeAlias = type[Refusal] | type[InputFile]
_READABLE: dict[str, _Readable] = {"refusal": Refusal, "input_file": InputFile}


def raw_part(raw: msgspec.Raw) -> UnknownPart:
    """Keep a part as its JSON, in the class of its type where it has one."""
    return _READABLE.get(wire_type(raw), UnknownPart)(raw)


def _text(part: UnknownPart, name: str) -> str | None:
    fields = msgspec.json.decode(part.raw, type=dict[str, msgspec.Raw])
    try:
        return msgspec.json.decode(fields.get(name, b"null"), type=str | None)
    except msgspec.ValidationError:
        return None
