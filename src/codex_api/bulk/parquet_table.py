"""Lines of a journal as a table of Parquet."""

from __future__ import annotations

from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec

from codex_api._imports import installed_by
from codex_api.bulk.result_lines import KnownLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PART: Final = 5_000


class _Result(msgspec.Struct, gc=False):
    status_code: int | None = None
    request_id: str | None = None
    body: msgspec.Raw = msgspec.Raw(b"null")


class _Whole(KnownLine, gc=False):
    response: _Result | None = None


_WHOLE: Final[msgspec.json.Decoder[_Whole]] = msgspec.json.Decoder(_Whole)


def write_parquet(lines: Iterator[bytes], out: IO[bytes]) -> int:
    """Write a row for each line, and give how many.

    Raises:
        ModuleNotFoundError: The extra ``parquet`` is missing.
    """
    with installed_by("parquet", "pyarrow"):
        pyarrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    text, number = pyarrow.string(), pyarrow.int64()
    kinds = {
        "custom_id": text,
        "row": number,
        "outcome": text,
        "kind": text,
        "status_code": number,
        "request_id": text,
        "text": text,
        "error_code": text,
        "error_message": text,
        "input_tokens": number,
        "cached_input_tokens": number,
        "cache_write_tokens": number,
        "output_tokens": number,
        "reasoning_output_tokens": number,
        "cost": pyarrow.float64(),
        "latency": pyarrow.float64(),
        "attempts": number,
        "body": text,
    }
    schema = pyarrow.schema(list(kinds.items()))
    count = 0
    with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        part: list[dict[str, object]] = []
        for line in lines:
            part.append(record_of(line))
            count += 1
            if len(part) >= _PART:
                writer.write_table(pyarrow.Table.from_pylist(part, schema=schema))
                part = []
        if part:
            writer.write_table(pyarrow.Table.from_pylist(part, schema=schema))
    return count


def record_of(line: bytes) -> dict[str, object]:
    """Return a line of a journal as a row of the table."""
    whole = _WHOLE.decode(line)
    record: dict[str, object] = {"custom_id": whole.custom_id}
    if whole.x is not None:
        record |= {
            name: getattr(whole.x, name) for name in whole.x.__struct_fields__ if name != "run"
        }
    if whole.error is not None:
        record |= {"error_code": whole.error.code, "error_message": whole.error.message}
    if whole.response is not None:
        body = bytes(whole.response.body)
        record |= {
            "status_code": whole.response.status_code,
            "request_id": whole.response.request_id,
            "body": body.decode("utf-8", "replace"),
            "text": _text(body),
        }
    return record


def text_table(names: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Any:  # noqa: ANN401 - of Arrow
    """Return rows of text as a table of Arrow, with halves of characters replaced.

    Raises:
        ModuleNotFoundError: The extra ``parquet`` is missing.
    """
    with installed_by("parquet", "pyarrow"):
        pyarrow: Any = import_module("pyarrow")
    text = pyarrow.string()
    columns: dict[str, Any] = {}
    for place, name in enumerate(names):
        values = [row[place] for row in rows]
        try:
            columns[name] = pyarrow.array(values, text)
        except UnicodeEncodeError:
            whole = [value.encode("utf-8", "replace").decode() for value in values]
            columns[name] = pyarrow.array(whole, text)
    return pyarrow.table(columns)


class _Part(msgspec.Struct, gc=False):
    type: str = ""
    text: str = ""


class _Item(msgspec.Struct, gc=False):
    type: str = ""
    content: list[_Part] | None = None


class _Body(msgspec.Struct, gc=False):
    output: list[_Item] = []


_BODY: Final[msgspec.json.Decoder[_Body]] = msgspec.json.Decoder(_Body)


def _text(body: bytes) -> str | None:
    try:
        items = _BODY.decode(body).output
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return "".join(
        part.text
        for item in items
        if item.type == "message"
        for part in item.content or ()
        if part.type == "output_text"
    )
