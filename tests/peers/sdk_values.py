"""Values of the official SDK's own types: models that it reads, and mappings that it sends."""

from __future__ import annotations

import random
import types
from typing import Any, Literal, NotRequired, Required, Union, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import TypeAliasType, get_type_hints, is_typeddict

_LEAVES = {str: "text", int: 3, float: 0.5, bool: True, object: {"any": [1, None]}}


class ValueMaker:
    """Makes JSON values of types; the same seed makes the same values."""

    def __init__(self, seed: int, *, whole: bool = False) -> None:
        """Begin anew.

        Args:
            seed: What chance begins with.
            whole: Whether every key is there, instead of some of those that may be left out.
        """
        self._random = random.Random(seed)  # noqa: S311 - test data
        self._whole = whole

    def value(self, hint: Any) -> Any:
        """Make a JSON value of a type."""
        hint = _bare(hint)
        origin, args = get_origin(hint), get_args(hint)
        if origin is Literal:
            return self._random.choice(args)
        if origin in {Union, types.UnionType}:
            return self.value(self._random.choice([arg for arg in args if arg is not type(None)]))
        if isinstance(hint, type) and issubclass(hint, BaseModel):
            return self._model(hint)
        if is_typeddict(hint):
            return self._mapping(hint)
        return self._plain(hint)

    def _model(self, model: type[BaseModel]) -> dict[str, Any]:
        return {
            field.alias or name: self.value(field.annotation)
            for name, field in model.model_fields.items()
            if field.is_required() or self._is_there()
        }

    def _mapping(self, kind: Any) -> dict[str, Any]:
        hints = get_type_hints(kind, include_extras=True)
        return {
            name: self.value(hint)
            for name, hint in hints.items()
            # Only types without it may do without a type.
            if name == "type" or _is_required(hint) or self._is_there()
        }

    def _is_there(self) -> bool:
        return self._whole or self._random.random() < 0.5

    def _plain(self, hint: Any) -> Any:
        origin, args = get_origin(hint), get_args(hint)
        if origin is dict:
            return {"key": self.value(args[1])}
        if origin is not None:  # sequences and iterables
            return [self.value(args[0]) for _ in range(self._random.randrange(1, 3))]
        return _LEAVES[hint]


def members(union: Any) -> list[Any]:
    """Return the types in a union, however it is wrapped."""
    return [_bare(arg) for arg in get_args(_bare(union))]


def _is_required(hint: Any) -> bool:
    origin: object = get_origin(hint)
    return origin is Required


def _bare(hint: Any) -> Any:
    """Take off names, annotations and marks."""
    if isinstance(hint, TypeAliasType):
        return _bare(hint.__value__)
    if hasattr(hint, "__metadata__") or get_origin(hint) in {Required, NotRequired}:
        return _bare(get_args(hint)[0])
    return hint
