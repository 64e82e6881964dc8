"""Answers that are JSON of a known type.

A server that guarantees the schema sends that and nothing else. Others leave the form to the model,
which likes to put a code fence around its JSON, or says something in a message before it. Such JSON
is whole all the same. Nothing is mended, nothing put together of two messages if the last says it
alone, and no JSON is looked for in an answer that has two fences or a refusal.
"""

from __future__ import annotations

import re
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec

from codex_api._logic.incoming.excerpt import excerpt
from codex_api.errors import DecodeError, ResponseIncompleteError
from codex_api.types.response import final_messages
from codex_api.types.structured import decoded_as, is_pydantic, schema_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from codex_api._logic.incoming.collect import CollectedResponse
    from codex_api.types.response import Response

    _Whole: TypeAlias = "Response | CollectedResponse"

T = TypeVar("T")

# The first line of three backticks to the last: JSON may have some within its strings.
_FENCE = cache(partial(re.compile, r"[^`]*```\w*[ \t]*\r?\n(.*)\r?\n[ \t]*```[^`]*", re.DOTALL))


def parse_response(type_: type[T], response: _Whole) -> T:
    """Decode the final answer of a response.

    Raises:
        ResponseIncompleteError: The response was cut off, so its JSON would be, too.
        DecodeError: The model refused, said nothing, or its text does not fit ``type_``.
    """
    if response.incomplete_reason is not None:
        error = ResponseIncompleteError(
            reason=response.incomplete_reason,
            response_id=response.id,
            usage=response.usage,
            request_id=response.request_id,
            rate_limits=response.rate_limits,
        )
        error.partial = response
        raise error
    messages = [message.text for message in final_messages(response.items)]
    try:
        return parse_answer(type_, response.text_final, messages, response.refusal)
    except DecodeError as exc:
        exc.request_id, exc.rate_limits = response.request_id, response.rate_limits
        raise


def parse_answer(type_: type[T], text: str, messages: Sequence[str], refusal: str | None) -> T:
    """Decode the text of an answer, or that part of it which is JSON.

    Args:
        type_: The type that ``TextControls.for_type`` was given.
        text: The whole of the final answer.
        messages: The text of each message in it.
        refusal: With what words the model refused, or None.

    Raises:
        DecodeError: The model refused, said nothing, or its text does not fit ``type_``.
    """
    if text.strip():
        found = next(filter(_is_json, _candidates(text, messages, refusal)), text)
        try:
            return parse_as(type_, found)
        except DecodeError:
            if refusal is None:
                raise
    what = "the response holds no text to parse"
    if refusal is not None:
        what = f"the model refused: {excerpt(refusal)}"
    raise DecodeError(what)


def _candidates(text: str, messages: Sequence[str], refusal: str | None) -> Iterator[str]:
    """Yield what may be the JSON of an answer, best first."""
    last = next((message for message in reversed(messages) if message.strip()), text)
    yield last
    yield text
    fenced = _FENCE().fullmatch(last) if refusal is None else None
    if fenced is not None:
        yield fenced[1]


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def parse_as(type_: type[T], text: str) -> T:
    """Decode the text of an answer.

    Args:
        type_: The type that ``TextControls.for_type`` was given.
        text: A JSON value.

    Raises:
        DecodeError: The text is not JSON, or not of that type; the error names the JSON path.
    """
    if is_pydantic(type_):
        return _parse_pydantic(type_, text)
    try:
        return msgspec.json.decode(text, type=type_, dec_hook=decoded_as)
    except msgspec.DecodeError as exc:
        raise _unreadable(type_, str(exc)) from exc
    except UnicodeEncodeError as exc:
        raise _unreadable(type_, "a character in it is half of one") from exc
    except RecursionError as exc:
        raise _unreadable(type_, "it is nested too deep") from exc


def _parse_pydantic(type_: type[T], text: str) -> T:
    # Not a dependency: who hands us such a type has it.
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    try:
        return TypeAdapter(type_).validate_json(text)
    except ValidationError as exc:
        # Its own text quotes the input.
        first: Any = exc.errors(include_url=False, include_context=False, include_input=False)[0]
        path = "".join(f".{step}" for step in first["loc"])
        raise _unreadable(type_, f"{first['msg']} - at `${path}`") from exc


def _unreadable(type_: object, what: str) -> DecodeError:
    return DecodeError(f"the answer does not decode as {schema_name(type_)}: {what}")
