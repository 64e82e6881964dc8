"""Rows to send: from files as the Batch API takes them, or from a program.

A line of a file is ``{"custom_id", "method", "url", "body"}``; method and URL may be missing. What
is wrong with a file as a whole, such as an id that comes twice, is found before anything is sent.
What is wrong with the body of one row is that row's failure.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec

from codex_api._logic.outgoing.body import encode_request
from codex_api.bulk.failures import BulkInputError
from codex_api.bulk.row_ids import Duplicates, RowSet, digest_of
from codex_api.transport.errors import RequestBuildError
from codex_api.types.request import ResponsesApiRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOM: Final = b"\xef\xbb\xbf"
_BLOCK: Final = 1 << 20
_SHOWN: Final = 80
_USUAL_URL: Final = "/v1/responses"
_BODY: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


class BulkRequest(msgspec.Struct, frozen=True, gc=False):
    """One row.

    Attributes:
        custom_id: Names the row; not empty, and given once in a run.
        body: What to send, as JSON.
        index: Number of the row in its input, from 0.
    """

    custom_id: str
    body: bytes
    index: int = 0

    @classmethod
    def of(
        cls, custom_id: str, body: ResponsesApiRequest | Mapping[str, Any] | bytes, index: int = 0
    ) -> BulkRequest:
        """Make a row of a request, of a mapping, or of JSON.

        Raises:
            RequestBuildError: The request cannot be encoded.
        """
        if isinstance(body, ResponsesApiRequest):
            encoded = encode_request(body, keep_ids=body.is_stored, is_streamed=False)
        elif isinstance(body, Mapping):
            try:
                encoded = msgspec.json.encode(body)
            except (TypeError, ValueError) as exc:
                message = f"the body of {custom_id[:_SHOWN]!r} has no form in JSON: {exc}"
                raise RequestBuildError(message) from exc
        else:
            encoded = bytes(body)
        return cls(custom_id, encoded, index)


class InputFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file of requests.

    Attributes:
        path: Where it is.
        size: In bytes.
        modified_ns: When it was changed last, in nanoseconds since 1970.
        sha256: Of all its bytes.
        rows: How many requests it holds.
        body_bytes: Of all bodies together.
        max_output_tokens: Of all rows that say so together.
        unbounded: How many rows say nothing about ``max_output_tokens``.
        models: How many rows name each model.
    """

    path: str
    size: int
    modified_ns: int
    sha256: str
    rows: int
    body_bytes: int = 0
    max_output_tokens: int = 0
    unbounded: int = 0
    models: dict[str, int] = {}


class _Line(msgspec.Struct, gc=False):
    custom_id: str
    body: msgspec.Raw
    method: str = "POST"
    url: str = _USUAL_URL


class BodyOutline(msgspec.Struct, gc=False):
    """What must be known of a body to send it.

    Attributes:
        model: Which it names, or None.
        max_output_tokens: Most tokens of its answer, or None.
        service_tier: Which it names, or None.
        prompt_cache_key: Which it names, or None.
        background: Whether it asks for an answer without a connection.
        stream: Whether it says something about streaming; unset where it does not.
    """

    model: str | None = None
    max_output_tokens: int | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    background: bool | None = None
    stream: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_LINE: msgspec.json.Decoder[_Line] = msgspec.json.Decoder(_Line)
_OUTLINE: msgspec.json.Decoder[BodyOutline] = msgspec.json.Decoder(BodyOutline)


