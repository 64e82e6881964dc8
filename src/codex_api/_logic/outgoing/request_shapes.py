"""The types that the fields of a request may have.

What is refused here would encode, but not as it was meant: a text where a list belongs, a number as
a switch. What the values say is the server's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import NoneType
from typing import Any

import msgspec
from msgspec import UnsetType
from msgspec.structs import astuple

from codex_api.tools import AllowedTools, CustomTool, FunctionTool, Tool, WebSearch
from codex_api.transport.errors import RequestBuildError
from codex_api.types.content import Tagged
from codex_api.types.reasoning import Reasoning
from codex_api.types.request import PromptCacheOptions, ResponsesApiRequest, StreamOptions
from codex_api.types.text import TextControls

_LIST = (list, tuple, Sequence)
_OBJECT = (dict, msgspec.Raw, Mapping)
_MAP = (dict, Mapping, NoneType)
_OBJECT_OR_NONE = ((*_OBJECT, NoneType), "a mapping, or None")
_TEXT_OR_NONE = ((str, NoneType), "a string, or None")
_SHAPES: dict[str, tuple[tuple[type, ...], str]] = {
    "model": ((str,), "a non-empty string"),
    "instructions": ((str, NoneType), "a string"),
    "previous_response_id": _TEXT_OR_NONE,
    "input": ((*_LIST, str), "a sequence of items, or a string"),
    "tools": ((*_LIST, NoneType), "a sequence of tools, or None"),
    "tool_choice": (
        (str, AllowedTools, *_OBJECT, UnsetType, NoneType),
        "a string, tools.AllowedTools, a mapping, or UNSET",
    ),
    "parallel_tool_calls": ((bool, UnsetType), "true or false, or UNSET"),
    "reasoning": (
        (Reasoning, *_OBJECT, UnsetType, NoneType),
        "a Reasoning, a mapping, None or UNSET",
    ),
    "store": ((bool, UnsetType), "true or false, or UNSET"),
    "stream": ((bool,), "true or false"),
    "stream_options": (
        (StreamOptions, *_OBJECT, NoneType),
        "a StreamOptions, a mapping, or None",
    ),
    "include": ((*_LIST, UnsetType), "a sequence of strings, or UNSET"),
    "service_tier": _TEXT_OR_NONE,
    "prompt_cache_key": _TEXT_OR_NONE,
    "prompt_cache_options": (
        (PromptCacheOptions, *_OBJECT, NoneType),
        "a PromptCacheOptions, a mapping, or None",
    ),
    "text": ((TextControls, *_OBJECT, NoneType), "a TextControls, a mapping, or None"),
    "client_metadata": (_MAP, "a mapping of strings, or None"),
    "background": ((bool, NoneType), "true or false"),
    "background_options": _OBJECT_OR_NONE,
    "context_management": ((*_LIST, NoneType), "a sequence of mappings"),
    "conversation": ((str, *_OBJECT, NoneType), "an id, or a mapping with one"),
    "image": _OBJECT_OR_NONE,
    "max_output_tokens": ((int, NoneType), "a number of tokens"),
    "max_tool_calls": ((int, NoneType), "a number of calls"),
    "metadata": (_MAP, "a mapping of strings"),
    "moderation": _OBJECT_OR_NONE,
    "access_programs": _OBJECT_OR_NONE,
    "prompt": ((*_OBJECT, NoneType), "a mapping with an id"),
    "prompt_cache_retention": _TEXT_OR_NONE,
    "safety_identifier": _TEXT_OR_NONE,
    "temperature": ((int, float, NoneType), "a number"),
    "top_logprobs": ((int, NoneType), "a number of alternatives"),
    "top_p": ((int, float, NoneType), "a number"),
    "truncation": _TEXT_OR_NONE,
    "user": _TEXT_OR_NONE,
    "extra_body": (_MAP, "a mapping, or None"),
}
_FIELDS = ResponsesApiRequest.__struct_fields__
# Those that every body has a place for come first, in the order of the wire.
_CODEX = _FIELDS[: _FIELDS.index("background")]
# Only the public API knows these; most requests have none of them.
PUBLIC = _FIELDS[len(_CODEX) : _FIELDS.index("prompt_cache_breakpoints")]
_NOTHING_PUBLIC = (None,) * len(PUBLIC)
_NONE_GIVEN: Mapping[str, Any] = {}


def checked_fields(
    request: ResponsesApiRequest,
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Return what a request says, and refuse what would encode, but not as it was meant.

    Returns:
        The values of its fields from ``model`` to ``client_metadata`` in order, and by their names
        those of ``PUBLIC`` that are given.

    Raises:
        RequestBuildError: A field has another type than it may have; the text names the field.
    """
    values = astuple(request)
    codex, public = values[: len(_CODEX)], values[len(_CODEX) : len(_CODEX) + len(PUBLIC)]
    given = _NONE_GIVEN
    if public != _NOTHING_PUBLIC:
        pairs = zip(PUBLIC, public, strict=True)
        given = {name: value for name, value in pairs if value is not None}
    misshapen = _misshapen_field(*map(type, codex))
    if misshapen is not None:
        raise _misshapen(misshapen)
    _check_given(given)
    _check_shapes(request)
    return codex, given


def _check_given(given: Mapping[str, object]) -> None:
    for name, value in given.items():
        if _is_odd(name, type(value)):
            raise _misshapen(name)


def _check_shapes(request: ResponsesApiRequest) -> None:
    if not request.model and request.prompt is None:
        raise _misshapen("model")
    if request.tools and not _TOOL_KINDS.issuperset(map(type, request.tools)):
        _check_tools(request.tools)
    if request.include:
        _check_texts("include", request.include)
    if request.client_metadata:
        _check_pairs("client_metadata", request.client_metadata)
    if request.metadata:
        _check_pairs("metadata", request.metadata)
    if request.extra_body is not None:
        _check_given({"extra_body": request.extra_body})


def _check_tools(tools: Sequence[Tool]) -> None:
    for index, tool in enumerate(tools):
        if not isinstance(tool, _TOOLS):  # pyright: ignore[reportUnnecessaryIsInstance]  # not every caller has a type checker
            message = f"tools[{index}] must be a tool, a mapping or a msgspec.Raw, not "
            raise RequestBuildError(message + _kind(tool))


_TOOLS = (Tagged, *_OBJECT)
# Those that nearly all are; others are looked at one by one.
_TOOL_KINDS = frozenset({dict, msgspec.Raw, FunctionTool, CustomTool, WebSearch})


def _kind(tool: object) -> str:
    kind = type(tool).__name__
    return f"{kind}: make one by FunctionTool.from_callable" if callable(tool) else kind


# The types settle it, and the same ones come with every request of a program.
@lru_cache(maxsize=256)
def _misshapen_field(*types: type) -> str | None:
    """Return the name of the first field that has another type than it may have."""
    named = zip(_CODEX, types, strict=True)
    return next((name for name, found in named if _is_odd(name, found)), None)


def _is_odd(name: str, found: type) -> bool:
    kinds, _ = _SHAPES[name]
    # A bool is an int too, a string a sequence.
    odd = any(issubclass(found, kind) and kind not in kinds for kind in (bool, str))
    return odd or not issubclass(found, kinds)


def _check_pairs(name: str, pairs: Mapping[str, str]) -> None:
    _check_texts(name, [*pairs, *pairs.values()])


def _check_texts(name: str, values: Iterable[object]) -> None:
    if not all(isinstance(value, str) for value in values):
        raise _misshapen(name)


def _misshapen(name: str) -> RequestBuildError:
    return RequestBuildError(f"{name} must be {_SHAPES[name][1]}")
