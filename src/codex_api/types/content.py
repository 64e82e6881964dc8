"""Parts that items are made of: text, images, summaries, actions.

A part is named after its wire ``type``. A part of a type that is not listed here, or of a listed
type with a field missing or mistyped, is an ``UnknownPart``: its bytes go back out as they came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

import msgspec

# For msgspec only the plain class is a default that ``omit_defaults`` leaves out.
_LIST: type[list[Any]] = list


class Tagged(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """A JSON object that names its own type."""

    @property
    def type(self) -> str:
        """The wire ``type``."""
        return str(self.__struct_config__.tag)


def null() -> None:
    """Default of a field that goes out as ``null`` when unset.

    As a factory it does not count as a default, so ``omit_defaults`` keeps the key.
    """


class InputText(Tagged, frozen=True, tag="input_text", gc=False):
    """Text for the model to read."""

    text: str


class InputImage(Tagged, frozen=True, tag="input_image", gc=False):
    """An image for the model to look at.

    Attributes:
        image_url: An ``https:`` or ``data:`` URL.
        detail: ``auto``, ``low``, ``high`` or ``original``; None leaves the choice to the server.
    """

    image_url: str
    detail: str | None = None


class OutputText(Tagged, frozen=True, tag="output_text"):
    """Text that the model wrote.

    Attributes:
        annotations: Citations and the like, as the server sent them; go out only with ids.
        logprobs: Token probabilities, as the server sent them; go out only with ids.
    """

    text: str
    annotations: Sequence[Any] | None = msgspec.field(default_factory=_LIST)
    logprobs: Sequence[Any] | None = msgspec.field(default_factory=_LIST)


class EncryptedContent(Tagged, frozen=True, tag="encrypted_content", gc=False):
    """Content that only the server can read."""

    encrypted_content: str


class SummaryText(Tagged, frozen=True, tag="summary_text", gc=False):
    """A piece of a reasoning summary."""

    text: str


class ReasoningText(Tagged, frozen=True, tag="reasoning_text", gc=False):
    """A piece of the reasoning itself."""

    text: str


class Text(Tagged, frozen=True, tag="text", gc=False):
    """A piece of reasoning content that is not reasoning proper."""

    text: str


class Exec(Tagged, frozen=True, tag="exec", kw_only=True):
    """Run a command.

    Attributes:
        timeout_ms: Limit in milliseconds; None leaves it to the executor.
        working_directory: None is the directory of the session.
        env: Variables to set; None changes nothing.
        user: None is the user of the session.
    """

    command: Sequence[str]
    timeout_ms: int | None = msgspec.field(default_factory=null)
    working_directory: str | None = msgspec.field(default_factory=null)
    env: Mapping[str, str] | None = msgspec.field(default_factory=null)
    user: str | None = msgspec.field(default_factory=null)


class Search(Tagged, frozen=True, tag="search"):
    """Look something up on the web."""

    query: str | None = None
    queries: Sequence[str] | None = None


class OpenPage(Tagged, frozen=True, tag="open_page", gc=False):
    """Open a web page."""

    url: str | None = None


class FindInPage(Tagged, frozen=True, tag="find_in_page", gc=False):
    """Find text on a web page."""

    url: str | None = None
    pattern: str | None = None


class UnknownPart:
    """A part that this version has no class for; goes back out as it came.

    No struct, so that the encoder asks ``encode_unknown`` for it and known parts need no look.

    Attributes:
        raw: The exact JSON.
    """

    __slots__ = ("raw",)
    __match_args__ = ("raw",)
    raw: msgspec.Raw

    def __init__(self, raw: msgspec.Raw | bytes | str) -> None:
        value = raw if isinstance(raw, msgspec.Raw) else msgspec.Raw(raw)
        object.__setattr__(self, "raw", value)

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> UnknownPart:
        """Make a part of any JSON object, such as an ``input_file``."""
        return cls(msgspec.json.encode(value))

    @property
    def type(self) -> str:
        """The wire ``type``; empty when the part has none."""
        return wire_type(self.raw)

    @property
    def value(self) -> Any:  # noqa: ANN401  # any JSON
        """The part as plain Python values."""
        return msgspec.json.decode(self.raw)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        message = f"immutable type: {type(self).__name__!r}"
        raise AttributeError(message)

    def __delattr__(self, name: str) -> NoReturn:
        self.__setattr__(name, None)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UnknownPart):
            return NotImplemented
        return self.raw == other.raw

    def __hash__(self) -> int:
        return hash(bytes(self.raw))

    def __repr__(self) -> str:
        return f"UnknownPart({bytes(self.raw)!r})"

    def __reduce__(self) -> tuple[object, tuple[bytes]]:
        return (UnknownPart, (bytes(self.raw),))


def encode_unknown(value: object) -> msgspec.Raw:
    """Give the JSON of an ``UnknownPart``; an ``enc_hook`` for msgspec encoders.

    Raises:
        TypeError: ``value`` is of another type, which has no JSON form.
    """
    if isinstance(value, UnknownPart):
        return value.raw
    message = f"a value of type {type(value).__name__} has no JSON form"
    raise TypeError(message)


class _Head(msgspec.Struct):
    type: str = ""


def wire_type(raw: msgspec.Raw | bytes) -> str:
    """Give the string ``type`` of a JSON object; empty when there is none."""
    try:
        return msgspec.json.decode(raw, type=_Head).type
    except msgspec.ValidationError:
        return ""


ContentPart: TypeAlias = InputText | InputImage | OutputText | UnknownPart
AgentContentPart: TypeAlias = InputText | EncryptedContent | UnknownPart
OutputPart: TypeAlias = InputText | InputImage | EncryptedContent | UnknownPart
SummaryPart: TypeAlias = SummaryText | UnknownPart
ReasoningPart: TypeAlias = ReasoningText | Text | UnknownPart
WebSearchAction: TypeAlias = Search | OpenPage | FindInPage | UnknownPart
