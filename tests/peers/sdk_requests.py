"""Random requests made from the official SDK's own parameter types."""

from __future__ import annotations

import random
import types
from typing import Any, Literal, NotRequired, Required, Union, get_args, get_origin

from openai.types.responses import response_create_params
from openai.types.responses.response_input_item_param import ResponseInputItemParam
from openai.types.responses.tool_param import ToolParam
from typing_extensions import (
    get_type_hints,
    is_typeddict,
)

PARAMETERS = get_type_hints(response_create_params.ResponseCreateParamsBase, include_extras=True)
TOOLS = get_args(ToolParam)
ITEMS = get_args(ResponseInputItemParam)
_LEAVES = {str: "text", int: 3, float: 0.5, bool: True, object: {"any": [1, None]}}


class Maker:
    """Makes values of the SDK's types; the same seed makes the same values."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - test data

    def parameters(self) -> dict[str, Any]:
        """Return a mapping of some parameters; ``model`` and ``input`` always."""
        chosen = [name for name in PARAMETERS if self._random.random() < 0.4]
        values = {
            name: self._value(PARAMETERS[name]) for name in chosen if name not in {"input", "tools"}
        }
        tools = [self._value(self._random.choice(TOOLS)) for _ in range(self._random.randrange(4))]
        if tools:
            values["tools"] = tools
        values["model"] = "gpt-5.1"
        items = [self._value(self._random.choice(ITEMS)) for _ in range(self._random.randrange(4))]
        values["input"] = [{"role": "user", "content": "hi"}, *items]
        return values

    def tool(self, kind: Any) -> dict[str, Any]:
        """Return a mapping of one kind of tool, with every key."""
        return {name: self._value(hint, 1) for name, hint in _hints(kind).items()}

    def _value(self, hint: Any, depth: int = 0) -> Any:
        origin, args = get_origin(hint), get_args(hint)
        if origin in {Required, NotRequired}:
            return self._value(args[0], depth)
        if origin is Literal:
            return self._random.choice(args)
        if origin in {Union, types.UnionType}:
            return self._value(self._random.choice([arg for arg in args if arg is not type(None)]))
        if is_typeddict(hint):
            return self._mapping(hint, depth)
        return self._plain(hint, depth)

    def _mapping(self, hint: Any, depth: int) -> dict[str, Any]:
        return {
            name: self._value(value, depth + 1)
            for name, value in _hints(hint).items()
            if name in hint.__required_keys__
            or get_origin(value) is Required
            or self._random.random() < 0.5 / (depth + 1)
        }

    def _plain(self, hint: Any, depth: int) -> Any:
        origin, args = get_origin(hint), get_args(hint)
        if origin is dict:
            return {"key": self._value(args[1], depth + 1)}
        if origin is not None:  # sequences and iterables
            return [self._value(args[0], depth + 1) for _ in range(self._random.randrange(1, 3))]
        return _LEAVES[hint]


def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)
