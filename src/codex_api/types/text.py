"""What the text of an answer should look like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from codex_api.types.content import Tagged
from codex_api.types.structured import schema_name, schema_of

# The name that the Codex backend knows for a schema given from outside.
_OUTPUT_SCHEMA_NAME = "codex_output_schema"


class TextFormat(Tagged, frozen=True, tag="json_schema", kw_only=True):
    """JSON that follows a schema.

    Attributes:
        strict: Whether the server guarantees the schema, which restricts what it may say.
        schema: A JSON Schema.
        name: Up to 64 letters, digits, ``_`` and ``-``.
    """

    strict: bool
    schema: Mapping[str, Any] | msgspec.Raw
    name: str


class TextControls(msgspec.Struct, frozen=True, omit_defaults=True):
    """Text controls of a request; None leaves a choice to the model.

    Attributes:
        verbosity: ``low``, ``medium`` or ``high``.
        format: A mapping is sent as it is.
    """

    verbosity: str | None = None
    format: TextFormat | Mapping[str, Any] | None = None

    @classmethod
    def for_type(
        cls,
        type_: Any,  # noqa: ANN401  # any type that has a schema
        name: str | None = None,
        *,
        strict: bool = True,
        verbosity: str | None = None,
    ) -> TextControls:
        """Ask for an answer that decodes as ``type_``.

        Args:
            type_: A ``msgspec.Struct``, dataclass, ``TypedDict`` or pydantic model.
            name: Name of the schema; None takes that of the type.
            strict: Whether the schema is rewritten to what the server can guarantee: every
                property required, no other properties.
            verbosity: As the attribute.

        Raises:
            RequestBuildError: The type has no such schema.
        """
        schema = schema_of(type_, strict=strict)
        chosen = schema_name(type_) if name is None else name
        text_format = TextFormat(strict=strict, schema=schema, name=chosen)
        return cls(verbosity=verbosity, format=text_format)


def create_text_param_for_request(
    verbosity: str | None = None,
    schema: Mapping[str, Any] | None = None,
    *,
    strict: bool = True,
) -> TextControls | None:
    """Make the text controls of a Codex request.

    Args:
        verbosity: As in ``TextControls``.
        schema: A JSON Schema for the answer; None leaves its form free.
        strict: Whether the server guarantees the schema.

    Returns:
        None when neither is given, so that the request has no ``text`` at all.
    """
    if verbosity is None and schema is None:
        return None
    text_format = None
    if schema is not None:
        text_format = TextFormat(strict=strict, schema=schema, name=_OUTPUT_SCHEMA_NAME)
    return TextControls(verbosity=verbosity, format=text_format)