class RequestFile:
    """A file of requests, read line by line.

    Args:
        path: A file with one JSON object a line; blank lines do not count.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = Path(path)

    def scan(self) -> InputFacts:
        """Read all of it, and see whether it can be sent.

        Raises:
            BulkInputError: A line is no request, has no id, names another endpoint, or an id comes
                twice. The text names the line.
            OSError: The file cannot be read.
        """
        hasher = sha256()
        duplicates = Duplicates()
        rows = body_bytes = promised = unbounded = 0
        models: dict[str, int] = {}
        try:
            with self.path.open("rb") as file:
                before = os.fstat(file.fileno())
                for number, line in enumerate(file, start=1):
                    hasher.update(line)
                    text = _text(line, number)
                    if not text:
                        continue
                    row = self._decode(text, number)
                    duplicates.add(row.custom_id)
                    rows += 1
                    body_bytes += len(bytes(row.body))
                    outline = _outline(row.body)
                    model = outline.model or ""
                    models[model] = models.get(model, 0) + 1
                    promised += outline.max_output_tokens or 0
                    unbounded += outline.max_output_tokens is None
            twice = duplicates.find()
        finally:
            duplicates.close()
        if twice:
            raise self._told_twice(twice)
        return InputFacts(
            path=str(self.path),
            size=before.st_size,
            modified_ns=before.st_mtime_ns,
            sha256=hasher.hexdigest(),
            rows=rows,
            body_bytes=body_bytes,
            max_output_tokens=promised,
            unbounded=unbounded,
            models=models,
        )

    def rescan(self, known: InputFacts) -> InputFacts:
        """Return ``known`` if the file still has the same bytes, else what ``scan`` finds.

        Raises:
            BulkInputError: As ``scan``.
            OSError: The file cannot be read.
        """
        status = self.path.stat()
        if status.st_size == known.size:
            with self.path.open("rb") as file:
                if _hash(file) == known.sha256:
                    return msgspec.structs.replace(
                        known, path=str(self.path), modified_ns=status.st_mtime_ns
                    )
        return self.scan()

    def rows(
        self, shard: tuple[int, int] | None = None, skip: RowSet | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """Yield each row as its number and its line, not yet decoded.

        Args:
            shard: Number from 1, and of how many: only every so-many-th row. None gives all.
            skip: Numbers to leave out; looked at as rows are taken. None leaves out none.

        Raises:
            OSError: The file cannot be read.
        """
        for index, _, line in self.placed_rows(shard, skip):
            yield index, line

    def placed_rows(
        self, shard: tuple[int, int] | None = None, skip: RowSet | None = None
    ) -> Iterator[tuple[int, int, bytes]]:
        """Yield what ``rows`` does, with the place of each line in the file between.

        Raises:
            OSError: The file cannot be read.
        """
        index, end = -1, 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                end += len(line)
                if line.isspace() or (number == 1 and not _text(line, number)):
                    continue
                index += 1
                if shard is not None and index % shard[1] != shard[0] - 1:
                    continue
                if skip is None or index not in skip:
                    text = line.removeprefix(_BOM) if number == 1 else line
                    yield index, end - len(text), text

    def decode(self, index: int, line: bytes) -> BulkRequest:
        """Decode what ``rows`` gave.

        Raises:
            BulkInputError: The line is no request.
        """
        row = self._decode(line, index + 1)
        return BulkRequest(row.custom_id, bytes(row.body), index)

    def _decode(self, line: bytes, number: int) -> _Line:
        try:
            row = _LINE.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            message = f"{self.path}, line {number}: no request of a batch: {exc}"
            raise BulkInputError(message) from None
        is_usual = row.custom_id and row.method == "POST" and row.url == _USUAL_URL
        if is_usual and bytes(row.body).startswith(b"{"):
            return row
        wrong = None
        if not row.custom_id:
            wrong = "custom_id is empty"
        elif row.method.upper() != "POST" or not row.url.rstrip("/").endswith("/responses"):
            wrong = f"only POST /v1/responses can be sent, not {row.method} {row.url}"[:200]
        elif not bytes(row.body).startswith(b"{"):
            wrong = "body is no object"
        if wrong is not None:
            message = f"{self.path}, line {number}: {wrong}"
            raise BulkInputError(message)
        return row

    def _told_twice(self, digests: set[bytes]) -> BulkInputError:
        first: dict[bytes, int] = {}
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                text = _text(line, number)
                if not text:
                    continue
                custom_id = _LINE.decode(text).custom_id
                digest = digest_of(custom_id)
                if digest in first:
                    more = f", and {len(digests) - 1} others" if len(digests) > 1 else ""
                    return BulkInputError(
                        f"{self.path}, lines {first[digest]} and {number}: custom_id "
                        f"{custom_id[:_SHOWN]!r} is given twice{more}"
                    )
                if digest in digests:
                    first[digest] = number
        return BulkInputError(f"{self.path}: it changed while it was read")


def outline_of(body: bytes) -> BodyOutline:
    """Read what must be known of a body.

    Raises:
        RequestBuildError: It cannot be sent as one request that is answered at once.
    """
    try:
        outline = _OUTLINE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        message = f"the body is no request: {exc}"
        raise RequestBuildError(message) from None
    if outline.background:
        message = "the body asks for a background response, which has no answer at once"
        raise RequestBuildError(message)
    return outline


def body_with(
    body: bytes, members: Mapping[str, object], defaults: Mapping[str, object] | None = None
) -> bytes:
    """Return a body with other members, without ``stream``; what else it holds stays as it is.

    Args:
        body: An object, as ``outline_of`` took it.
        members: Replace those of the body.
        defaults: Stand for what the body leaves out, or has as null.
    """
    told = {name: raw for name, raw in _BODY.decode(body).items() if name != "stream"}
    given = {name for name, raw in told.items() if bytes(raw) != b"null"}
    more = {name: value for name, value in (defaults or {}).items() if name not in given}
    return msgspec.json.encode({**told, **more, **members})


def _text(line: bytes, number: int) -> bytes:
    return (line.removeprefix(_BOM) if number == 1 else line).strip()


def _outline(body: msgspec.Raw) -> BodyOutline:
    try:
        return _OUTLINE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return BodyOutline()


def _hash(file: IO[bytes]) -> str:
    hasher = sha256()
    while block := file.read(_BLOCK):
        hasher.update(block)
    return hasher.hexdigest()
